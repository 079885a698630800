import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type net from 'node:net';
import { Request } from '../../core/request.ts';
import { Response } from '../../core/response.ts';
import { type AddressLike, parseAddress } from '../address.ts';
import { handleRequest } from '../handle-request.ts';
import { listen } from '../listen.ts';
import { Connection, type ConnectionServer } from './connection.ts';
import { type Limits, limitsFrom } from './limits.ts';
import { type NodeOptions, NodeServer } from './node-server.ts';
import { PeerFilter } from './peers.ts';

/** The limits of docs/limits.md, and: */
export interface ServerOptions extends Partial<Limits>, NodeOptions {
  /** IP addresses and CIDR blocks that may connect over TCP. Default: those of FCGI_WEB_SERVER_ADDRS, else all. */
  allowedPeers?: readonly string[];
  /** The class of requests. Default: `Request`. */
  IncomingMessage?: new (
    socket: never,
  ) => IncomingMessage;
  /** The class of responses. Default: `Response`. */
  ServerResponse?: new (
    req: never,
  ) => ServerResponse;
}

/**
 * A FastCGI server that stands where a `http.Server` would.
 *
 * Events: 'request' `(req, res)`; 'clientError' `(error, socket)` for a request that was refused, with its own socket, or
 * what is broken on the web server's side, with the connection, to be logged: the one has been answered, the other is
 * closed; those of `net.Server`.
 */
export class FcgiServer extends NodeServer implements ConnectionServer {
  readonly limits: Limits;
  readonly IncomingMessage: ConnectionServer['IncomingMessage'];
  readonly ServerResponse: ConnectionServer['ServerResponse'];
  now = performance.now();
  live = 0;

  readonly #peers: PeerFilter;
  readonly #open = new Set<Connection>();
  #clock: NodeJS.Timeout | undefined;

  /** @throws FcgiError FCGI_ERR_OPTION */
  constructor(options: ServerOptions = {}, listener?: RequestListener) {
    super(options);
    this.limits = limitsFrom(options);
    this.maxConnections = this.limits.maxConnections;
    this.IncomingMessage = options.IncomingMessage ?? Request;
    this.ServerResponse = options.ServerResponse ?? Response;
    this.#peers = new PeerFilter(options.allowedPeers);
    this.on('connection', (socket) => this.#accept(socket));
    this.on('listening', () => this.#startClock());
    this.on('close', () => {
      clearInterval(this.#clock);
      this.#clock = undefined;
    });
    if (listener) this.on('request', listener);
  }

  /**
   * Listens as `net.Server` does, but on 127.0.0.1 unless a host is named; and of a unix socket that is left over from
   * a process that has died, makes a new one.
   *
   * What fails is told by an 'error' event: FCGI_ERR_ADDRESS or FCGI_ERR_ADDRESS_IN_USE, over TCP Node's own EADDRINUSE.
   *
   * @param address A port, `host:port`, the path of a unix socket, or what else `net.Server.listen` takes.
   * @param rest For a port, its host; for a unix socket, `{ mode }`, its permissions, by default 0o660; and a function
   * to call when it listens.
   */
  override listen(...args: unknown[]): this {
    // Which Node refuses.
    if (this.listening) return super.listen();
    const [address = 0, more] = args as [AddressLike | net.ListenOptions | (() => void), unknown];
    if (typeof address === 'object' && !isPath(address)) {
      // An environment variable that is not set names none.
      const options = 'port' in address ? { ...address, host: address.host || '127.0.0.1' } : address;
      return super.listen(options, args.at(-1) as () => void);
    }
    const callback = args.at(-1);
    if (typeof callback === 'function') this.once('listening', callback as () => void);
    if (typeof address === 'object') {
      this.#bind({ path: address.path }, address.mode);
      return this;
    }
    const where = typeof address === 'function' ? 0 : address;
    const { mode } = { ...(more as object | undefined) } as { mode?: number };
    this.#bind(typeof more === 'string' ? { port: Number(where), host: more } : where, mode);
    return this;
  }

  async #bind(address: AddressLike, mode: number | undefined): Promise<void> {
    try {
      await listen(this, parseAddress(address), { mode });
    } catch (error) {
      // What Node found has had its 'error' event. Later, as Node does: who listens may come behind the call.
      const told = ((error as Error).cause as NodeJS.ErrnoException | undefined)?.syscall === 'listen';
      if (!told) process.nextTick(() => this.emit('error', error));
    }
  }

  /** Stops listening; calls back when the requests under way are answered and their connections closed. */
  override close(callback?: (error?: Error) => void): this {
    super.close(callback);
    for (const connection of this.#open) connection.close();
    return this;
  }

  /** Serves exactly one request, and closes; resolves when all connections are closed. */
  handleRequest(): Promise<void> {
    return handleRequest(this);
  }

  /** Closes all connections, whatever is under way on them. */
  closeAllConnections(): void {
    for (const connection of this.#open) connection.destroy();
  }

  /** Closes the connections with no request under way. */
  closeIdleConnections(): void {
    for (const connection of this.#open) if (connection.idle) connection.close();
  }

  protected override onLimits(): void {
    if (this.#clock !== undefined) this.#startClock();
  }

  #accept(socket: net.Socket): void {
    if (!this.#peers.allows(socket)) {
      socket.destroy();
      return;
    }
    // A connection can be handed in where nothing listens.
    if (this.#clock === undefined) this.#startClock();
    const connection = new Connection(this, socket);
    this.#open.add(connection);
    socket.on('close', () => this.#open.delete(connection));
  }

  /** One clock for the timeouts of all requests, since a timer for each costs more than the request. */
  #startClock(): void {
    clearInterval(this.#clock);
    this.now = performance.now();
    const { headersTimeout, requestTimeout, idleTimeout, closeTimeout } = this.limits;
    const keepAliveTimeout = this.keepAliveTimeout || Number.POSITIVE_INFINITY;
    const shortest = Math.min(headersTimeout, requestTimeout, idleTimeout, keepAliveTimeout, closeTimeout);
    this.#clock = setInterval(
      () => {
        this.now = performance.now();
        for (const connection of this.#open) connection.sweep();
      },
      Math.min(1000, Math.max(10, shortest / 4)),
    ).unref();
  }
}

/** Whether they ask for a unix socket, as frameworks do that listen themselves, and for nothing that only Node can do. */
function isPath(options: object): options is { path: string; mode?: number } {
  const { path, ...rest } = options as net.ListenOptions;
  return typeof path === 'string' && !NODES_OWN.some((name) => rest[name] !== undefined);
}

const NODES_OWN = ['port', 'backlog', 'exclusive', 'readableAll', 'signal', 'writableAll'] as const;
