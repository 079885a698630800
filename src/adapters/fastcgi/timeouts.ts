import type { Socket } from 'node:net';
import { fcgiError } from '../../core/errors.ts';
import type { Connection } from './connection.ts';

/** What takes too long on one connection: a request to come, the peer to take an answer, to send another or to close. */
export class Timeouts {
  readonly #connection: Connection;
  readonly #socket: Socket;
  #lastActive: number;
  /** When all that we had to say had left. */
  #closedAt = 0;
  /** Whether the socket has a timer of its own. */
  #watched = false;

  constructor(connection: Connection, socket: Socket) {
    this.#connection = connection;
    this.#socket = socket;
    this.#lastActive = connection.server.now;
    socket.on('timeout', () => socket.destroy());
  }

  /** The peer shows that it is there. */
  onActive(): void {
    this.#lastActive = this.#connection.server.now;
  }

  sweep(): void {
    this.#refuseLate();
    this.#watch();
    this.#closeIdle();
  }

  #refuseLate(): void {
    const { requests, limits, server } = this.#connection;
    for (const request of requests) {
      if (request === undefined || request.stdinEnded) continue;
      // Answered, and nobody reads the rest any more.
      if (request.ended && request.req?.destroyed !== false) continue;
      const limit = request.paramsEnded ? limits.requestTimeout : limits.headersTimeout;
      if (server.now - request.begun <= limit) continue;
      const error = fcgiError('FCGI_ERR_REQUEST_TIMEOUT', `Not all of the request came within ${limit} ms`);
      this.#connection.refuse(request, error);
    }
  }

  /** Whether the peer takes anything of what is being sent, only the socket itself can see. */
  #watch(): void {
    const { output, limits } = this.#connection;
    const sending = output.length > 0;
    if (sending === this.#watched || limits.idleTimeout === Number.POSITIVE_INFINITY) return;
    this.#watched = sending;
    this.#socket.setTimeout(sending ? limits.idleTimeout : 0);
  }

  #closeIdle(): void {
    const { idle, output, limits, server } = this.#connection;
    if (this.#socket.writableFinished) {
      this.#closedAt ||= server.now;
      if (server.now - this.#closedAt > limits.closeTimeout) this.#socket.destroy();
    } else if (idle && output.length === 0 && server.keepAliveTimeout > 0) {
      if (server.now - this.#lastActive > server.keepAliveTimeout) this.#socket.destroy();
    }
  }
}
