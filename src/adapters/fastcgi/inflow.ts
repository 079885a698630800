import type { Readable } from 'node:stream';
import { Backlog } from './backlog.ts';
import { throwLater } from './node-errors.ts';

/** What comes in on FCGI_STDIN or FCGI_DATA of one request, passed on as fast as it is read. */
export class Inflow {
  /** Whether the reader has enough for now: what comes meanwhile is kept. */
  paused = false;
  /** Bytes that came. */
  bytes = 0;
  /** All has come. */
  ended = false;

  readonly #reader: Readable;
  readonly #backlog: Backlog;
  readonly #onEnd: () => void;
  #closed = false;

  /** @param onEnd Called when all has been passed on: it tells the reader. */
  constructor(reader: Readable, maxBufferedBytes: number, onEnd: () => void) {
    this.#reader = reader;
    this.#backlog = new Backlog(maxBufferedBytes);
    this.#onEnd = onEnd;
  }

  /** @throws FcgiError FCGI_ERR_OVERLOADED */
  push(chunk: Buffer): void {
    this.bytes += chunk.length;
    if (this.#closed) return;
    if (this.paused) {
      this.#backlog.push(chunk);
      return;
    }
    this.paused = !pushTo(this.#reader, chunk);
  }

  end(): void {
    this.ended = true;
    if (this.#backlog.empty) this.#finish();
  }

  /** The reader wants more. */
  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    while (!this.paused) {
      const chunk = this.#backlog.shift();
      if (chunk === undefined) break;
      this.paused = !this.#reader.push(chunk);
    }
    if (this.ended && this.#backlog.empty) this.#finish();
  }

  /** Nobody will read any more: what still comes is only counted. */
  close(): void {
    this.#closed = true;
    this.paused = false;
    this.#backlog.close();
  }

  #finish(): void {
    this.#backlog.close();
    this.#onEnd();
  }
}

/**
 * What `push` does and gives. A listener's exception is uncaught, as on node:http, but not inside the parser, where other
 * requests wait.
 */
export function pushTo(reader: Readable, chunk: Buffer | null): boolean {
  try {
    return reader.push(chunk);
  } catch (error) {
    throwLater(error);
    return true;
  }
}
