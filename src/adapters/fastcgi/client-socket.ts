import type { Answer } from './answer.ts';
import type { Connection } from './connection.ts';
import { nodeError } from './node-errors.ts';
import { ownText } from './pairs.ts';
import type { Params } from './params.ts';
import { UnbuiltSocket } from './unbuilt-socket.ts';

/**
 * What one looks at on a `net.Socket`, of the client's connection to the web server: its ends, as the CGI parameters
 * tell (RFC 3875, section 4.1), and how far the answer is.
 */
export abstract class ClientSocket extends UnbuiltSocket {
  abstract readonly connection: Connection;
  abstract readonly cgi: Params;
  abstract readonly answer: Answer;
  /** The answer is complete. */
  abstract readonly answered: boolean;
  /** All of the answer is on its way. */
  abstract readonly leaving: boolean;

  // As a net.Socket has them.
  destroyed = false;
  closed = false;
  errored: Error | null = null;
  readable = true;
  writable = true;
  writableNeedDrain = false;
  readonly allowHalfOpen = true;
  _hadError = false;
  /** Of node:http's server. */
  _paused = false;

  /** The CGI parameters, as the web server sent them. */
  get params(): Record<string, string> {
    return this.cgi.toObject();
  }

  // Addresses are what one counts by, and keeps.

  get remoteAddress(): string | undefined {
    return ownText(this.cgi.get('REMOTE_ADDR')) || undefined;
  }

  get remotePort(): number | undefined {
    return Number(this.cgi.get('REMOTE_PORT')) || undefined;
  }

  get remoteFamily(): 'IPv4' | 'IPv6' | undefined {
    return familyOf(this.remoteAddress);
  }

  get localAddress(): string | undefined {
    return ownText(this.cgi.get('SERVER_ADDR')) || undefined;
  }

  get localPort(): number | undefined {
    return Number(this.cgi.get('SERVER_PORT')) || undefined;
  }

  get localFamily(): 'IPv4' | 'IPv6' | undefined {
    return familyOf(this.localAddress);
  }

  address(): object {
    const { localAddress: address, localFamily: family, localPort: port } = this;
    return address === undefined ? {} : { address, family, port };
  }

  /** True over HTTPS, else undefined, as with node:https and node:http. */
  get encrypted(): boolean | undefined {
    const https = this.cgi.get('HTTPS').toLowerCase();
    const secure = https === '' ? this.cgi.get('REQUEST_SCHEME') === 'https' : https !== 'off' && https !== '0';
    return secure || undefined;
  }

  /** On a net.Socket it is a property like any other, which middleware and tests set. */
  set encrypted(encrypted: boolean | undefined) {
    Object.defineProperty(this, 'encrypted', { value: encrypted, writable: true, configurable: true });
  }

  get bytesWritten(): number {
    return this.answer.bytesWritten;
  }

  get writableHighWaterMark(): number {
    return this.connection.highWaterMark;
  }

  get readableHighWaterMark(): number {
    return this.connection.highWaterMark;
  }

  /** With all that the web server does not take at the moment: whose that is, cannot be told any more. */
  get writableLength(): number {
    return this.answer.length + this.connection.output.blocked;
  }

  get writableEnded(): boolean {
    return this.answered;
  }

  get writableFinished(): boolean {
    return this.answered && !this.leaving;
  }

  get readyState(): string {
    return this.destroyed ? 'closed' : 'open';
  }

  get connecting(): boolean {
    return false;
  }

  get pending(): boolean {
    return this.destroyed;
  }

  setEncoding(): never {
    const why = 'Changing the socket encoding is not allowed per RFC7230 Section 3.';
    throw nodeError('ERR_HTTP_SOCKET_ENCODING', why);
  }

  /** What comes in is the request's; here there is nothing to read. */
  _read(): void {}

  pause(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

function familyOf(address: string | undefined): 'IPv4' | 'IPv6' | undefined {
  if (address === undefined) return undefined;
  return address.includes(':') ? 'IPv6' : 'IPv4';
}
