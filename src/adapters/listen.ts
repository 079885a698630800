import { once } from 'node:events';
import { type BigIntStats, chmodSync, existsSync, linkSync, lstatSync, renameSync, unlinkSync } from 'node:fs';
import { type AddressInfo, connect, type ListenOptions as NetListenOptions, Server } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { isMainThread, threadId } from 'node:worker_threads';
import { fcgiError } from '../core/errors.ts';
import { type Address, formatAddress, type TcpAddress, type UnixAddress } from './address.ts';

export interface ListenOptions {
  /** The permissions of a unix socket; who may write may connect. Default 0o660: the owner and the group. */
  mode?: number;
}

/** A socket that the process was given, and that listens already. */
export interface FdAddress {
  /** Its file descriptor. */
  fd: number;
}

/** A path longer than this is cut off by some systems without a word: `sun_path` less its final NUL. */
const MAX_PATH_BYTES = process.platform === 'linux' ? 107 : 103;

/** Longer than it takes from making a socket to listening on it. */
const BIRTH_MS = 100;

/**
 * Listens, and gives the address as it came to be: with the port that was free where 0 was asked for.
 *
 * A unix socket that nobody listens on any more is replaced; it never has wider permissions than `mode`, and is removed
 * when the server closes, unless it is another's by then.
 *
 * @throws FcgiError FCGI_ERR_ADDRESS_IN_USE: somebody else listens there. FCGI_ERR_ADDRESS: it cannot be listened on;
 * at the path lies something that is no socket, or its directory is missing.
 */
export function listen<A extends Address | FdAddress>(server: Server, address: A, options?: ListenOptions): Promise<A>;
export async function listen(
  server: Server,
  address: Address | FdAddress,
  options: ListenOptions = {},
): Promise<Address | FdAddress> {
  if ('fd' in address) return listenFd(server, address);
  return 'path' in address ? listenUnix(server, address, options.mode ?? 0o660) : listenTcp(server, address);
}

async function listenFd(server: Server, address: FdAddress): Promise<FdAddress> {
  try {
    listenOn(server, address);
    await once(server, 'listening');
  } catch (error) {
    throw refuse(address, `cannot listen: ${(error as Error).message}`, error);
  }
  return address;
}

async function listenTcp(server: Server, { host, port }: TcpAddress): Promise<TcpAddress> {
  try {
    listenOn(server, { host, port });
    await once(server, 'listening');
  } catch (error) {
    throw failed({ host, port }, error);
  }
  const bound = server.address() as AddressInfo | null;
  // Somebody may have closed it in its 'listening'.
  return bound === null ? { host, port } : { host: bound.address, port: bound.port };
}

async function listenUnix(server: Server, { path }: UnixAddress, mode: number): Promise<UnixAddress> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw refuse({ path }, `the path of a unix socket has at most ${MAX_PATH_BYTES} bytes`);
  }
  // What bind says of it is EACCES, which is misleading.
  if (!existsSync(dirname(path))) throw refuse({ path }, 'its directory is missing');
  const stale = await findStale(path);
  try {
    if (stale !== undefined) remove(stale, path);
    bind(server, path, mode);
    await once(server, 'listening');
    // For what the mask in bind cannot do: in a worker thread, and in cluster, where the primary process binds.
    if (server.listening) chmodSync(path, mode);
  } catch (error) {
    throw failed({ path }, error);
  }
  spareOthers(server, path);
  return { path };
}

/** Node's own `listen`: that of a subclass may have led here. */
function listenOn(server: Server, options: NetListenOptions | FdAddress): void {
  Server.prototype.listen.call(server, options as NetListenOptions);
}

/** The umask holds for the whole process, but only for as long as the socket is made: within this call. */
function bind(server: Server, path: string, mode: number): void {
  const umask = isMainThread ? process.umask(~mode & 0o777) : undefined;
  try {
    listenOn(server, { path });
  } finally {
    if (umask !== undefined) process.umask(umask);
  }
}

function identify(path: string): BigIntStats | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false });
}

/** Whether two are one file: numbers are used again, but the time when a socket was made stays. */
function isSame(a: BigIntStats, b: BigIntStats | undefined): boolean {
  return b !== undefined && a.ino === b.ino && a.dev === b.dev && a.mtimeNs === b.mtimeNs;
}

/** The socket at the path that nobody listens on; undefined if the path is free. */
async function findStale(path: string): Promise<BigIntStats | undefined> {
  const found = identify(path);
  if (found === undefined) return undefined;
  if (!found.isSocket()) throw refuse({ path }, 'something that is no socket lies there');
  const error = await tryConnect(path);
  if (error?.code === 'ENOENT') return undefined;
  // Also where connecting failed otherwise, as for lack of permission or because its backlog is full: not to be removed.
  if (error?.code !== 'ECONNREFUSED') throw inUse({ path }, error);
  // Another process may have made it, and be about to listen.
  const age = Date.now() - Number(found.mtimeMs);
  if (age < 0 || age > BIRTH_MS) return found;
  await setTimeout(BIRTH_MS);
  return findStale(path);
}

/**
 * Removes the stale socket, but not what another process has put there since. As nothing can look and remove in one,
 * it is taken aside and looked at again.
 */
function remove(stale: BigIntStats, path: string): void {
  if (!isSame(stale, identify(path))) return;
  const aside = asideOf(path);
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (!isSame(stale, identify(aside))) linkSync(aside, path);
  unlinkSync(aside);
}

/** Where a socket is kept for a moment. */
function asideOf(path: string): string {
  return join(dirname(path), `.${process.pid}.${threadId}`);
}

function tryConnect(path: string): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('error', resolve);
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
  });
}

/**
 * When a server closes, libuv removes whatever lies at its path. If that is another's socket by then, since somebody
 * removed ours and started anew, it is put back.
 */
function spareOthers(server: Server, path: string): void {
  const ours = identify(path)?.ino;
  const { close } = server;
  server.close = (callback) => {
    if (!server.listening) return close.call(server, callback);
    server.close = close;
    const found = identify(path)?.ino;
    if (found === undefined || found === ours) return server.close(callback);
    const aside = asideOf(path);
    renameSync(path, aside);
    try {
      return server.close(callback);
    } finally {
      renameSync(aside, path);
    }
  };
}

function failed(address: Address, error: unknown) {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'EADDRINUSE' || code === 'EEXIST'
    ? inUse(address, error)
    : refuse(address, `cannot listen: ${message}`, error);
}

function inUse(address: Address, cause?: unknown) {
  const where = formatAddress(address);
  return fcgiError('FCGI_ERR_ADDRESS_IN_USE', `Somebody else is listening on ${where}`, cause);
}

function refuse(address: Address | FdAddress, why: string, cause?: unknown) {
  const where = 'fd' in address ? `file descriptor ${address.fd}` : formatAddress(address);
  return fcgiError('FCGI_ERR_ADDRESS', `${where}: ${why}`, cause);
}
