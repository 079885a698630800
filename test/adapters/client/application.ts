import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { type ClientOptions, FcgiClient } from '../../../src/adapters/client/index.ts';
import {
  decodeBeginRequest,
  decodePairs,
  encodeEndRequest,
  encodeRecord,
  encodeStream,
  FCGI_BEGIN_REQUEST,
  FCGI_DATA,
  FCGI_KEEP_CONN,
  FCGI_PARAMS,
  FCGI_REQUEST_COMPLETE,
  FCGI_STDERR,
  FCGI_STDIN,
  FCGI_STDOUT,
  RecordParser,
} from '../../../src/adapters/fastcgi/protocol.ts';

export const HEAD = 'Status: 200 OK\r\nContent-Type: text/plain\r\n\r\n';

/** A request as it came, record by record, and the means to answer it in any way. */
export class Received {
  readonly socket: Socket;
  readonly id: number;
  readonly role: number;
  readonly keep: boolean;
  /** The contents of the PARAMS records. */
  readonly packed: Buffer[] = [];
  readonly #stdin: Buffer[] = [];
  stdinBytes = 0;
  data = Buffer.alloc(0);

  constructor(socket: Socket, id: number, role: number, keep: boolean) {
    this.socket = socket;
    this.id = id;
    this.role = role;
    this.keep = keep;
  }

  get stdin(): Buffer {
    return Buffer.concat(this.#stdin);
  }

  addStdin(bytes: Buffer): void {
    this.#stdin.push(bytes);
    this.stdinBytes += bytes.length;
  }

  get params(): Record<string, string> {
    return Object.fromEntries(decodePairs(Buffer.concat(this.packed)));
  }

  stdout(text: string | Buffer): this {
    for (const part of encodeStream(FCGI_STDOUT, this.id, Buffer.from(text))) this.socket.write(part);
    return this;
  }

  stderr(text: string): this {
    for (const part of encodeStream(FCGI_STDERR, this.id, Buffer.from(text))) this.socket.write(part);
    return this;
  }

  /** As PHP-FPM does it: without a record that ends STDOUT. */
  end(appStatus = 0, protocolStatus = FCGI_REQUEST_COMPLETE): void {
    this.socket.write(encodeEndRequest(this.id, appStatus, protocolStatus));
    if (!this.keep) this.socket.end();
  }

  answer(body: string): void {
    this.stdout(HEAD + body).end();
  }
}

/** What it does with a request, once all of it has come. */
export type Answerer = (request: Received, application: Application) => void;

/** A FastCGI application that does to the letter what a test says. */
export class Application {
  readonly server: Server;
  /** Those that are open. */
  readonly sockets = new Set<Socket>();
  /** How many there were. */
  connections = 0;
  readonly requests: Received[] = [];
  /** Types and ids of all records that came, but for PARAMS and STDIN. */
  readonly records: [type: number, id: number][] = [];
  readonly #answerer: Answerer;
  readonly #waiting = new Set<() => void>();

  constructor(answerer: Answerer) {
    this.#answerer = answerer;
    this.server = createServer((socket) => this.#onConnection(socket));
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Resolves when something has come, or somebody gone, that makes it true. */
  until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!isSo()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  #wake(): void {
    for (const look of this.#waiting) look();
  }

  #onConnection(socket: Socket): void {
    this.connections++;
    this.sockets.add(socket);
    const open = new Map<number, Received>();
    socket.on('error', () => {});
    socket.on('close', () => {
      this.sockets.delete(socket);
      this.#wake();
    });
    const parser = new RecordParser({
      onRecord: (type, id, chunk, start) => {
        this.records.push([type, id]);
        if (type !== FCGI_BEGIN_REQUEST) return;
        const { role, flags } = decodeBeginRequest(chunk, start);
        const request = new Received(socket, id, role, flags === FCGI_KEEP_CONN);
        open.set(id, request);
        this.requests.push(request);
      },
      onData: (type, id, chunk, start, end) => {
        const request = open.get(id)!;
        const bytes = Buffer.from(chunk.subarray(start, end));
        if (type === FCGI_PARAMS) request.packed.push(bytes);
        if (type === FCGI_STDIN) request.addStdin(bytes);
        if (type === FCGI_DATA) request.data = Buffer.concat([request.data, bytes]);
      },
      onDataEnd: (type, id) => {
        const request = open.get(id)!;
        const last = { 1: FCGI_STDIN, 2: FCGI_PARAMS, 3: FCGI_DATA }[request.role];
        if (type === last) this.#answerer(request, this);
      },
      onUnknown() {},
    });
    socket.on('data', (chunk) => {
      parser.write(chunk);
      this.#wake();
    });
  }
}

/** An application that listens until the test is over. */
export async function application(answerer: Answerer, at: number | string = 0): Promise<Application> {
  const app = new Application(answerer);
  app.server.listen(at);
  await once(app.server, 'listening');
  onTestFinished(() => {
    for (const socket of app.sockets) socket.destroy();
    app.server.close();
  });
  return app;
}

/** A client that is destroyed when the test is over. */
export function clientOf(address: ConstructorParameters<typeof FcgiClient>[0], options?: ClientOptions): FcgiClient {
  const client = new FcgiClient(address, options);
  onTestFinished(() => client.destroy());
  return client;
}

/** Both. */
export async function talk(
  answerer: Answerer,
  options?: ClientOptions,
): Promise<{ app: Application; client: FcgiClient }> {
  const app = await application(answerer);
  return { app, client: clientOf(app.address, options) };
}

export const GET = { REQUEST_METHOD: 'GET', REQUEST_URI: '/' };
export const POST = { REQUEST_METHOD: 'POST', REQUEST_URI: '/' };

/** The record that begins no request, as it is on the wire. */
export const record = encodeRecord;

/** The code that a promise rejects with, or what it resolved with. */
export const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.catch((error) => error.code ?? `${error.name}: ${error.message}`);
