import { METHODS } from 'node:http';
import { fcgiError } from '../../core/errors.ts';
import { ownText, PairReader } from './pairs.ts';
import type { Params } from './params.ts';

/**
 * What node:http's parser would have read off the wire, read from the CGI parameters instead (RFC 3875, section 4.1).
 * Only what a request needs to begin is decoded; the rest waits in `params` until somebody looks.
 */
export class Head {
  method = '';
  /** REQUEST_URI: the only URL that every web server passes on as the client wrote it. */
  url = '';
  /** SERVER_PROTOCOL. */
  protocol = 'HTTP/1.1';
  /** Names and values in turn, as in `http.IncomingMessage`. */
  rawHeaders: string[] = [];
  /** In bytes; -1 if the web server did not tell. */
  contentLength = -1;
  /** Whether the body came in chunks, its length unknown to the web server as well. */
  chunked = false;
}

const KNOWN_METHODS = new Set(METHODS);

/** What no URL of a request contains; NUL above all, which ends a path in C. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
const NOT_IN_URL = /[\x00-\x20\x7f]/;

/** @throws FcgiError FCGI_ERR_PARAMS, FCGI_ERR_PARAMS_TOO_MANY, FCGI_ERR_BAD_REQUEST. */
export function readHead(params: Params, maxCount: number): Head {
  const head = new Head();
  const { text } = params;
  const pairs = new PairReader(text, maxCount);
  let contentType = '';
  let contentLength = '';
  let transferEncoding = '';
  while (pairs.next()) {
    const { nameStart, valueStart } = pairs;
    let known = KNOWN[slotOf(text, nameStart, valueStart)];
    if (known === undefined || !pairs.isNamed(known.param)) {
      // The rest of CGI's own parameters waits in `params` until somebody looks.
      if (!text.startsWith('HTTP_', nameStart)) continue;
      known = SPECIAL.get(pairs.name()) ?? learn(pairs.name());
    }
    switch (known.means) {
      case HEADER:
        head.rawHeaders.push(known.header, pairs.value());
        break;
      case REQUEST_METHOD:
        head.method = pairs.value();
        break;
      case REQUEST_URI:
        head.url = pairs.value();
        break;
      case SERVER_PROTOCOL:
        head.protocol = pairs.value();
        break;
      case CONTENT_TYPE:
        contentType = pairs.value();
        break;
      case CONTENT_LENGTH:
        contentLength = pairs.value();
        break;
      case TRANSFER_ENCODING:
        transferEncoding = pairs.value();
    }
  }
  // nginx sends these empty, Caddy a length of -1, where there is none.
  if (contentType !== '') head.rawHeaders.push('Content-Type', contentType);
  if (contentLength !== '') addContentLength(head, contentLength);
  // Some web servers pass it on although they have undone it: then they know the length (FIELD-NOTES: nginx).
  if (transferEncoding !== '' && head.contentLength === -1) addChunked(head, transferEncoding);
  if (head.url === '') head.url = composeUrl(params);
  if (!KNOWN_METHODS.has(head.method))
    throw fcgiError('FCGI_ERR_BAD_REQUEST', 'REQUEST_METHOD is no method known here');
  if (NOT_IN_URL.test(head.url)) throw fcgiError('FCGI_ERR_BAD_REQUEST', 'REQUEST_URI has characters of no URL');
  return head;
}

/** What a parameter is to the head. */
interface Known {
  param: string;
  means: number;
  header: string;
}

const IGNORED = 0;
const HEADER = 1;
const REQUEST_METHOD = 2;
const REQUEST_URI = 3;
const SERVER_PROTOCOL = 4;
const CONTENT_TYPE = 5;
const CONTENT_LENGTH = 6;
const TRANSFER_ENCODING = 7;

/** Parameters by a hash of their names, so that a name is compared, and sliced only the first time it comes. */
const KNOWN: (Known | undefined)[] = new Array(1024).fill(undefined);

function slotOf(text: string, start: number, end: number): number {
  const middle = text.charCodeAt((start + end) >> 1);
  return ((end - start) * 61 + text.charCodeAt(end - 1) * 7 + middle * 131 + text.charCodeAt(end - 3) * 17) & 1023;
}

/** Makes it a request with a body for code that looks for the two headers that announce one. */
export function addChunked(head: Head, transferEncoding = 'chunked'): void {
  head.chunked = true;
  head.rawHeaders.push('Transfer-Encoding', transferEncoding);
}

function addContentLength(head: Head, value: string): void {
  if (!/^\d+$/.test(value)) return;
  head.contentLength = Number(value);
  if (!Number.isSafeInteger(head.contentLength)) throw fcgiError('FCGI_ERR_BAD_REQUEST', 'CONTENT_LENGTH is no length');
  head.rawHeaders.push('Content-Length', value);
}

/** Those that are no plain headers. */
const SPECIAL = new Map<string, Known>();

for (const [param, means] of [
  ['REQUEST_METHOD', REQUEST_METHOD],
  ['REQUEST_URI', REQUEST_URI],
  ['SERVER_PROTOCOL', SERVER_PROTOCOL],
  ['CONTENT_TYPE', CONTENT_TYPE],
  ['CONTENT_LENGTH', CONTENT_LENGTH],
  ['HTTP_TRANSFER_ENCODING', TRANSFER_ENCODING],
  // Meant for the connection to the web server, which has dealt with them.
  ['HTTP_CONNECTION', IGNORED],
  ['HTTP_KEEP_ALIVE', IGNORED],
  ['HTTP_PROXY_CONNECTION', IGNORED],
  ['HTTP_EXPECT', IGNORED],
  // nginx passes these on beside the parameters that count.
  ['HTTP_CONTENT_LENGTH', IGNORED],
  ['HTTP_CONTENT_TYPE', IGNORED],
  // CVE-2016-5385, "httpoxy": no header of that name is wanted, and libraries take it for a setting.
  ['HTTP_PROXY', IGNORED],
] as const) {
  const known = { param, means, header: '' };
  SPECIAL.set(param, known);
  remember(known);
}

/** Of two in one slot, the second pays for being made a string each time. */
function remember(known: Known): void {
  const slot = slotOf(known.param, 0, known.param.length);
  KNOWN[slot] ??= known;
}

function learn(param: string): Known {
  if (!/^HTTP_[A-Z0-9_]+$/.test(param)) return { param, means: IGNORED, header: '' };
  const name = ownText(param);
  const known = { param: name, means: HEADER, header: headerName(name) };
  if (name.length <= 64) remember(known);
  return known;
}

function headerName(param: string): string {
  return param
    .slice(5)
    .split('_')
    .map((word) => word.charAt(0) + word.slice(1).toLowerCase())
    .join('-');
}

/** For the web servers and test programs that send no REQUEST_URI. */
function composeUrl(params: Params): string {
  const query = params.get('QUERY_STRING');
  const path = encodeURI(params.get('SCRIPT_NAME') + params.get('PATH_INFO')).replace(/[?#]/g, encodeURIComponent);
  return `${path.startsWith('/') ? '' : '/'}${path}${query === '' ? '' : `?${query}`}`;
}
