import { FcgiError } from '../../core/errors.ts';
import { timerMs } from '../../core/timer.ts';
import type { Address } from '../address.ts';
import { FCGI_MAX_REQS, FCGI_MPXS_CONNS } from '../fastcgi/constants.ts';
import { connect } from './connect.ts';
import { ClientConnection, type ConnectionOwner } from './connection.ts';
import type { Exchange } from './exchange.ts';
import type { ClientSettings } from './options.ts';
import { getValues } from './values.ts';

/** Ids that a connection has (section 3.3). */
const MAX_IDS = 65_535;

/** How long an application may take to say whether it multiplexes: libfcgi does not understand the question, and waits. */
const ASK_MS = 1000;

/** The connections to one address. */
export class Pool implements ConnectionOwner {
  readonly address: Address;
  readonly keepAliveTimeout: number;

  readonly #settings: ClientSettings;
  readonly #onRoom: () => void;
  readonly #connections = new Set<ClientConnection>();
  /** Requests that wait for a connection to be opened for them. */
  #connecting = 0;
  /** Requests that one connection takes at a time; undefined until it is asked for. */
  #capacity: number | undefined;
  #closing = false;

  /** @param onRoom Called when there may be room again. */
  constructor(address: Address, settings: ClientSettings, onRoom: () => void) {
    this.address = address;
    this.keepAliveTimeout = timerMs(settings.keepAliveTimeout);
    this.#settings = settings;
    this.#onRoom = onRoom;
    this.#capacity = settings.multiplex ? undefined : 1;
  }

  get capacity(): number {
    return this.#capacity ?? 1;
  }

  /** Requests under way. */
  get live(): number {
    let live = this.#connecting;
    for (const connection of this.#connections) live += connection.live;
    return live;
  }

  get hasRoom(): boolean {
    if (this.#kept() !== undefined) return true;
    // One that is being opened may take others as well.
    if (this.#capacity !== 1 && this.#connecting > 0) return false;
    return this.#count < this.#settings.connections;
  }

  /** There must be room. */
  send(exchange: Exchange): void {
    const kept = this.#kept();
    if (kept !== undefined && !exchange.retried) kept.send(exchange);
    else if (this.#capacity === undefined) this.#ask(exchange);
    else this.#open(exchange);
  }

  /** Takes one request at a time from now on: the application says that it cannot take more. */
  stopMultiplexing(): void {
    this.#capacity = 1;
  }

  /** Closes connections as they become free. */
  close(): void {
    this.#closing = true;
    for (const connection of this.#connections) if (connection.live === 0) connection.destroy();
  }

  onFree(connection: ClientConnection): void {
    if (this.#closing && connection.live === 0) connection.destroy();
    this.#onRoom();
  }

  onClosed(connection: ClientConnection): void {
    this.#connections.delete(connection);
    this.#onRoom();
  }

  onRetired(): void {
    this.#onRoom();
  }

  /** Without those that are retired, lest new ones wait for what may go on for long. */
  get #count(): number {
    let count = this.#connecting;
    for (const connection of this.#connections) if (!connection.retired) count++;
    return count;
  }

  #kept(): ClientConnection | undefined {
    for (const connection of this.#connections) if (connection.hasRoom) return connection;
    return undefined;
  }

  #ask(exchange: Exchange): void {
    const question = new AbortController();
    const timeouts = { connectTimeout: this.#settings.connectTimeout, headersTimeout: ASK_MS };
    this.#connecting++;
    exchange.cancel = () => {
      this.#connecting--;
      question.abort();
      this.#onRoom();
    };
    getValues(this.address, [FCGI_MPXS_CONNS, FCGI_MAX_REQS], timeouts, question.signal).then(
      (values) => {
        if (question.signal.aborted) return;
        this.#connecting--;
        this.#capacity = capacityFrom(values);
        this.send(exchange);
        this.#onRoom();
      },
      (error) => {
        if (question.signal.aborted) return;
        this.#connecting--;
        exchange.cancel = undefined;
        // An application that does not understand the question cannot do what is asked for.
        if (error.code !== 'FCGI_ERR_CLIENT_CONNECT') this.#capacity = 1;
        if (this.#capacity === 1) this.send(exchange);
        else exchange.fail(error);
        this.#onRoom();
      },
    );
  }

  #open(exchange: Exchange): void {
    // A kept connection that was found closed is told from the others by nothing: they make room.
    if (exchange.retried && this.#count >= this.#settings.connections) {
      for (const connection of this.#connections) if (connection.live === 0) connection.destroy();
    }
    const keep = this.#settings.keepAlive || this.capacity > 1;
    this.#connecting++;
    let connection: ClientConnection;
    const onBytes = (bytes: Buffer) => connection.onBytes(bytes);
    const give = connect(this.address, this.#settings.connectTimeout, onBytes, (socket) => {
      this.#connecting--;
      exchange.cancel = undefined;
      if (socket instanceof FcgiError) {
        exchange.fail(socket);
        this.#onRoom();
        return;
      }
      connection = new ClientConnection(socket, this, keep);
      this.#connections.add(connection);
      connection.send(exchange);
      if (this.capacity > 1) this.#onRoom();
    });
    exchange.cancel = () => {
      this.#connecting--;
      give();
      this.#onRoom();
    };
  }
}

function capacityFrom(values: Record<string, string>): number {
  if (values[FCGI_MPXS_CONNS] !== '1') return 1;
  const requests = Number(values[FCGI_MAX_REQS]);
  return requests >= 1 ? Math.min(Math.floor(requests), MAX_IDS) : MAX_IDS;
}
