import { type ServerResponse, STATUS_CODES, validateHeaderName, validateHeaderValue } from 'node:http';
import { Writable } from 'node:stream';
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

type Header = [name: string, value: string];

/** Where the head ends. */
const EMPTY_LINE = /\r?\n\r?\n/;

/** These describe the connection to the client, of which a program knows nothing (section 6.3.4). */
const NOT_ITS_OWN = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'trailer',
  'upgrade',
]);

/** Of these the last one counts (section 6.3 allows but one). */
const ONCE = new Set(['content-type', 'content-length', 'location', 'status']);

/** The program's come beside what middleware has set; any other header takes the place of that. */
const ADDED = new Set(['set-cookie', 'vary']);

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
  readonly #maxHeadBytes: number;
  readonly #nph: boolean;
  readonly #onLocalRedirect: CgiOutputOptions['onLocalRedirect'];
  #part: 'head' | 'body' | 'dropped' = 'head';
  /** What has come of the head. */
  #head: Buffer[] = [];
  #headBytes = 0;
  /** The last of it, where an empty line may have begun. */
  #tail = '';
  /** Bytes of the body that its Content-Length leaves. */
  #left = Number.POSITIVE_INFINITY;

  constructor(res: ServerResponse, options: CgiOutputOptions = {}) {
    super({ decodeStrings: true });
    this.#res = res;
    this.#maxHeadBytes = options.maxHeadBytes ?? 65536;
    this.#nph = options.nph ?? false;
    this.#onLocalRedirect = options.onLocalRedirect;
  }

  /** Whether anything was written to it. */
  get begun(): boolean {
    return this.#part !== 'head' || this.#headBytes > 0 || this.writableLength > 0 || this.errored !== null;
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
      const body = this.#readHead(chunk);
      if (body === undefined) callback();
      else this.#writeBody(body, callback);
    } catch (error) {
      callback(error as Error);
    }
  }

  override _final(callback: (error?: Error | null) => void): void {
    const res = this.#res;
    if (this.#part === 'head' && !res.headersSent && !res.destroyed) {
      const lacks = this.#headBytes === 0 ? 'anything' : 'the empty line behind the head';
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

  /** Gives what follows the head, or undefined if that is not all there. */
  #readHead(chunk: Buffer): Buffer | undefined {
    const most = this.#maxHeadBytes + '\r\n\r\n'.length;
    this.#head.push(chunk);
    this.#headBytes += chunk.length;
    const recent = this.#tail + chunk.toString('latin1', 0, most);
    this.#tail = recent.slice(-3);
    if (!EMPTY_LINE.test(recent) && this.#headBytes < most) return undefined;

    const bytes = Buffer.concat(this.#head);
    const text = bytes.toString('latin1', 0, most);
    const end = EMPTY_LINE.exec(text);
    if (end === null || end.index > this.#maxHeadBytes) {
      throw fcgiError('FCGI_ERR_CGI_OUTPUT', `The head is longer than ${this.#maxHeadBytes} bytes`);
    }
    this.#head = [];
    this.#begin(text.slice(0, end.index).split(/\r?\n/));
    return bytes.subarray(end.index + end[0].length);
  }

  #begin(lines: string[]): void {
    const res = this.#res;
    const statusLine = this.#nph ? /^HTTP\/\d(?:\.\d)? +(\d{3}.*)$/.exec(lines.shift()!)?.[1] : undefined;
    if (this.#nph && statusLine === undefined) throw malformed('there is no status line');
    const headers = lines.map(parseHeader);
    const location = valuesOf(headers, 'location').at(-1);
    if (location !== undefined && LOCAL.test(location) && headers.length === 1 && this.#onLocalRedirect && !this.#nph) {
      this.#part = 'dropped';
      this.#onLocalRedirect(location);
      return;
    }
    const status = statusLine ?? valuesOf(headers, 'status').at(-1) ?? (location === undefined ? '200' : '302');
    const [code, message] = parseStatus(status);
    const length = parseLength(valuesOf(headers, 'content-length'));
    if (this.#nph && valuesOf(headers, 'transfer-encoding').length > 0) {
      throw malformed('its Transfer-Encoding would have to be undone');
    }

    this.#part = 'body';
    const own = new Set<string>();
    for (const [name, value] of headers) {
      const key = name.toLowerCase();
      if (key === 'status' || NOT_ITS_OWN.has(key) || (key === 'content-length' && code === 204)) continue;
      if (ONCE.has(key) || !(own.has(key) || ADDED.has(key))) res.setHeader(name, value);
      else res.appendHeader(name, value);
      own.add(key);
    }
    const bodiless = res.req.method === 'HEAD' || code === 204 || code === 304;
    if (length !== undefined || bodiless) this.#left = bodiless ? 0 : length!;
    res.writeHead(code, message || STATUS_CODES[code]);
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
      this.#waitForDrain(callback);
      return;
    }
    callback();
  }

  #waitForDrain(callback: () => void): void {
    const res = this.#res;
    const go = () => {
      res.off('drain', go);
      res.off('close', go);
      callback();
    };
    res.on('drain', go);
    res.on('close', go);
  }
}

function parseHeader(line: string): Header {
  const colon = line.indexOf(':');
  if (colon === -1) throw malformed(`'${line.slice(0, 80)}' is no header`);
  const header: Header = [line.slice(0, colon), trimBlanks(line.slice(colon + 1))];
  try {
    validateHeaderName(header[0]);
    validateHeaderValue(...header);
  } catch (cause) {
    throw malformed(`'${line.slice(0, 80)}' is no header`, cause);
  }
  return header;
}

/** Not trim(), which would take some bytes of UTF-8 for spaces. */
function trimBlanks(value: string): string {
  let start = 0;
  let end = value.length;
  while (isBlank(value[start])) start++;
  while (end > start && isBlank(value[end - 1])) end--;
  return value.slice(start, end);
}

function isBlank(char: string | undefined): boolean {
  return char === ' ' || char === '\t';
}

function valuesOf(headers: readonly Header[], name: string): string[] {
  return headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
}

/** `404 Not Found`, or `404` alone. Interim answers are the web server's business. */
function parseStatus(status: string): [code: number, message: string] {
  const [, code = '', message = ''] = /^([2-9]\d\d)(?:[ \t]+([\t\x20-\x7e\x80-\xff]*))?$/.exec(status) ?? [];
  if (code === '') throw malformed(`'${status.slice(0, 80)}' is no status`);
  return [Number(code), message];
}

function parseLength(lengths: string[]): number | undefined {
  if (lengths.length === 0) return undefined;
  const [length] = lengths;
  if (!/^\d{1,15}$/.test(length) || lengths.some((other) => other !== length)) {
    throw malformed(`Content-Length: ${lengths.join(', ').slice(0, 80)}`);
  }
  return Number(length);
}

function malformed(why: string, cause?: unknown) {
  return fcgiError('FCGI_ERR_CGI_OUTPUT', `The output does not begin as CGI's does: ${why}`, cause);
}
