import { Socket } from 'node:net';

/** What is read lies here, for as long as it takes to look at it: a buffer for each read costs as much as to parse it. */
export const READ = Buffer.allocUnsafeSlow(64 * 1024);

/** What the `onread` option of `net.connect` sets. Sockets that a server accepts have the properties, but not the option. */
const [BUFFER, ON_READ] = ['kBuffer', 'kBufferCb'].map((name) =>
  Object.getOwnPropertySymbols(new Socket()).find(({ description }) => description === name),
);

interface SocketInternals {
  _handle?: { useUserBuffer?(buffer: Buffer): void } | null;
  [symbol: symbol]: unknown;
}

/**
 * HOT: calls `onChunk` with what comes on a socket, which is to be copied if it is kept: the next read overwrites it. Where
 * it is no plain socket, or Node names its properties otherwise, each chunk is a buffer of its own.
 */
export function read(socket: Socket, onChunk: (chunk: Buffer) => void): void {
  // It brings what was read before, and without it there would be no 'end'.
  socket.on('data', onChunk);
  const internals = socket as unknown as SocketInternals;
  const handle = Object.getPrototypeOf(socket) === Socket.prototype ? internals._handle : undefined;
  if (BUFFER === undefined || ON_READ === undefined || typeof handle?.useUserBuffer !== 'function') return;
  handle.useUserBuffer(READ);
  internals[BUFFER] = READ;
  internals[ON_READ] = (length: number) => onChunk(READ.subarray(0, length));
}
