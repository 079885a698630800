import type { Answer } from './answer.ts';
import type { Connection } from './connection.ts';
import type { Params } from './params.ts';
import { UnbuiltDuplex } from './unbuilt-duplex.ts';

/**
 * What one looks at on a `net.Socket`, of the client's connection to the web server: its ends, as the CGI parameters
 * tell (RFC 3875, section 4.1), and how far the answer is.
 */
export abstract class ClientSocket extends UnbuiltDuplex {
  abstract readonly connection: Connection;
  abstract readonly cgi: Params;
  abstract readonly answer: Answer;
  /** The end of the answer is on its way to the web server, or will never come. */
  abstract readonly ended: boolean;
  abstract readonly destroyed: boolean;

  /** The CGI parameters, as the web server sent them. */
  get params(): Record<string, string> {
    return this.cgi.toObject();
  }

  get remoteAddress(): string | undefined {
    return this.cgi.get('REMOTE_ADDR') || undefined;
  }

  get remotePort(): number | undefined {
    return Number(this.cgi.get('REMOTE_PORT')) || undefined;
  }

  get remoteFamily(): 'IPv4' | 'IPv6' | undefined {
    return familyOf(this.remoteAddress);
  }

  get localAddress(): string | undefined {
    return this.cgi.get('SERVER_ADDR') || undefined;
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

  get writableLength(): number {
    return this.answer.length;
  }

  get writableEnded(): boolean {
    return this.ended;
  }

  get writableFinished(): boolean {
    return this.ended;
  }

  get readyState(): string {
    return this.destroyed ? 'closed' : 'open';
  }

  get connecting(): boolean {
    return false;
  }

  get pending(): boolean {
    return false;
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
