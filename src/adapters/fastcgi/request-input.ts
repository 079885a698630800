import { fcgiError } from '../../core/errors.ts';
import { FCGI_AUTHORIZER, FCGI_FILTER } from './constants.ts';
import { dispatch } from './dispatch.ts';
import { addChunked, type Head, readHead } from './head.ts';
import type { RequestSocket } from './request-socket.ts';

// What comes in for one request, in the order in which it has to come: the parameters; the body, with or before which
// the request begins; for a Filter, its data. Whatever is thrown here is a reason to refuse the request. Chunks are lent:
// what is kept is copied.

export function addParams(request: RequestSocket, chunk: Buffer, start: number, end: number): void {
  if (request.paramsEnded) throw fcgiError('FCGI_ERR_BAD_REQUEST', 'Parameters after their end');
  request.cgi.add(chunk, start, end);
}

export function endParams(request: RequestSocket): void {
  if (request.paramsEnded) return;
  request.paramsEnded = true;
  const head = readHead(request.cgi, request.connection.limits.maxParamsCount);
  checkHeaders(request, head);
  request.head = head;
  checkLength(request, head.contentLength);
  if (request.role === FCGI_AUTHORIZER || head.contentLength === 0) {
    // An Authorizer has no body (section 6.3), and some web servers do not send the end of one; nor does HAProxy, before
    // 3.0, of every empty body (haproxy/haproxy#2499).
    request.stdinEnded = true;
    dispatch(request, head);
    request.endStdin();
  } else if (head.contentLength !== -1 || head.chunked) {
    dispatch(request, head);
  }
  // Otherwise the next record tells whether there is a body.
}

/** @returns Whether somebody may want it. */
export function addStdin(request: RequestSocket, chunk: Buffer): boolean {
  const { head } = request;
  if (head === undefined) throw fcgiError('FCGI_ERR_BAD_REQUEST', 'A body before the end of the parameters');
  if (request.req === undefined) {
    addChunked(head);
    dispatch(request, head);
  }
  if (request.stdinEnded || request.destroyed) return false;
  const { stdin } = request;
  const length = stdin.bytes + chunk.length;
  checkLength(request, length);
  if (head.contentLength !== -1 && length > head.contentLength) {
    throw fcgiError('FCGI_ERR_BODY_OVERRUN', `The body is longer than its ${head.contentLength} bytes`);
  }
  request.onActive();
  stdin.push(Buffer.from(chunk));
  return true;
}

export function endStdin(request: RequestSocket): void {
  if (request.stdinEnded) return;
  request.stdinEnded = true;
  const { head } = request;
  if (head === undefined) {
    throw fcgiError('FCGI_ERR_BAD_REQUEST', 'The end of the body before that of the parameters');
  }
  if (request.req === undefined) {
    dispatch(request, head);
    if (request.destroyed) return;
  }
  if (head.contentLength > 0 && request.stdin.bytes < head.contentLength) {
    throw fcgiError('FCGI_ERR_BODY_UNDERRUN', `The body ended before its ${head.contentLength} bytes`);
  }
  request.endStdin();
}

/** @returns Whether somebody may want it. */
export function addData(request: RequestSocket, chunk: Buffer): boolean {
  if (request.role !== FCGI_FILTER) return false;
  if (request.head === undefined) throw fcgiError('FCGI_ERR_BAD_REQUEST', 'Data before the end of the parameters');
  const { inflow } = request.data;
  if (inflow.ended) return false;
  checkLength(request, inflow.bytes + chunk.length);
  request.onActive();
  inflow.push(Buffer.from(chunk));
  return true;
}

export function endData(request: RequestSocket): void {
  if (request.role !== FCGI_FILTER) return;
  if (request.head === undefined) throw fcgiError('FCGI_ERR_BAD_REQUEST', 'Data before the end of the parameters');
  request.data.end();
}

/** As node:http does from Node 22 on. */
function checkHeaders({ server }: RequestSocket, { rawHeaders }: Head): void {
  const { maxHeadersCount } = server;
  if (maxHeadersCount && rawHeaders.length > 2 * maxHeadersCount) {
    throw fcgiError('FCGI_ERR_PARAMS_TOO_MANY', `There are more than ${maxHeadersCount} headers`);
  }
}

function checkLength(request: RequestSocket, length: number): void {
  const { maxBodyBytes } = request.connection.limits;
  if (length > maxBodyBytes) {
    throw fcgiError('FCGI_ERR_BODY_TOO_LARGE', `The body has more than ${maxBodyBytes} bytes`);
  }
}
