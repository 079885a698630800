import type http from 'node:http';
import type { RequestListener } from 'node:http';
import { fcgiError } from '../core/errors.ts';
import { type Address, type AddressLike, parseAddress } from './address.ts';
import { limitsFrom } from './fastcgi/limits.ts';
import { FcgiServer, type ServerOptions } from './fastcgi/server.ts';
import { createHttpServer } from './http.ts';
import { listen } from './listen.ts';

export interface ServeOptions extends ServerOptions {
  /** Where the FastCGI door listens: a port (of 127.0.0.1), `host:port`, or the path of a unix socket. */
  fastcgi?: AddressLike;
  /** Where the HTTP door listens; likewise. With neither door named: the port of the environment's `PORT`, or 8080. */
  http?: AddressLike;
  /** Permissions of the unix sockets. Default 0o660: the owner and the group. */
  mode?: number;
  /** Milliseconds for the requests under way when the doors close. Default 10000. */
  closeTimeout?: number;
  /** Whether SIGTERM and SIGINT close the doors and then end the process with status 0. Default true. */
  signals?: boolean;
}

/** What `serve` opened. */
export interface Doors {
  /** With the port that was free where 0 was asked for. */
  readonly fastcgi?: Address;
  readonly http?: Address;
  /**
   * Accepts nothing more, and resolves when the requests under way are answered, or given up after `closeTimeout`, and
   * all connections are closed.
   */
  close(): Promise<void>;
}

type DoorServer = FcgiServer | http.Server;

/** Node takes a longer time for none. */
const MAX_TIMER = 2 ** 31 - 1;

/**
 * Serves an application, or any `(req, res)` function, over FastCGI, HTTP or both.
 *
 * @example
 * await serve(app, { fastcgi: './fcgi.sock', http: 8080 });
 *
 * @throws FcgiError FCGI_ERR_OPTION; FCGI_ERR_ADDRESS and FCGI_ERR_ADDRESS_IN_USE: then neither door is open.
 */
export async function serve(listener: RequestListener, options: ServeOptions = {}): Promise<Doors> {
  const { mode, signals = true } = options;
  const { closeTimeout } = limitsFrom(options);
  const at = { fastcgi: options.fastcgi, http: options.http };
  if (at.fastcgi === undefined && at.http === undefined) at.http = process.env.PORT || 8080;
  if (typeof listener !== 'function')
    throw fcgiError('FCGI_ERR_ARGUMENT', 'serve takes an app, or a function (req, res)');

  const servers: DoorServer[] = [];
  const open = async (address: AddressLike, server: DoorServer) => {
    const opened = await listen(server, parseAddress(address), { mode });
    servers.push(server);
    return opened;
  };
  const close = () => closeAll(servers, closeTimeout);
  try {
    const doors: Doors = {
      fastcgi: at.fastcgi === undefined ? undefined : await open(at.fastcgi, new FcgiServer(options, listener)),
      http: at.http === undefined ? undefined : await open(at.http, createHttpServer({}, listener)),
      close,
    };
    if (signals) closeOnSignals(servers, close);
    return doors;
  } catch (error) {
    await close();
    throw error;
  }
}

async function closeAll(servers: readonly DoorServer[], closeTimeout: number): Promise<void> {
  const closed = servers.map((server) => new Promise<unknown>((resolve) => server.close(resolve)));
  // Otherwise a connection whose request is being answered stays open for another five seconds.
  for (const server of servers) if ('keepAliveTimeout' in server) server.keepAliveTimeout = 1;
  const late = setTimeout(
    () => {
      for (const server of servers) server.closeAllConnections();
    },
    Math.min(closeTimeout, MAX_TIMER),
  );
  await Promise.all(closed);
  clearTimeout(late);
}

/** The first signal lets the requests under way finish; a second one does what it always does. */
function closeOnSignals(servers: readonly DoorServer[], close: () => Promise<void>): void {
  const end = async () => {
    await close();
    process.exit(0);
  };
  const signals = ['SIGTERM', 'SIGINT'] as const;
  for (const signal of signals) process.once(signal, end);
  for (const server of servers) {
    server.once('close', () => {
      for (const signal of signals) process.off(signal, end);
    });
  }
}
