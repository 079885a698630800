import { validateHeaderName, validateHeaderValue } from 'node:http';
import { fcgiError } from './errors.ts';

type Header = [name: string, value: string];

/** The head of a CGI answer (RFC 3875, section 6.3). */
export interface CgiHead {
  /** 200 to 999. Without a Status: 302 where there is a Location, else 200. */
  status: number;
  /** The reason phrase, or an empty string. */
  message: string;
  /** All of them, as they came. */
  headers: Header[];
  /** The last Location. */
  location: string | undefined;
  /** Content-Length. */
  length: number | undefined;
}

/** Where the head ends. */
const EMPTY_LINE = /\r?\n\r?\n/;

/** Gathers the head of a CGI answer, whose lines end with LF or CRLF, from output that comes in pieces. */
export class CgiHeadReader {
  /** What has come, in bytes. */
  bytes = 0;
  /** Its lines, once it has come whole. */
  lines: string[] = [];

  readonly #maxBytes: number;
  #pieces: Buffer[] = [];
  /** The last of it, where an empty line may have begun. */
  #tail = '';

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Gives what follows the head, or undefined if that is not all there.
   *
   * @throws FcgiError FCGI_ERR_CGI_OUTPUT: it is longer than `maxBytes`.
   */
  read(chunk: Buffer): Buffer | undefined {
    const most = this.#maxBytes + '\r\n\r\n'.length;
    this.#pieces.push(chunk);
    this.bytes += chunk.length;
    const recent = this.#tail + chunk.toString('latin1', 0, most);
    this.#tail = recent.slice(-3);
    if (!EMPTY_LINE.test(recent) && this.bytes < most) return undefined;

    const bytes = this.#pieces.length === 1 ? chunk : Buffer.concat(this.#pieces);
    const text = this.#pieces.length === 1 ? recent : bytes.toString('latin1', 0, most);
    const end = EMPTY_LINE.exec(text);
    if (end === null || end.index > this.#maxBytes) {
      throw fcgiError('FCGI_ERR_CGI_OUTPUT', `The head is longer than ${this.#maxBytes} bytes`);
    }
    this.#pieces = [];
    this.lines = text.slice(0, end.index).split(/\r?\n/);
    return bytes.subarray(end.index + end[0].length);
  }
}

/**
 * Reads the lines of a head.
 *
 * @param nph They begin with a status line of HTTP (section 5).
 * @throws FcgiError FCGI_ERR_CGI_OUTPUT
 */
export function parseCgiHead(lines: readonly string[], nph = false): CgiHead {
  const statusLine = nph ? /^HTTP\/\d(?:\.\d)? +(\d{3}.*)$/.exec(lines[0]!)?.[1] : undefined;
  if (nph && statusLine === undefined) throw malformed('there is no status line');
  const headers: Header[] = [];
  let status = statusLine;
  let location: string | undefined;
  const lengths: string[] = [];
  for (let i = nph ? 1 : 0; i < lines.length; i++) {
    const header = parseHeader(lines[i]!);
    const [name, value] = header;
    headers.push(header);
    switch (name.toLowerCase()) {
      case 'status':
        if (!nph) status = value;
        break;
      case 'location':
        location = value;
        break;
      case 'content-length':
        lengths.push(value);
        break;
      case 'transfer-encoding':
        if (nph) throw malformed('its Transfer-Encoding would have to be undone');
    }
  }
  const [code, message] = parseStatus(status ?? (location === undefined ? '200' : '302'));
  return { status: code, message, headers, location, length: parseLength(lengths) };
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
