import type { Socket } from 'node:net';
import { expect } from 'vitest';
import { FCGI_KEEP_CONN, FCGI_RESPONDER } from '../../src/adapters/fastcgi/constants.ts';
import type { Client, Exchange } from '../adapters/fastcgi/client.ts';
import { type Answer, type Ask, headLines, headOf, methodOf, type Visitor } from './visitor.ts';

/** The same client, seen from behind a web server that passes everything on at once. */
export class FastcgiVisitor implements Visitor {
  readonly client: Client;
  readonly socket: Socket;
  readonly id: number;
  /** Nothing of FastCGI carries them. */
  readonly interim: number[] = [];
  /** Bytes of the announced body that are still to be sent. */
  #left = 0;

  /** @param id Several can share a connection, each with its own. */
  constructor(client: Client, id = 1) {
    this.client = client;
    this.socket = client.socket;
    this.id = id;
  }

  ask(ask: Ask = {}): this {
    const { client, id } = this;
    client.renew(id);
    const params: [string, string | Buffer][] = [
      ['REQUEST_METHOD', methodOf(ask)],
      ['REQUEST_URI', Buffer.from(ask.url ?? '/', 'latin1')],
      ['SERVER_PROTOCOL', `HTTP/${ask.version ?? '1.1'}`],
      // Whose connection it is, the web server tells.
      ['REMOTE_ADDR', this.socket.localAddress ?? ''],
      ['REMOTE_PORT', String(this.socket.localPort ?? '')],
      ['SERVER_ADDR', this.socket.remoteAddress ?? ''],
      ['SERVER_PORT', String(this.socket.remotePort ?? '')],
    ];
    for (const [name, value] of headLines(ask)) params.push([paramOf(name), Buffer.from(value, 'latin1')]);
    client.begin(id, FCGI_RESPONDER, FCGI_KEEP_CONN).params(id, params);
    const { body = '', length, chunked } = ask;
    this.#left = length ?? 0;
    if (body !== '') client.stdin(id, body);
    if (!length && !chunked) client.stdinEnd(id);
    return this;
  }

  write(data: string | Buffer): this {
    this.client.stdin(this.id, data);
    this.#left -= Buffer.byteLength(data);
    // A web server knows by the length where the body ends.
    if (this.#left === 0) this.end();
    return this;
  }

  end(): this {
    this.client.stdinEnd(this.id);
    return this;
  }

  leave(): void {
    this.client.destroy();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  async until(body = ''): Promise<void> {
    const exchange = this.client.exchange(this.id);
    await this.client.until(() => exchange.stdout.includes('\r\n\r\n') && exchange.body.includes(body));
  }

  async answer(): Promise<Answer> {
    const exchange = this.client.exchange(this.id);
    // The end of the connection is one of the answer, too.
    await this.client.until(() => exchange.end !== undefined || this.client.broken).catch(() => {});
    return this.#read(exchange);
  }

  #read({ stdout, end }: Exchange): Answer {
    const [head = '', body = ''] = split(stdout.toString('latin1'));
    const lines = head.split('\r\n');
    const at = lines.findIndex((line) => line.startsWith('Status: '));
    const [status = 'Status: 0'] = at === -1 ? [] : lines.splice(at, 1);
    return { ...headOf(status.slice('Status: '.length), lines), body, whole: end !== undefined };
  }
}

/** Where the web server has another request under way on the same connection, which must not come to harm. */
export const BESIDE = '/beside';

/** One of the clients of a connection that several share. */
export class SharingVisitor extends FastcgiVisitor {
  constructor(client: Client) {
    super(client, 7);
    client.request({ id: 9, params: { REQUEST_URI: BESIDE } });
  }

  /** The other request's answer comes as if nothing had been. */
  async unharmed(): Promise<void> {
    const { text, ends } = await this.client.answer(9);
    expect({ text, ends }).toEqual({ text: 'unharmed', ends: 1 });
  }

  /** The web server says so, and keeps the connection. */
  override leave(): void {
    this.client.abort(this.id);
  }
}

function split(stdout: string): [head: string, body: string] | [] {
  const end = stdout.indexOf('\r\n\r\n');
  return end === -1 ? [] : [stdout.slice(0, end), stdout.slice(end + 4)];
}

function paramOf(name: string): string {
  const param = name.toUpperCase().replaceAll('-', '_');
  return /^CONTENT_(?:TYPE|LENGTH)$/.test(param) ? param : `HTTP_${param}`;
}
