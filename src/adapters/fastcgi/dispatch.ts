import { channel } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Head } from './head.ts';
import { throwLater } from './node-errors.ts';
import { onResponseFinish } from './node-pair.ts';
import type { RequestSocket } from './request-socket.ts';

/** What a request needs of its server to reach the application. */
export interface DispatchServer {
  readonly IncomingMessage: new (socket: never) => IncomingMessage;
  readonly ServerResponse: new (req: never, options?: never) => ServerResponse;
  readonly responseOptions: object;
  readonly joinDuplicateHeaders: boolean | null;
  readonly timeout: number;
  readonly maxHeadersCount: number | null;
  readonly maxRequestsPerSocket: number;
  emit(event: string, ...args: unknown[]): boolean;
}

/** What node:http's server fills in; not in its types. */
interface IncomingInternals extends IncomingMessage {
  upgrade: boolean;
  joinDuplicateHeaders: boolean | null;
  _addHeaderLines(rawHeaders: string[], length: number): void;
}

/** node:http's own, which tools for monitoring subscribe to. */
const started = channel('http.server.request.start');

/** Makes the pair that node:http would make, and hands it to the application. */
export function dispatch(socket: RequestSocket, head: Head): void {
  const { server } = socket;
  const req = new server.IncomingMessage(socket as never) as IncomingInternals;
  req.method = head.method;
  req.url = head.url;
  req.upgrade = false;
  req.joinDuplicateHeaders = server.joinDuplicateHeaders;
  // Not a bare `rawHeaders = …`: the getter of `headers` reads as many as it was told of.
  req._addHeaderLines(head.rawHeaders, head.rawHeaders.length);
  req.httpVersionMajor = 1;
  req.httpVersionMinor = 1;
  // Before the client's own version, which a response would look up headers for: here it frames nothing.
  const res = new server.ServerResponse(req as never, server.responseOptions as never);
  setVersion(req, head.protocol);
  socket.req = req;
  (res as { socket: unknown }).socket = socket;
  socket._httpMessage = res;
  res.on('finish', onResponseFinish);
  if (started.hasSubscribers) started.publish({ request: req, response: res, socket, server });
  if (server.timeout > 0) socket.setTimeout(server.timeout);
  try {
    if (server.maxRequestsPerSocket > 0 && isBeyond(server, socket)) {
      server.emit('dropRequest', req, socket);
      res.writeHead(503).end();
    } else {
      server.emit('request', req, res);
    }
  } catch (error) {
    // As on node:http an uncaught exception; but not inside the parser, where other requests wait.
    throwLater(error);
  }
}

/** Whether its connection has had all requests that it may; with the last of them, it closes. */
function isBeyond({ maxRequestsPerSocket }: DispatchServer, { connection }: RequestSocket): boolean {
  const count = ++connection.requestCount;
  if (count >= maxRequestsPerSocket) connection.close();
  return count > maxRequestsPerSocket;
}

function setVersion(req: IncomingMessage, protocol: string): void {
  if (protocol === 'HTTP/1.1') {
    req.httpVersion = '1.1';
    return;
  }
  const [, major = '1', minor = '0'] = /^HTTP\/(\d)(?:\.(\d))?$/.exec(protocol) ?? ['', '1', '1'];
  req.httpVersionMajor = Number(major);
  req.httpVersionMinor = Number(minor);
  req.httpVersion = `${major}.${minor}`;
}
