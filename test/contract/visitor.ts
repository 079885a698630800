import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** What a client asks for. Of a body that does not come with it, the head tells as much as `length` or `chunked` say. */
export interface Ask {
  method?: string;
  url?: string;
  version?: '1.0' | '1.1';
  /** Null for none. */
  host?: null;
  headers?: [name: string, value: string][];
  /** Sent with the head. */
  body?: string;
  /** Bytes of a body that is sent piece by piece. */
  length?: number;
  /** The body is sent piece by piece, its length unknown. */
  chunked?: boolean;
}

export interface Answer {
  status: number;
  statusMessage: string;
  /** The lines of the head in their order, without those that describe a connection; a date's value is left out. */
  headers: string[];
  /** One character a byte. */
  body: string;
  /** Whether the client can tell that it got all of it. */
  whole: boolean;
}

/** A client, step by step. */
export interface Visitor {
  /** Sends the head, and the body if there is one in it. */
  ask(ask?: Ask): this;
  /** A piece of the body. */
  write(data: string | Buffer): this;
  /** The end of a chunked body, and such trailers as the way carries. */
  end(trailers?: string[]): this;
  /** Closes the connection. */
  leave(): void;
  /** Waits until so much of the answer's body has come; with nothing, for the head. */
  until(body?: string): Promise<void>;
  /** Waits for the end of the answer, or for that of the connection. */
  answer(): Promise<Answer>;
  /** Reads nothing, until it is told to go on. */
  pause(): void;
  resume(): void;
  /** The statuses that came before the final one. */
  readonly interim: number[];
  readonly socket: Socket;
}

const CONNECTION = /^(?:connection|keep-alive|transfer-encoding):/i;

export function headOf(status: string, lines: string[]): Omit<Answer, 'body' | 'whole'> {
  const [code = '', ...reason] = status.split(' ');
  const headers = lines
    .filter((line) => line !== '' && !CONNECTION.test(line))
    .map((line) => line.replace(/^(date: ).*/i, '$1…'));
  return { status: Number(code), statusMessage: reason.join(' '), headers };
}

export function headLines(ask: Ask): [name: string, value: string][] {
  const { headers = [], body, length = body === undefined ? undefined : Buffer.byteLength(body), chunked } = ask;
  const lines: [string, string][] = [...headers];
  if (ask.host !== null) lines.unshift(['Host', 'site.test']);
  if (length !== undefined) lines.push(['Content-Length', String(length)]);
  if (chunked) lines.push(['Transfer-Encoding', 'chunked']);
  return lines;
}

export function methodOf({ method, body, length, chunked }: Ask): string {
  return method ?? (body === undefined && length === undefined && !chunked ? 'GET' : 'POST');
}

/** Who speaks HTTP/1.1, to node:http or to a web server. */
export class HttpVisitor implements Visitor {
  readonly socket: Socket;
  readonly interim: number[] = [];
  #asked: Ask = {};
  #bytes = '';
  #waiting = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      this.#bytes += chunk.toString('latin1');
      this.#look();
    });
    socket.on('close', () => this.#look());
  }

  #look(): void {
    for (const look of this.#waiting) look();
  }

  static async connect(port: number): Promise<HttpVisitor> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new HttpVisitor(socket);
  }

  ask(ask: Ask = {}): this {
    this.#asked = ask;
    this.#bytes = '';
    const lines = headLines(ask).map((line) => `${line.join(': ')}\r\n`);
    const first = `${methodOf(ask)} ${ask.url ?? '/'} HTTP/${ask.version ?? '1.1'}\r\n`;
    this.socket.write(`${first}${lines.join('')}\r\n${ask.body ?? ''}`, 'latin1');
    return this;
  }

  write(data: string | Buffer): this {
    const text = data.toString('latin1');
    this.socket.write(this.#asked.chunked ? `${text.length.toString(16)}\r\n${text}\r\n` : text, 'latin1');
    return this;
  }

  end(trailers: string[] = []): this {
    this.socket.write(['0', ...trailers, '', ''].join('\r\n'));
    return this;
  }

  leave(): void {
    this.socket.destroy();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  async until(body = ''): Promise<void> {
    await this.#come(() => this.#read()?.body.includes(body) === true);
  }

  async answer(): Promise<Answer> {
    await this.#come(() => this.#read()?.whole === true);
    return this.#read() ?? { ...headOf('0', []), body: this.#bytes, whole: false };
  }

  /** Resolves when it is true, or when nothing more comes. */
  #come(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!isSo() && !this.socket.closed) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  #read(): Answer | undefined {
    const end = this.#bytes.indexOf('\r\n\r\n');
    if (end === -1) return undefined;
    const [first = '', ...lines] = this.#bytes.slice(0, end).split('\r\n');
    const head = headOf(first.slice('HTTP/1.1 '.length), lines);
    const rest = this.#bytes.slice(end + 4);
    if (head.status < 200 && head.status !== 101) {
      this.interim.push(head.status);
      this.#bytes = rest;
      return this.#read();
    }
    const length = lines.map((line) => /^content-length: *(\d+)/i.exec(line)?.[1]).find(Boolean);
    const bodiless = this.#asked.method === 'HEAD' || [101, 204, 304].includes(head.status);
    if (bodiless) return { ...head, body: rest, whole: true };
    if (lines.some((line) => /^transfer-encoding: *chunked/i.test(line))) return { ...head, ...dechunk(rest) };
    if (length === undefined) return { ...head, body: rest, whole: this.socket.readableEnded };
    return { ...head, body: rest, whole: rest.length >= Number(length) };
  }
}

function dechunk(bytes: string): { body: string; whole: boolean } {
  let body = '';
  for (let at = 0; ; ) {
    const line = bytes.indexOf('\r\n', at);
    if (line === -1) return { body, whole: false };
    const size = Number.parseInt(bytes.slice(at, line), 16);
    if (size === 0) return { body, whole: bytes.endsWith('\r\n\r\n') };
    body += bytes.slice(line + 2, line + 2 + size);
    at = line + 2 + size + 2;
  }
}
