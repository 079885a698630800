import type { Socket } from 'node:net';
import type { Connection } from './connection.ts';
import { FCGI_FILTER } from './constants.ts';
import type { RequestSocket } from './request-socket.ts';

/** How long an input may be held back for its reader when something else could be waiting behind it. */
const HOLD_MS = 1000;

/** Whether a connection is read: an input whose reader has enough is held back where that holds back nothing else. */
export class Backpressure {
  readonly #connection: Connection;
  readonly #socket: Socket;
  /** Something else may wait behind an input, which is therefore kept (see `Inflow`) and not held back. */
  #shared = false;
  /** More was asked for although the answers to what came before had not been taken. */
  #flooded = false;
  #heldSince = 0;

  constructor(connection: Connection, socket: Socket) {
    this.#connection = connection;
    this.#socket = socket;
  }

  /** The web server asks whether it may have several requests under way here. */
  share(): void {
    this.#shared = true;
  }

  onBegin(request: RequestSocket): void {
    if (request.id !== 1 || this.#connection.requests.live > 1) this.#shared = true;
    this.onAsked();
  }

  /** Something has come that is answered. */
  onAsked(): void {
    if (!this.#socket.writableNeedDrain || this.#flooded) return;
    this.#flooded = true;
    this.regulate();
  }

  /** The web server has taken what was written. */
  onDrain(): void {
    if (!this.#flooded) return;
    this.#flooded = false;
    this.regulate();
  }

  /** To be called whenever a reader has enough, wants more, or is gone. */
  regulate(): void {
    const { requests, server } = this.#connection;
    let hold = this.#flooded;
    if (!this.#shared) {
      for (const request of requests) hold ||= request?.ended === false && request.inputPaused;
    }
    if (hold === this.#socket.isPaused()) return;
    this.#heldSince = server.now;
    if (hold) this.#socket.pause();
    else this.#socket.resume();
  }

  /**
   * Behind an input held back there may be another request, or a Filter's data behind its body; or the web server may not
   * take the answer before it has sent all of the input. From then on, what the reader does not want is kept.
   */
  sweep(): void {
    const { requests, server } = this.#connection;
    if (!this.#socket.isPaused() || server.now - this.#heldSince <= HOLD_MS) return;
    for (const request of requests) {
      if (request?.ended !== false) continue;
      const twoInputs = request.role === FCGI_FILTER && !request.stdinEnded;
      if (request.keepConnection || request.writableNeedDrain || twoInputs) this.#shared = true;
    }
    this.regulate();
  }
}
