import { fcgiError } from '../../core/errors.ts';
import type { ConnectionServer } from './connection.ts';
import { FCGI_FILTER } from './constants.ts';
import type { RequestSocket } from './request-socket.ts';

/** The requests of one connection: those under way, and those answered while somebody still reads their input. */
export class Requests {
  /** How many are under way. */
  live = 0;

  /** How many have not seen the end of their STDIN. */
  #open = 0;

  readonly #server: ConnectionServer;
  readonly #byId = new Map<number, RequestSocket | undefined>();

  constructor(server: ConnectionServer) {
    this.#server = server;
  }

  get(id: number): RequestSocket | undefined {
    return this.#byId.get(id);
  }

  /** Undefined for an id that was in use. */
  [Symbol.iterator](): Iterator<RequestSocket | undefined> {
    return this.#byId.values();
  }

  /** @throws FcgiError FCGI_ERR_DUPLICATE_ID */
  begin(request: RequestSocket): void {
    const { id } = request;
    const before = this.#byId.get(id);
    if (before?.ended === false) {
      throw fcgiError('FCGI_ERR_DUPLICATE_ID', `Request ${id} was begun again while it was under way`);
    }
    before?.abortInput();
    this.#byId.set(id, request);
    this.live++;
    // What a Filter gets goes on behind its STDIN.
    this.#open += request.role === FCGI_FILTER ? Number.POSITIVE_INFINITY : 1;
    this.#server.live++;
  }

  /** The end of an STDIN has come, be its request under way or not. */
  endStdin(): void {
    this.#open--;
  }

  /** What still comes can no longer be told. */
  lose(): void {
    this.#open = Number.POSITIVE_INFINITY;
  }

  /** Whether nothing more is to come for any of them, nor for those that were given up. */
  get settled(): boolean {
    return this.live === 0 && this.#open === 0;
  }

  /** Whether there are more than the limits allow. */
  get tooMany(): boolean {
    const { limits, live } = this.#server;
    return this.live > limits.maxRequestsPerConnection || live > limits.maxRequests;
  }

  /** It is answered, or never will be. */
  end(request: RequestSocket): void {
    this.live--;
    this.#server.live--;
    if (request.stdinEnded) this.forget(request);
  }

  /** What still comes for it is for nobody. */
  forget(request: RequestSocket): void {
    // Not deleted: the next request will have the same id, and to make room for it anew costs more.
    if (this.#byId.get(request.id) === request) this.#byId.set(request.id, undefined);
  }
}
