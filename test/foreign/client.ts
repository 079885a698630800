import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { expect } from 'vitest';

export interface Heard {
  status: number | undefined;
  statusMessage: string | undefined;
  headers: Record<string, string[]>;
  /** One character a byte. */
  body: string;
}

interface Ask {
  method?: string;
  headers?: Record<string, string | string[]>;
  body?: string | Buffer;
  /** Sends the body without a Content-Length. */
  chunked?: boolean;
}

/** What the web server adds, takes out or decides, not the application; how a body is framed among it. */
const NOT_THE_APPS = new Set(['server', 'date', 'connection', 'keep-alive', 'transfer-encoding', 'x-accel-buffering']);

/** A browser of sorts: it keeps cookies, and all that it hears is compared between the doors. */
export class Client {
  readonly heard: unknown[] = [];
  readonly port: number;
  /** What the application has logged. */
  readonly log: string[];
  readonly cookies = new Map<string, string>();

  constructor(port: number, log: string[]) {
    this.port = port;
    this.log = log;
  }

  /** An answer whose head has come, to be read by the test. */
  async open(path: string, { method = 'GET', headers = {}, body, chunked }: Ask = {}): Promise<IncomingMessage> {
    const bytes = Buffer.from(body ?? '');
    // Kept alive as by a browser: told to close, node:http and its like do not wait for the rest of a body.
    const all: Ask['headers'] = { Host: 'site.test:8443', Connection: 'keep-alive' };
    if (this.cookies.size > 0) all.Cookie = [...this.cookies].map((pair) => pair.join('=')).join('; ');
    if (body !== undefined)
      Object.assign(all, chunked ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': bytes.length });
    Object.assign(all, headers);
    const req = request({ host: '127.0.0.1', port: this.port, path, method, headers: all, agent: false });
    const answered = once(req, 'response');
    // A server that has answered may refuse the rest of the body: not an error then, and one of `answered` before.
    pipeline(Readable.from(pieces(bytes)), req).catch(() => {});
    const [res] = await answered;
    req.on('error', () => {});
    this.#keepCookies(res.headers['set-cookie']);
    return res;
  }

  async ask(path: string, options: Ask = {}): Promise<Heard> {
    const res = await this.open(path, options);
    const body = (await buffer(res)).toString('latin1');
    // Where an answer came before the request was all sent, node:http would keep the connection, and send no more.
    res.socket?.destroy();
    const { statusCode: status, statusMessage } = res;
    const answer = { status, statusMessage, headers: headersOf(res), body };
    this.note({ asked: `${options.method ?? 'GET'} ${path}`, ...answer });
    return answer;
  }

  /** Asks, and says what came in one line, as `200 hello`. */
  async say(path: string, options?: Ask): Promise<string> {
    const { status, body } = await this.ask(path, options);
    return `${status} ${body}`;
  }

  /** Posts a form, or an object as JSON. */
  post(path: string, body: object | string, headers: Record<string, string> = {}): Promise<Heard> {
    const form = typeof body === 'string';
    const type = form ? 'application/x-www-form-urlencoded' : 'application/json';
    const sent = form ? body : JSON.stringify(body);
    return this.ask(path, { method: 'POST', body: sent, headers: { 'Content-Type': type, ...headers } });
  }

  note(said: unknown): void {
    this.heard.push(said);
  }

  /** What the application logs once it is done with an answer, which the client may have before. */
  async logged(lines: number): Promise<string[]> {
    await expect.poll(() => this.log.length).toBe(lines);
    return this.log;
  }

  #keepCookies(lines: string[] = []): void {
    for (const line of lines) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      const expires = /;\s*expires=([^;]+)/i.exec(line)?.[1];
      if (value === '' || (expires && Date.parse(expires) < Date.now())) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
  }
}

export function headersOf(res: IncomingMessage): Heard['headers'] {
  const entries = Object.entries(res.headersDistinct) as [string, string[]][];
  return Object.fromEntries(entries.filter(([name]) => !NOT_THE_APPS.has(name)));
}

/** In chunks as a file's stream has them, so that the socket's backpressure is felt. */
function* pieces(bytes: Buffer) {
  for (let at = 0; at < bytes.length; at += 65536) yield bytes.subarray(at, at + 65536);
}

/** Reads until the text has come as the last that is there for now; throws if the stream ends before. */
export async function until(stream: Readable, text: string): Promise<void> {
  let got = '';
  while (!got.endsWith(text)) {
    const chunk = stream.read();
    if (chunk !== null) got += chunk;
    else if (stream.readableEnded || stream.destroyed) throw new Error(`ended before '${text}': ${got}`);
    else await Promise.race([once(stream, 'readable'), once(stream, 'end')]);
  }
}
