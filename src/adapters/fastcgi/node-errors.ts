import type { WriteCallback } from './output.ts';
import type { RequestSocket } from './request-socket.ts';

// What node:http and Node's streams tell the application, which looks at the code.

export function nodeError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** With this, Node's streams call back where something destroyed was asked for more. */
export function destroyedError(method: string): Error {
  return nodeError('ERR_STREAM_DESTROYED', `Cannot call ${method} after a stream was destroyed`);
}

/** What a Writable does with what is written when it has ended, or was destroyed. */
export function refuseWrite(socket: RequestSocket, callback: WriteCallback | null | undefined): void {
  const { destroyed } = socket;
  const error = destroyed ? destroyedError('write') : nodeError('ERR_STREAM_WRITE_AFTER_END', 'write after end');
  process.nextTick(() => {
    callback?.(error);
    if (!destroyed && socket.listenerCount('error') > 0) socket.emit('error', error);
  });
}

/** With this, node:http tells a request that its client has gone. */
export function abortError(): Error {
  return nodeError('ECONNRESET', 'aborted');
}

/** With this, node:http tells the socket of a client that has gone in the middle of a body: its parser's. */
export function cutOffError(): Error {
  return nodeError('HPE_INVALID_EOF_STATE', 'Parse Error');
}

/** An exception of the application's: uncaught, but not where others wait behind it. */
export function throwLater(error: unknown): void {
  process.nextTick(rethrow, error);
}

function rethrow(error: unknown): never {
  throw error;
}
