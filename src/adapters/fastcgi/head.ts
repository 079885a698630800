import { METHODS } from 'node:http';
import { fcgiError } from '../../core/errors.ts';
import { PairReader } from './pairs.ts';
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
  const { bytes } = params;
  const pairs = new PairReader(bytes, params.start, params.end, maxCount);
  let contentType = '';
  let contentLength = '';
  let transferEncoding = '';
  while (pairs.next()) {
    const name = pairs.nameStart;
    // The names that matter are told by length and first letters; most others are never made a string.
    switch (pairs.valueStart - name) {
      case 11:
        if (bytes[name + 2] === Q && pairs.name() === 'REQUEST_URI') head.url = pairs.value();
        else if (bytes[name] === H) addHeader(head, pairs);
        break;
      case 12:
        if (bytes[name] === C && pairs.name() === 'CONTENT_TYPE') contentType = pairs.value();
        else if (bytes[name] === H) addHeader(head, pairs);
        break;
      case 14:
        if (bytes[name] === R && pairs.name() === 'REQUEST_METHOD') head.method = pairs.value();
        else if (bytes[name] === C && pairs.name() === 'CONTENT_LENGTH') contentLength = pairs.value();
        else if (bytes[name] === H) addHeader(head, pairs);
        break;
      case 15:
        if (bytes[name] === S && pairs.name() === 'SERVER_PROTOCOL') head.protocol = pairs.value();
        else if (bytes[name] === H) addHeader(head, pairs);
        break;
      case 22:
        if (bytes[name] === H && pairs.name() === 'HTTP_TRANSFER_ENCODING') transferEncoding = pairs.value();
        else if (bytes[name] === H) addHeader(head, pairs);
        break;
      default:
        if (bytes[name] === H) addHeader(head, pairs);
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

const C = 0x43;
const H = 0x48;
const Q = 0x51;
const R = 0x52;
const S = 0x53;

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

function addHeader(head: Head, pairs: PairReader): void {
  const param = pairs.name();
  let name = HEADER_NAMES.get(param);
  if (name === undefined) name = learnHeaderName(param);
  if (name !== '') head.rawHeaders.push(name, pairs.value());
}

/** From `HTTP_ACCEPT` to `Accept`; to `''` for what is not passed on. */
const HEADER_NAMES = new Map<string, string>();

for (const name of [
  // Meant for the connection to the web server, which has dealt with them.
  'HTTP_CONNECTION',
  'HTTP_KEEP_ALIVE',
  'HTTP_PROXY_CONNECTION',
  'HTTP_EXPECT',
  // nginx passes these on beside the parameters that count.
  'HTTP_CONTENT_LENGTH',
  'HTTP_CONTENT_TYPE',
  // CVE-2016-5385, "httpoxy": no header of that name is wanted, and libraries take it for a setting.
  'HTTP_PROXY',
]) {
  HEADER_NAMES.set(name, '');
}

/** So many names are remembered; a client that makes up others only costs the work. */
const MAX_HEADER_NAMES = 1000;

function learnHeaderName(param: string): string {
  const name = /^HTTP_[A-Z0-9_]+$/.test(param) ? headerName(param) : '';
  if (HEADER_NAMES.size < MAX_HEADER_NAMES && param.length <= 64) {
    // A copy: the slice would keep the whole of this request's parameters.
    HEADER_NAMES.set(Buffer.from(param, 'latin1').toString('latin1'), name);
  }
  return name;
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
