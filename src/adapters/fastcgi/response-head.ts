import { ServerResponse } from 'node:http';
import { SENT } from '../../core/send.ts';
import type { RequestSocket } from './request-socket.ts';

/** What describes the connection to a client, which is the web server's, and `Status`, which this door writes. */
const NOT_PASSED_ON = /\r\n(?:status|connection|keep-alive|proxy-connection|transfer-encoding|trailer):[^\r\n]*/gi;

/** The first line of an HTTP response as CGI has it (RFC 3875, section 6.3.3). */
function statusLine(status: number, statusText: string): string {
  return isInterim(status) ? 'Status: 500 Internal Server Error\r\n' : `Status: ${status} ${statusText}\r\n`;
}

const LOCATION = /\r\nlocation:/i;

/**
 * A head whose status line is behind its headers, if it has a Location: before 3.2, HAProxy makes 302 of any status that
 * comes before it (haproxy/haproxy#2865).
 */
function placeStatus(head: string): string {
  if (!LOCATION.test(head)) return head;
  const end = head.indexOf('\r\n') + 2;
  return `${head.slice(end, -2)}${head.slice(0, end)}\r\n`;
}

/** 100 to 199, which web servers would take for the answer itself; but 101 is one. */
function isInterim(status: number): boolean {
  return status < 200 && status !== 101;
}

/** What of http.ServerResponse is no public API; it has been the same since Node 10. */
interface ResponseInternals extends ServerResponse {
  _header: string;
  _headerSent: boolean;
  _hasBody: boolean;
  _contentLength: number | null;
  _removedConnection: boolean;
  _storeHeader(firstLine: string, headers: unknown): void;
  _finish(): void;
  [SENT]?: unknown;
}

const node = ServerResponse.prototype as ResponseInternals;

/**
 * Has the head of a response made as CGI has it, and its end end the request. Own properties, since frameworks replace
 * the prototype of a response.
 */
export function adaptResponse(res: ServerResponse): void {
  const internals = res as ResponseInternals;
  internals._storeHeader = storeHeader;
  internals._finish = finish;
  // The web server frames the body for its client, whose version of HTTP does not matter here.
  internals.useChunkedEncodingByDefault = true;
}

function storeHeader(this: ResponseInternals, _firstLine: string, headers: unknown): void {
  this._removedConnection = true;
  node._storeHeader.call(this, statusLine(this.statusCode, this.statusMessage), headers);
  // What `sendWhole` gives by itself is nothing of the kind, and to look through a head costs as much as to make it.
  if (headers === undefined || headers !== this[SENT])
    this._header = placeStatus(this._header.replace(NOT_PASSED_ON, ''));
  this.chunkedEncoding = false;
  const length = this._hasBody ? (this._contentLength ?? Number.POSITIVE_INFINITY) : 0;
  // For the time being it may have been detached from it.
  const socket = (this.socket ?? this.req.socket) as unknown as RequestSocket | null;
  socket?.answer?.expectHead(this._header.length, length);
}

/** Whether it has written its head, or does so now: interim answers are no part of it. */
export function hasBegun(res: ServerResponse): boolean {
  return (res as ResponseInternals)._headerSent;
}

function finish(this: ResponseInternals): void {
  node._finish.call(this);
  (this.socket as unknown as RequestSocket | null)?.endAnswer?.();
}

/**
 * The head that begins text written to the socket itself, as `socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')` does;
 * undefined while it is incomplete. Interim answers before it (100 to 199 but for 101), of which FastCGI knows nothing, are left
 * out; what is no HTTP at all becomes a 502.
 */
export function readRawHead(text: string): { head: string; rest: string } | undefined {
  for (let at = 0; ; ) {
    const end = text.indexOf('\r\n\r\n', at);
    if (end === -1) return undefined;
    const headersAt = text.indexOf('\r\n', at);
    const line = /^HTTP\/1\.[01] (\d{3}) ?(.*)$/.exec(text.slice(at, headersAt));
    if (line === null) return { head: 'Status: 502 Bad Gateway\r\n\r\n', rest: '' };
    const headers = text.slice(headersAt, end + 4).replace(NOT_PASSED_ON, '');
    at = end + 4;
    const status = Number(line[1]);
    if (!isInterim(status)) {
      return { head: placeStatus(statusLine(status, line[2]!) + headers.slice(2)), rest: text.slice(at) };
    }
    if (at === text.length) return undefined;
  }
}
