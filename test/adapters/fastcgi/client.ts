import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { vi } from 'vitest';
import { createServer } from '../../../src/adapters/create-server.ts';
import {
  FCGI_DATA,
  FCGI_END_REQUEST,
  FCGI_KEEP_CONN,
  FCGI_PARAMS,
  FCGI_RESPONDER,
  FCGI_STDERR,
  FCGI_STDIN,
  FCGI_STDOUT,
  FCGI_VERSION_1,
} from '../../../src/adapters/fastcgi/constants.ts';
import { encodePairs } from '../../../src/adapters/fastcgi/pairs.ts';
import {
  decodeEndRequest,
  type EndRequest,
  encodeAbortRequest,
  encodeBeginRequest,
  encodeRecord,
  encodeStream,
} from '../../../src/adapters/fastcgi/records.ts';
import type { FcgiServer, ServerOptions } from '../../../src/adapters/fastcgi/server.ts';

/** Parameters, those that every request has left out; pairs, where order or duplicates matter. */
export type TestParams = Record<string, string | undefined> | [string, string | Buffer][];

export interface TestRequest {
  id?: number;
  role?: number;
  flags?: number;
  params?: TestParams;
  body?: string | Buffer;
}

/** A record as it came: an Exchange keeps them, to tell how an answer was cut. */
export interface TestRecord {
  type: number;
  content: Buffer;
}

/** What came for one request id. */
export class Exchange {
  readonly records: TestRecord[] = [];
  end: EndRequest | undefined;
  /** How many END_REQUESTs came. */
  ends = 0;

  #of(type: number): Buffer {
    return Buffer.concat(this.records.filter((record) => record.type === type).map(({ content }) => content));
  }

  get stdout(): Buffer {
    return this.#of(FCGI_STDOUT);
  }

  get stderr(): string {
    return this.#of(FCGI_STDERR).toString();
  }

  get #headEnd(): number {
    return this.stdout.indexOf('\r\n\r\n') + 4;
  }

  get status(): number {
    const [, status] = /^Status: (\d+)/m.exec(this.stdout.toString('latin1', 0, this.#headEnd)) ?? [];
    return Number(status);
  }

  /** The lines of the head, in their order. */
  get head(): string[] {
    return this.stdout
      .toString('latin1', 0, this.#headEnd - 4)
      .split('\r\n')
      .filter((line) => !line.startsWith('Date: '));
  }

  get body(): Buffer {
    return this.stdout.subarray(this.#headEnd);
  }

  get text(): string {
    return this.body.toString();
  }
}

/** A web server's end of a connection. */
export class Client {
  readonly socket: Socket;
  readonly exchanges = new Map<number, Exchange>();
  /** Records that belong to no request. */
  readonly management: TestRecord[] = [];
  /** A record of a version that there is not came: how an answer that breaks off is told. */
  broken = false;
  readonly closed: Promise<unknown>;
  /** The server's end of the connection has closed. */
  readonly left: Promise<unknown>;

  #rest: Buffer = Buffer.alloc(0);
  #waiting = new Set<() => void>();

  constructor(socket: Socket, left: Promise<unknown>) {
    this.socket = socket;
    this.left = left;
    this.closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('close', () => this.#wake());
    socket.on('end', () => this.#wake());
  }

  #read(chunk: Buffer): void {
    const bytes = Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (!this.broken && bytes.length - at >= 8) {
      if (bytes[at] !== FCGI_VERSION_1) {
        this.broken = true;
        break;
      }
      const contentEnd = at + 8 + bytes.readUInt16BE(at + 4);
      const end = contentEnd + bytes[at + 6]!;
      if (end > bytes.length) break;
      this.#onRecord(bytes[at + 1]!, bytes.readUInt16BE(at + 2), bytes.subarray(at + 8, contentEnd));
      at = end;
    }
    this.#rest = bytes.subarray(at);
    this.#wake();
  }

  #onRecord(type: number, id: number, content: Buffer): void {
    if (id === 0) {
      this.management.push({ type, content });
      return;
    }
    const exchange = this.exchange(id);
    exchange.records.push({ type, content });
    if (type !== FCGI_END_REQUEST) return;
    exchange.end = decodeEndRequest(content);
    exchange.ends++;
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  exchange(id = 1): Exchange {
    const exchange = this.exchanges.get(id) ?? new Exchange();
    this.exchanges.set(id, exchange);
    return exchange;
  }

  /** Forgets what came for the id: it is used again. */
  renew(id = 1): void {
    this.exchanges.delete(id);
  }

  /** Resolves when something has come that makes it true; rejects if the connection closes first. */
  until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (isSo()) resolve();
        else if (this.socket.closed || this.socket.readableEnded) reject(new Error('The connection was closed'));
        else return;
        this.#waiting.delete(look);
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** Resolves with the whole answer. */
  async answer(id = 1): Promise<Exchange> {
    const exchange = this.exchange(id);
    await this.until(() => exchange.end !== undefined);
    return exchange;
  }

  send(...bytes: Uint8Array[]): this {
    this.socket.write(Buffer.concat(bytes));
    return this;
  }

  begin(id = 1, role = FCGI_RESPONDER, flags = FCGI_KEEP_CONN): this {
    return this.send(encodeBeginRequest(id, role, flags));
  }

  params(id = 1, params: TestParams = {}): this {
    return this.send(...paramsOf(id, params));
  }

  stdin(id: number, data: string | Buffer): this {
    return this.send(...encodeStream(FCGI_STDIN, id, Buffer.from(data)));
  }

  stdinEnd(id = 1): this {
    return this.send(encodeRecord(FCGI_STDIN, id));
  }

  data(id: number, data: string | Buffer): this {
    return this.send(...encodeStream(FCGI_DATA, id, Buffer.from(data)));
  }

  dataEnd(id = 1): this {
    return this.send(encodeRecord(FCGI_DATA, id));
  }

  abort(id = 1): this {
    return this.send(encodeAbortRequest(id));
  }

  /** Sends a whole request. */
  request(request: TestRequest = {}): this {
    return this.send(encodeRequest(request));
  }

  /** Sends a whole request and resolves with its answer. */
  async get(request: TestRequest = {}): Promise<Exchange> {
    const id = request.id ?? 1;
    this.renew(id);
    return this.request(request).answer(id);
  }

  destroy(): void {
    this.socket.destroy();
  }
}

const EVERYWHERE = { REQUEST_METHOD: 'GET', REQUEST_URI: '/', SERVER_PROTOCOL: 'HTTP/1.1' };

function paramsOf(id: number, params: TestParams): Uint8Array[] {
  const pairs = Array.isArray(params)
    ? params
    : Object.entries({ ...EVERYWHERE, ...params }).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return [...encodeStream(FCGI_PARAMS, id, encodePairs(pairs)), encodeRecord(FCGI_PARAMS, id)];
}

/** The records of a whole request. Its body has a CONTENT_LENGTH unless the parameters say otherwise. */
export function encodeRequest(request: TestRequest = {}): Buffer {
  const { id = 1, role = FCGI_RESPONDER, flags = FCGI_KEEP_CONN, body, params = {} } = request;
  const length = body === undefined ? {} : { REQUEST_METHOD: 'POST', CONTENT_LENGTH: String(Buffer.byteLength(body)) };
  return Buffer.concat([
    encodeBeginRequest(id, role, flags),
    ...paramsOf(id, Array.isArray(params) ? params : { ...length, ...params }),
    ...(body === undefined ? [] : encodeStream(FCGI_STDIN, id, Buffer.from(body))),
    encodeRecord(FCGI_STDIN, id),
  ]);
}

/** Opens servers and connections, and closes them all. */
export class Door {
  readonly #servers: FcgiServer[] = [];
  readonly #clients: Client[] = [];

  /** Listens on a free port, or at the path of a unix socket. */
  async open(listener: RequestListener, options: ServerOptions = {}, at: number | string = 0): Promise<FcgiServer> {
    const server = createServer(options, listener);
    this.#servers.push(server);
    server.listen(at);
    await once(server, 'listening');
    return server;
  }

  async connect(server: FcgiServer): Promise<Client> {
    const left = new Promise((resolve) => {
      server.once('connection', (socket) => socket.once('close', resolve));
    });
    const address = server.address() as AddressInfo | string;
    const client = new Client(
      typeof address === 'string' ? connect(address) : connect(address.port, '127.0.0.1'),
      left,
    );
    this.#clients.push(client);
    await once(client.socket, 'connect');
    return client;
  }

  /** A server, and a connection to it. */
  async serve(listener: RequestListener, options?: ServerOptions): Promise<{ server: FcgiServer; client: Client }> {
    const server = await this.open(listener, options);
    return { server, client: await this.connect(server) };
  }

  async close(): Promise<void> {
    for (const client of this.#clients.splice(0)) client.destroy();
    for (const server of this.#servers.splice(0)) {
      if (!server.listening) continue;
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    }
  }
}

/** Resolves when the assertion holds, of what no event tells. */
export function eventually(assertion: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(assertion, { timeout: 20_000, interval: 5 });
}

/** The codes that the server tells, for its log, of what it refuses. */
export function codesOf(server: FcgiServer): string[] {
  const codes: string[] = [];
  server.on('clientError', (error) => codes.push(error.code));
  return codes;
}

export interface Pair {
  req: IncomingMessage;
  res: ServerResponse;
}

/** A listener that answers nothing, and the requests that came to it, by their url. */
export function held(): { listener: RequestListener; of(url: string): Promise<Pair> } {
  const pairs = new Map<string, Pair>();
  const waiting = new Map<string, (pair: Pair) => void>();
  return {
    listener(req, res) {
      pairs.set(req.url!, { req, res });
      waiting.get(req.url!)?.({ req, res });
    },
    of: (url) =>
      new Promise((resolve) => {
        const pair = pairs.get(url);
        if (pair) resolve(pair);
        else waiting.set(url, resolve);
      }),
  };
}
