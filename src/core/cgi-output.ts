import { type ServerResponse, STATUS_CODES } from 'node:http';
import { Writable } from 'node:stream';
import { CgiHeadReader, parseCgiHead } from './cgi-head.ts';
import { setCgiHeaders } from './cgi-headers.ts';
import { onDrain } from './drain.ts';
import { fcgiError } from './errors.ts';

export interface CgiOutputOptions {
  /** Most bytes of the head. Default 65536. */
  maxHeadBytes?: number;
  /** The output begins with a status line of HTTP (RFC 3875, section 5). Default false. */
  nph?: boolean;
  /**
   * Has a local redirect (section 6.2.2), a path with a query, answered in the place of this output. Default: the client
   * gets it as a redirect.
   */
  onLocalRedirect?: (location: string) => void;
}

/** A path without a fragment, which only the client could keep; `//host` means another server to whoever writes it. */
const LOCAL = /^\/(?!\/)[^#]*$/;

/**
 * The stdout of a CGI program (RFC 3875, section 6): a head with `Content-Type`, `Status` or `Location`, its lines ended
 * by LF or CRLF, an empty line, and a body. They become the answer, as they come.
 *
 * Fails with FCGI_ERR_CGI_OUTPUT where the head is none; the answer has not begun then, and has no header of it. What is
 * written to an answer that was begun otherwise, or whose client has gone, is dropped.
 */
export class CgiOutput extends Writable {
  /** The file descriptor that it stands for. */
  readonly fd = 1;

  readonly #res: ServerResponse;
  readonly #nph: boolean;
  readonly #onLocalRedirect: CgiOutputOptions['onLocalRedirect'];
  #part: 'head' | 'body' | 'dropped' = 'head';
  readonly #head: CgiHeadReader;
  /** Bytes of the body that its Content-Length leaves. */
  #left = Number.POSITIVE_INFINITY;

  constructor(res: ServerResponse, options: CgiOutputOptions = {}) {
    super({ decodeStrings: true });
    this.#res = res;
    this.#head = new CgiHeadReader(options.maxHeadBytes ?? 65536);
    this.#nph = options.nph ?? false;
    this.#onLocalRedirect = options.onLocalRedirect;
  }

  /** Whether anything was written to it. */
  get begun(): boolean {
    return this.#part !== 'head' || this.#head.bytes > 0 || this.writableLength > 0 || this.errored !== null;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    if (this.#part !== 'head') {
      this.#writeBody(chunk, callback);
      return;
    }
    if (this.#res.headersSent || this.#res.destroyed) {
      this.#part = 'dropped';
      callback();
      return;
    }
    try {
      const body = this.#head.read(chunk);
      if (body === undefined) {
        callback();
        return;
      }
      this.#begin();
      this.#writeBody(body, callback);
    } catch (error) {
      callback(error as Error);
    }
  }

  override _final(callback: (error?: Error | null) => void): void {
    const res = this.#res;
    if (this.#part === 'head' && !res.headersSent && !res.destroyed) {
      const lacks = this.#head.bytes === 0 ? 'anything' : 'the empty line behind the head';
      callback(fcgiError('FCGI_ERR_CGI_OUTPUT', `The output ended before ${lacks}`));
      return;
    }
    if (this.#part === 'body' && !res.destroyed && !res.writableEnded) {
      // An answer that is shorter than it said must not look whole.
      if (this.#left > 0 && this.#left < Number.POSITIVE_INFINITY) res.destroy();
      else res.end();
    }
    callback();
  }

  #begin(): void {
    const res = this.#res;
    const { status, message, headers, location, length } = parseCgiHead(this.#head.lines, this.#nph);
    if (location !== undefined && LOCAL.test(location) && headers.length === 1 && this.#onLocalRedirect && !this.#nph) {
      this.#part = 'dropped';
      this.#onLocalRedirect(location);
      return;
    }

    this.#part = 'body';
    setCgiHeaders(res, headers, status);
    const bodiless = res.req.method === 'HEAD' || status === 204 || status === 304;
    if (length !== undefined || bodiless) this.#left = bodiless ? 0 : length!;
    res.writeHead(status, message || STATUS_CODES[status]);
    if (this.#left === 0) res.end();
  }

  #writeBody(chunk: Buffer, callback: () => void): void {
    const res = this.#res;
    const bytes = chunk.length > this.#left ? chunk.subarray(0, this.#left) : chunk;
    this.#left -= bytes.length;
    const dropped = this.#part === 'dropped' || res.destroyed || res.writableEnded;
    // The client has all of it then, however long the output goes on.
    if (!dropped && this.#left === 0) res.end(bytes);
    else if (!dropped && bytes.length > 0 && !res.write(bytes)) {
      onDrain(res, callback);
      return;
    }
    callback();
  }
}
