import type { Socket } from 'node:net';
import { FcgiError, fcgiError } from '../../core/errors.ts';
import {
  FCGI_END_REQUEST,
  FCGI_GET_VALUES_RESULT,
  FCGI_KEEP_CONN,
  FCGI_STDERR,
  FCGI_STDOUT,
  FCGI_UNKNOWN_TYPE,
} from '../fastcgi/constants.ts';
import type { Part } from '../fastcgi/output.ts';
import { type RecordHandler, RecordParser } from '../fastcgi/parser.ts';
import { decodeEndRequest, encodeAbortRequest } from '../fastcgi/records.ts';
import type { Exchange } from './exchange.ts';

/** Whoever opened a connection. */
export interface ConnectionOwner {
  /** Requests that a connection takes at a time. */
  readonly capacity: number;
  /** Milliseconds of a kept connection without a request. */
  readonly keepAliveTimeout: number;
  /** A request on it is over. */
  onFree(connection: ClientConnection): void;
  /** It takes no more requests, and closes when those under way are over. */
  onRetired(): void;
  onClosed(connection: ClientConnection): void;
}

/** Up to here, what begins a request is copied into one text; beyond, copying costs more than it saves. */
const COPY_BYTES = 16 * 1024;

/** One connection to an application, and the requests under way on it, by their ids. */
export class ClientConnection implements RecordHandler {
  /** FCGI_KEEP_CONN, or 0: the application closes it after one request. */
  readonly flags: number;
  /** Requests that were sent on it. */
  served = 0;
  /** Requests under way. */
  live = 0;
  /** It takes no more, and closes when those under way are over. */
  retired = false;

  readonly #socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #parser = new RecordParser(this);
  /** By id - 1. */
  readonly #exchanges: (Exchange | undefined)[] = [];
  #closed = false;
  /** Requests have ended in the chunk that is being read: none begins before its end, lest the rest be taken for its answer. */
  #freed = false;
  /** What waits to leave in one write, while a request is begun. */
  #gathered: Part[] | undefined;
  #gatheredBytes = 0;

  constructor(socket: Socket, owner: ConnectionOwner, keep: boolean) {
    this.#socket = socket;
    this.#owner = owner;
    this.flags = keep ? FCGI_KEEP_CONN : 0;
    socket.on('drain', () => this.#onDrain());
    socket.on('end', () => this.#onEnd());
    socket.on('timeout', () => this.destroy());
    socket.on('error', (error) => this.destroy(closed(error)));
    socket.on('close', () => this.destroy());
  }

  get hasRoom(): boolean {
    if (this.#closed || this.retired || this.#freed || this.live >= this.#owner.capacity) return false;
    return this.flags === FCGI_KEEP_CONN || this.served === 0;
  }

  /** Sends a request; there must be room. */
  send(exchange: Exchange): void {
    let index = 0;
    while (this.#exchanges[index] !== undefined) index++;
    this.#exchanges[index] = exchange;
    if (this.live++ === 0 && this.served > 0) this.#socket.setTimeout(0).ref();
    this.served++;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    exchange.start(this, index + 1);
    const gathered = this.#gathered;
    this.#gathered = undefined;
    if (this.#gatheredBytes <= COPY_BYTES) this.write(gathered.map(toText).join(''));
    // No 'drain' will come where the system has taken all of it.
    else if (this.write(...gathered)) exchange.onDrain();
    this.regulate();
  }

  /** False if the application has enough for now: `Exchange.onDrain` will tell. */
  write(...parts: Part[]): boolean {
    if (this.#gathered !== undefined) {
      for (const part of parts) this.#gatheredBytes += part.length;
      this.#gathered.push(...parts);
      return this.#gatheredBytes <= COPY_BYTES;
    }
    if (this.#closed) return false;
    if (parts.length === 1) return this.#socket.write(parts[0] as string, 'latin1');
    this.#socket.cork();
    for (const part of parts) this.#socket.write(part as string, 'latin1');
    this.#socket.uncork();
    return !this.#socket.writableNeedDrain;
  }

  /**
   * The request is over.
   *
   * @param ended By the application.
   * @param sent It has all that it was to be sent. If it is both, its id, or the connection, can be used again.
   */
  release(id: number, ended: boolean, sent: boolean): void {
    this.#exchanges[id - 1] = undefined;
    this.live--;
    if (this.#closed) return;
    const whole = ended && sent;
    if (this.live === 0 && (!whole || this.retired || this.flags !== FCGI_KEEP_CONN)) {
      this.destroy();
      return;
    }
    if (whole) {
      if (this.live === 0) this.#socket.setTimeout(this.#owner.keepAliveTimeout).unref();
      this.#freed = true;
    } else {
      if (!ended) this.write(encodeAbortRequest(id));
      // More of it may come, even behind its end: Go's net/http/fcgi ends at once what is given up, and then lets it speak.
      this.#retire();
    }
    this.regulate();
  }

  /** Whether it is read: a slow reader holds back his own answer, but nobody else's. To be called when that may change. */
  regulate(): void {
    let hold = false;
    if (this.live === 1) for (const exchange of this.#exchanges) hold ||= exchange?.paused === true;
    if (hold === this.#socket.isPaused()) return;
    if (hold) this.#socket.pause();
    else this.#socket.resume();
  }

  /** Requests under way fail, with the error if there is one. */
  destroy(error?: FcgiError): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#parser.stop();
    this.#socket.destroy();
    this.#owner.onClosed(this);
    for (const exchange of this.#exchanges) exchange?.fail(error ?? closed());
  }

  // ---- What comes in -----------------------------------------------------------------------------

  /** Of what comes, nothing is kept. */
  onBytes(chunk: Buffer): void {
    // Nobody asked for that: whatever follows could be taken for an answer.
    if (this.live === 0) {
      this.destroy();
      return;
    }
    try {
      this.#parser.write(chunk);
    } catch (error) {
      if (!(error instanceof FcgiError)) throw error;
      this.destroy(fcgiError('FCGI_ERR_CLIENT_PROTOCOL', `What came is no answer: ${error.message}`, error));
    }
    if (this.#freed) this.#onFreed();
  }

  onRecord(type: number, id: number, chunk: Buffer, start: number): void {
    switch (type) {
      case FCGI_END_REQUEST:
        if (this.#exchanges[id - 1] === undefined) this.#onStray();
        else this.#exchanges[id - 1]!.onEnd(decodeEndRequest(chunk, start));
        break;
      case FCGI_GET_VALUES_RESULT:
      case FCGI_UNKNOWN_TYPE:
        break;
      default:
        throw notFromApplication(type);
    }
  }

  onData(type: number, id: number, chunk: Buffer, start: number, end: number): void {
    if (type !== FCGI_STDOUT && type !== FCGI_STDERR) throw notFromApplication(type);
    const exchange = this.#exchanges[id - 1];
    if (exchange === undefined) this.#onStray();
    else if (type === FCGI_STDOUT) exchange.onStdout(copy(chunk, start, end));
    else exchange.onStderr(copy(chunk, start, end));
  }

  /** FCGI_END_REQUEST is the end: PHP-FPM sends no other. */
  onDataEnd(): void {}

  onUnknown(): void {}

  /** Others can begin, unless it is out of step. */
  #onFreed(): void {
    this.#freed = false;
    if (this.#closed) return;
    if (this.live === 0 && this.#parser.isWithinRecord) this.destroy();
    else this.#owner.onFree(this);
  }

  /** More of a request that has ended: it could be taken for another one's. */
  #onStray(): void {
    if (this.live === 0) this.destroy();
    else this.#retire();
  }

  #retire(): void {
    if (this.retired) return;
    this.retired = true;
    this.#owner.onRetired();
  }

  #onDrain(): void {
    for (const exchange of this.#exchanges) exchange?.onDrain();
  }

  #onEnd(): void {
    try {
      this.#parser.end();
      this.destroy();
    } catch (error) {
      this.destroy(closed(error as Error));
    }
  }
}

/** Text leaves without a Buffer being made of it. */
function toText(part: Part): string {
  return typeof part === 'string' ? part : Buffer.from(part.buffer, part.byteOffset, part.length).toString('latin1');
}

function copy(chunk: Buffer, start: number, end: number): Buffer {
  const bytes = Buffer.allocUnsafe(end - start);
  chunk.copy(bytes, 0, start, end);
  return bytes;
}

function closed(cause?: Error): FcgiError {
  const why = cause === undefined ? '' : `: ${cause.message}`;
  return fcgiError('FCGI_ERR_CLIENT_CLOSED', `The connection was closed before the end of the answer${why}`, cause);
}

function notFromApplication(type: number): FcgiError {
  return fcgiError('FCGI_ERR_RECORD', `An application sends no record of type ${type}`);
}
