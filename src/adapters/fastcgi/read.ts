import { Socket } from 'node:net';

/** Bytes that are read at a time, as many as Node reads. */
const READ_BYTES = 64 * 1024;

/** What the `onread` option of `net.connect` sets. Accepted sockets have no such option, but the same properties. */
const [READ_BUFFER, ON_READ] = ['kBuffer', 'kBufferCb'].map((name) =>
  Object.getOwnPropertySymbols(new Socket()).find(({ description }) => description === name),
);

interface SocketInternals {
  _handle?: { useUserBuffer?(buffer: Buffer): void } | null;
  [symbol: symbol]: unknown;
}

/** One for all sockets: whatever is read is looked at before anything else can be read. */
const shared = Buffer.allocUnsafeSlow(READ_BYTES);

/**
 * HOT: has `onChunk` called with what comes on a socket. The chunk is lent: it is overwritten when `onChunk` has returned.
 * By itself Node makes a buffer for each read, which costs as much as to parse a request. Of what is no plain socket, or
 * where Node's names have changed, the chunks come by 'data'.
 */
export function read(socket: Socket, onChunk: (chunk: Buffer) => void): void {
  // Also what was read before; and without it, there would be no 'end'.
  socket.on('data', onChunk);
  const internals = socket as unknown as SocketInternals;
  const handle = Object.getPrototypeOf(socket) === Socket.prototype ? internals._handle : undefined;
  if (READ_BUFFER === undefined || ON_READ === undefined || typeof handle?.useUserBuffer !== 'function') return;
  handle.useUserBuffer(shared);
  internals[READ_BUFFER] = shared;
  internals[ON_READ] = (bytes: number) => onChunk(shared.subarray(0, bytes));
}
