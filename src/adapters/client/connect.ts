import net, { type Socket } from 'node:net';
import { type FcgiError, fcgiError } from '../../core/errors.ts';
import { after } from '../../core/timer.ts';
import { type Address, formatAddress } from '../address.ts';
import { READ } from '../fastcgi/read.ts';

/** How long to wait before a unix socket whose backlog is full is tried again. */
const BACKLOG_MS = 10;

/**
 * Connects. A unix socket whose backlog is full refuses at once, where TCP would let one wait (EAGAIN): it is tried again.
 *
 * @param onBytes Called with what comes, which is to be copied if it is kept.
 * @param callback Called once, unless the returned function was called before: that gives up.
 */
export function connect(
  address: Address,
  timeout: number,
  onBytes: (bytes: Buffer) => void,
  callback: (result: Socket | FcgiError) => void,
): () => void {
  let socket: Socket;
  let again: NodeJS.Timeout | undefined;
  const timer = after(timeout, () => fail(`nobody accepted for ${timeout} ms`)).unref();

  function attempt(): void {
    socket = net.connect({ ...address, noDelay: true, onread: { buffer: READ, callback: onRead } });
    socket.on('connect', onConnect).on('error', onError);
  }
  function onRead(length: number): boolean {
    onBytes(READ.subarray(0, length));
    return true;
  }
  function onConnect(): void {
    stop();
    callback(socket);
  }
  function onError(error: NodeJS.ErrnoException): void {
    if (error.code === 'EAGAIN') again = setTimeout(attempt, BACKLOG_MS);
    else fail(error.message, error);
  }
  function fail(why: string, cause?: Error): void {
    give();
    callback(fcgiError('FCGI_ERR_CLIENT_CONNECT', `Cannot connect to ${formatAddress(address)}: ${why}`, cause));
  }
  function stop(): void {
    clearTimeout(timer);
    clearTimeout(again);
    socket.off('connect', onConnect).off('error', onError);
  }
  function give(): void {
    stop();
    // It may fail yet, and nobody is to hear of it.
    socket.on('error', () => {}).destroy();
  }

  attempt();
  return give;
}
