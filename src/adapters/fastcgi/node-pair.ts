import { channel } from 'node:diagnostics_channel';
import { IncomingMessage, type ServerResponse } from 'node:http';
import type { RequestSocket } from './request-socket.ts';

// What node:http's server does to its requests and responses and no public method does. The names have been the same
// since Node 10; tests hold them on every version that this package supports.

interface ResponseInternals extends ServerResponse {
  outputData: { data: string; encoding: string; callback: null }[];
  _closed: boolean;
  _eventsCount: number;
  _flush(): void;
}

interface RequestInternals extends IncomingMessage {
  _consuming: boolean;
  _eventsCount: number;
  _dumped: boolean;
  _readableState: Record<'resumeScheduled' | 'ended' | 'endEmitted' | 'destroyed' | 'closed' | 'closeEmitted', boolean>;
  _dump(): void;
}

/** node:http's own, which tools for monitoring subscribe to. */
const finished = channel('http.server.response.finish');

/** Takes `req.signal` off the socket, which closes here behind every answer; from Node 24 on. */
const detachSignal = Object.getOwnPropertySymbols(IncomingMessage.prototype).find(
  ({ description }) => description === 'kDetachAbortSignal',
);

/** The first listener of a response's 'finish': the socket is no longer its own. */
export function onResponseFinish(this: ServerResponse): void {
  const socket = this.socket as unknown as RequestSocket | null;
  if (socket === null) return;
  const { req, server } = socket;
  if (finished.hasSubscribers) finished.publish({ request: req, response: this, socket, server });
  if (detachSignal !== undefined) (req as unknown as Record<symbol, () => void>)[detachSignal]();
  socket._httpMessage = null;
  (this as { socket: unknown }).socket = null;
  // Whoever hears of this end may listen to the request's from now on.
  if (isHeard(this) && !req!.destroyed && !isRead(req!)) dump(req!);
}

/** Whether somebody beside `onResponseFinish` listens to the response. */
function isHeard(res: ServerResponse): boolean {
  return (res as ResponseInternals)._eventsCount > 1 || res.listenerCount('finish') > 1;
}

/** There is room again for what the response has to write. */
export function drainResponse(res: ServerResponse): void {
  const response = res as ResponseInternals;
  if (response.finished) return;
  // Something that the socket takes at once: with it, Node takes the response for drained.
  response.outputData.push({ data: '', encoding: 'latin1', callback: null });
  response._flush();
}

export function closeResponse(res: ServerResponse): void {
  const response = res as ResponseInternals;
  if (response._closed) return;
  response.destroyed = true;
  response._closed = true;
  response.emit('close');
}

/** Whether somebody has begun to read the body. */
export function isRead(req: IncomingMessage): boolean {
  const { _consuming, _readableState } = req as RequestInternals;
  return _consuming || _readableState.resumeScheduled;
}

/** Whether nobody can tell how it ends, other than by looking at it afterwards. */
export function isUnheard(req: IncomingMessage): boolean {
  return (req as RequestInternals)._eventsCount === 0 && !isRead(req) && req.readableLength === 0;
}

/** Lets a body that nobody reads run dry. */
export function dump(req: IncomingMessage): void {
  (req as RequestInternals)._dump();
}

/** Whether nobody read the body when the response had finished. */
export function isDumped(req: IncomingMessage): boolean {
  return (req as RequestInternals)._dumped;
}

/** What `dump` makes of a request in four ticks and with two events, 'end' and 'close', which here nobody hears. */
export function closeUnheard(req: IncomingMessage): void {
  const request = req as RequestInternals;
  const state = request._readableState;
  request._dumped = true;
  request.complete = true;
  state.ended = true;
  state.endEmitted = true;
  state.destroyed = true;
  state.closed = true;
  state.closeEmitted = true;
}
