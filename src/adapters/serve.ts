import type http from 'node:http';
import type { RequestListener } from 'node:http';
import { fcgiError } from '../core/errors.ts';
import { timerMs } from '../core/timer.ts';
import { type Address, type AddressLike, formatAddress, parseAddress } from './address.ts';
import { answerCgi } from './cgi.ts';
import { limitsFrom } from './fastcgi/limits.ts';
import { FcgiServer, type ServerOptions } from './fastcgi/server.ts';
import { HttpServer } from './http.ts';
import { takeInherited } from './inherited.ts';
import { type FdAddress, listen } from './listen.ts';

export interface ServeOptions extends ServerOptions {
  /** Where the FastCGI door listens: a port (of 127.0.0.1), `host:port`, the path of a unix socket, or `{ fd }`. */
  fastcgi?: AddressLike | FdAddress;
  /** Where the HTTP door listens; likewise. With neither door named: what the process was started as. */
  http?: AddressLike | FdAddress;
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
  readonly fastcgi?: Address | FdAddress;
  readonly http?: Address | FdAddress;
  /**
   * Accepts nothing more, and resolves when the requests under way are answered, or given up after `closeTimeout`, and
   * all connections are closed.
   */
  close(): Promise<void>;
}

export type DoorServer = FcgiServer | http.Server;

/** What is to be opened. */
export interface Plan {
  fastcgi: (AddressLike | FdAddress)[];
  http: (AddressLike | FdAddress)[];
  /** One request, and the end. */
  cgi?: boolean;
  /** Whether nobody asked for these addresses, so that they have to be told. */
  unasked?: boolean;
}

/** Makes the servers of the two doors: their listener is theirs. */
export interface ServerMakers {
  fastcgi(): FcgiServer;
  http(): http.Server;
}

/**
 * Serves an application, or any `(req, res)` function, over FastCGI, HTTP or both.
 *
 * With neither door named it finds out what the process was started as: sockets of systemd's or a listening socket as
 * file descriptor 0, as spawn-fcgi, mod_fcgid, lighttpd and h2o give it; a web server's CGI, whose one request it answers
 * before the process ends; else by a person, and it serves HTTP on the port of the environment's `PORT`, or 8080, and
 * says so.
 *
 * @example
 * await serve(app, { fastcgi: './fcgi.sock', http: 8080 });
 *
 * @throws FcgiError FCGI_ERR_OPTION; FCGI_ERR_ADDRESS and FCGI_ERR_ADDRESS_IN_USE: then neither door is open.
 */
export async function serve(listener: RequestListener, options: ServeOptions = {}): Promise<Doors> {
  limitsFrom(options);
  if (typeof listener !== 'function')
    throw fcgiError('FCGI_ERR_ARGUMENT', 'serve takes an app, or a function (req, res)');
  const plan = planFor(options, usualPlan());
  const { opened } = openDoors(makersFor(listener, options), plan, options);
  return opened;
}

/** Where a person finds it. */
export function usualPlan(): Plan {
  return { fastcgi: [], http: [process.env.PORT || 8080] };
}

export function makersFor(listener: RequestListener, options: ServeOptions): ServerMakers {
  return { fastcgi: () => new FcgiServer(options, listener), http: () => new HttpServer({}, listener) };
}

/** What the options name; else what the process was started as; else what is usual. */
export function planFor(options: ServeOptions, usual: Plan): Plan {
  const { fastcgi, http } = options;
  if (fastcgi !== undefined || http !== undefined) return { fastcgi: listOf(fastcgi), http: listOf(http) };
  const inherited = takeInherited();
  if (!inherited.cgi && inherited.fastcgi.length + inherited.http.length === 0) return { ...usual, unasked: true };
  const addresses = (fds: number[]) => fds.map((fd) => ({ fd }));
  return { fastcgi: addresses(inherited.fastcgi), http: addresses(inherited.http), cgi: inherited.cgi };
}

function listOf<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value];
}

/** Opens what was planned: all of it, or none. The servers are there at once. */
export function openDoors(
  make: ServerMakers,
  plan: Plan,
  options: ServeOptions,
): { servers: DoorServer[]; opened: Promise<Doors> } {
  if (plan.cgi) return openCgi(make.fastcgi());
  const doors = [
    ...plan.fastcgi.map((address) => ({ name: 'fastcgi' as const, address, server: make.fastcgi() as DoorServer })),
    ...plan.http.map((address) => ({ name: 'http' as const, address, server: make.http() as DoorServer })),
  ];
  const servers = doors.map(({ server }) => server);
  const listening: DoorServer[] = [];
  const close = () => closeAll(listening, limitsFrom(options).closeTimeout);
  const open = async (): Promise<Doors> => {
    const opened: Partial<Record<'fastcgi' | 'http', Address | FdAddress>> = {};
    try {
      for (const { name, address, server } of doors) {
        const at = typeof address === 'object' && 'fd' in address ? address : parseAddress(address);
        const where = await listen(server, at, { mode: options.mode });
        listening.push(server);
        opened[name] ??= where;
        if (plan.unasked) {
          const scheme = name === 'http' && 'port' in where ? 'http://' : '';
          console.log(`Listening on ${scheme}${formatAddress(where as Address)}`);
        }
      }
    } catch (error) {
      await close();
      throw error;
    }
    if (options.signals ?? true) closeOnSignals(servers, close);
    return { fastcgi: opened.fastcgi, http: opened.http, close };
  };
  return { servers, opened: open() };
}

/** A CGI program ends with its answer, whatever else the application has open. */
function openCgi(server: FcgiServer): { servers: DoorServer[]; opened: Promise<Doors> } {
  const ended = answerCgi(server).then((whole): void => process.exit(whole ? process.exitCode : 1));
  // What the program prints is not to get into the answer.
  process.stdout.write = process.stderr.write.bind(process.stderr) as typeof process.stdout.write;
  // With nothing left to wait for there will be no answer.
  process.once('beforeExit', () => process.exit(1));
  return { servers: [server], opened: Promise.resolve({ close: () => ended }) };
}

async function closeAll(servers: readonly DoorServer[], closeTimeout: number): Promise<void> {
  const closed = servers.map((server) => new Promise<unknown>((resolve) => server.close(resolve)));
  // Otherwise a connection whose request is being answered stays open for another five seconds.
  for (const server of servers) if ('keepAliveTimeout' in server) server.keepAliveTimeout = 1;
  const late = setTimeout(() => {
    for (const server of servers) server.closeAllConnections();
  }, timerMs(closeTimeout));
  await Promise.all(closed);
  clearTimeout(late);
}

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** What is to be closed before a signal may end the process: all that `serve` has opened in it. */
const closings = new Set<() => Promise<void>>();

function closeOnSignals(servers: readonly DoorServer[], close: () => Promise<void>): void {
  closings.add(close);
  if (closings.size === 1) for (const signal of SIGNALS) process.once(signal, closeAndEnd);
  let open = servers.length;
  const onClose = () => {
    open--;
    if (open === 0) closings.delete(close);
    if (closings.size === 0) for (const signal of SIGNALS) process.off(signal, closeAndEnd);
  };
  for (const server of servers) server.once('close', onClose);
}

/** The first signal lets the requests under way finish; a second one does what it always does. */
async function closeAndEnd(): Promise<void> {
  await Promise.all(Array.from(closings, (close) => close()));
  process.exit(0);
}
