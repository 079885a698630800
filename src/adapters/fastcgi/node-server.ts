import { EventEmitter } from 'node:events';
import { type ServerResponse, STATUS_CODES } from 'node:http';
import { Server, type Socket } from 'node:net';
import { promisify } from 'node:util';
import type { Limits } from './limits.ts';

/** Of node:http's options, those that concern the pair and not its protocol. */
export interface NodeOptions {
  /** Joins also those headers of which node:http takes the first. Default: no. */
  joinDuplicateHeaders?: boolean;
  /** Has `write` and `end` throw where an answer has no body, as one to HEAD. Default: what is written is dropped. */
  rejectNonStandardBodyWrites?: boolean;
}

/** What code finds on a `http.Server` beside a `net.Server`'s own. */
export abstract class NodeServer extends Server {
  abstract readonly limits: Limits;
  readonly joinDuplicateHeaders: boolean | null;
  /** What a response is made with. */
  readonly responseOptions: object;

  /** ms without a byte of a request under way, either way; 0 for no limit. See `setTimeout`. */
  timeout = 0;
  /** How many headers a request may have; null for as many as the limits let pass. Over it: 431. */
  maxHeadersCount: number | null = null;
  /** A connection closes behind so many requests; 0 for no limit. What comes beyond is 'dropRequest', and a 503. */
  maxRequestsPerSocket = 0;

  #keepAliveTimeout: number | undefined;

  constructor({ joinDuplicateHeaders, rejectNonStandardBodyWrites }: NodeOptions) {
    super({ noDelay: true });
    this.joinDuplicateHeaders = joinDuplicateHeaders ?? null;
    this.responseOptions = { rejectNonStandardBodyWrites };
  }

  /** A timeout has changed. */
  protected abstract onLimits(): void;

  /** ms of a connection with no request under way; 0 for no limit. Default: as the limit `idleTimeout`. */
  get keepAliveTimeout(): number {
    return this.#keepAliveTimeout ?? toProperty(this.limits.idleTimeout);
  }

  set keepAliveTimeout(milliseconds: number) {
    this.#keepAliveTimeout = milliseconds;
    this.onLimits();
  }

  /** The limit of that name; 0 for none. */
  get headersTimeout(): number {
    return toProperty(this.limits.headersTimeout);
  }

  set headersTimeout(milliseconds: number) {
    this.limits.headersTimeout = toLimit(milliseconds);
    this.onLimits();
  }

  /** The limit of that name; 0 for none. */
  get requestTimeout(): number {
    return toProperty(this.limits.requestTimeout);
  }

  set requestTimeout(milliseconds: number) {
    this.limits.requestTimeout = toLimit(milliseconds);
    this.onLimits();
  }

  /** Sets `timeout`. Where nobody listens to the 'timeout' that follows, `(socket)`, the request is given up. */
  setTimeout(milliseconds?: number | ((socket: Socket) => void), callback?: (socket: Socket) => void): this {
    this.timeout = milliseconds as number;
    if (callback) this.on('timeout', callback);
    return this;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await promisify(this.close).call(this);
  }

  /** With `events.captureRejections`: what an async listener of 'request' rejects with. */
  override [EventEmitter.captureRejectionSymbol](error: Error, event: string | symbol, ...args: unknown[]): void {
    if (event !== 'request') {
      super[EventEmitter.captureRejectionSymbol]?.(error, event as never, ...(args as never[]));
      return;
    }
    const res = args[1] as ServerResponse;
    if (res.headersSent || res.writableEnded) {
      res.destroy();
      return;
    }
    for (const name of res.getHeaderNames()) res.removeHeader(name);
    res.statusCode = 500;
    res.end(STATUS_CODES[500]);
  }
}

function toLimit(milliseconds: number): number {
  return milliseconds > 0 ? milliseconds : Number.POSITIVE_INFINITY;
}

function toProperty(limit: number): number {
  return limit === Number.POSITIVE_INFINITY ? 0 : limit;
}
