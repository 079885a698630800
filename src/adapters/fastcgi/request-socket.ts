import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { FcgiError } from '../../core/errors.ts';
import { Answer } from './answer.ts';
import { ClientSocket } from './client-socket.ts';
import type { Connection } from './connection.ts';
import type { DispatchServer } from './dispatch.ts';
import { FilterData } from './filter-data.ts';
import type { Head } from './head.ts';
import { Inflow, pushTo } from './inflow.ts';
import { abortError, cutOffError, refuseWrite } from './node-errors.ts';
import { closeResponse, closeUnheard, drainResponse, dump, isDumped, isRead, isUnheard } from './node-pair.ts';
import type { Part, WriteCallback } from './output.ts';
import { Params } from './params.ts';
import { adaptResponse, hasBegun } from './response-head.ts';
import { StderrStream } from './stderr.ts';

/**
 * One FastCGI request, in the place of the `net.Socket` of node:http's requests and responses. What is written to it,
 * HTTP's head and then a body, leaves as FCGI_STDOUT; it closes when the answer has left.
 */
export class RequestSocket extends ClientSocket {
  readonly connection: Connection;
  readonly server: DispatchServer;
  readonly id: number;
  readonly role: number;
  readonly keepConnection: boolean;
  /** When it began, on the server's clock. */
  readonly begun: number;

  readonly cgi: Params;
  readonly answer = new Answer();
  head: Head | undefined;
  req: IncomingMessage | undefined;
  res: ServerResponse | undefined;
  paramsEnded = false;
  stdinEnded = false;
  /** The end of the answer is on its way to the web server, or will never come. */
  ended = false;
  /** The answer is complete. */
  answered = false;
  /** All of the answer is on its way: `finish` or `fail` follows. */
  leaving = false;
  /** It waits for the connection's output to take what it has to send. */
  queued = false;

  #stdin: Inflow | undefined;
  #data: FilterData | undefined;
  #stderr: StderrStream | undefined;
  #httpMessage: ServerResponse | null = null;
  /** The answer has left, but somebody still reads the input. */
  #lingering = false;

  constructor(connection: Connection, id: number, role: number, keepConnection: boolean, begun: number) {
    super();
    this.connection = connection;
    this.server = connection.server;
    this.id = id;
    this.role = role;
    this.keepConnection = keepConnection;
    this.begun = begun;
    this.cgi = new Params(connection.limits.maxParamsBytes);
  }

  // ---- The input -------------------------------------------------------------------------------

  get bytesRead(): number {
    return this.cgi.text.length + (this.#stdin?.bytes ?? 0) + (this.#data?.inflow.bytes ?? 0);
  }

  /** Whether a reader of the input has enough for now. */
  get inputPaused(): boolean {
    return this.#stdin?.paused === true || this.#data?.inflow.paused === true;
  }

  /** FCGI_STDIN, which becomes the body. */
  get stdin(): Inflow {
    this.#stdin ??= new Inflow(this.req!, this.connection.limits.maxBufferedBytes, () => this.#endInput());
    return this.#stdin;
  }

  /** All of the body has come. */
  endStdin(): void {
    if (this.#stdin !== undefined) this.#stdin.end();
    else this.#endInput();
  }

  /** All of the body has been passed on, or nobody wants the rest. */
  #endInput(): void {
    const req = this.req!;
    if (req.complete) return;
    req.complete = true;
    // As long as nobody hears of it, it is left to `finish`, which spares the request its events.
    if (this.leaving && this.#stdin === undefined && isUnheard(req)) return;
    pushTo(req, null);
    if (this.#lingering) this.#close();
  }

  /** No more of the body will come. */
  abortInput(error: Error = abortError()): void {
    if (this.req?.complete === false) this.req.destroy(error);
  }

  /** FCGI_DATA; nothing comes on it unless the role is Filter. */
  get data(): FilterData {
    this.#data ??= new FilterData(this);
    return this.#data;
  }

  /** Node's request calls it whenever it wants more of its body. */
  resume(): this {
    if (this.#stdin?.paused === true) {
      this.#stdin.resume();
      this.connection.onResumed();
    }
    return this;
  }

  // ---- The answer ------------------------------------------------------------------------------

  /** The response that writes to it. */
  get _httpMessage(): ServerResponse | null {
    return this.#httpMessage;
  }

  /** By `dispatch`, and by `assignSocket` of a response that somebody else has made. */
  set _httpMessage(res: ServerResponse | null) {
    this.#httpMessage = res;
    if (res === null || res === this.res) return;
    this.res = res;
    adaptResponse(res);
  }

  /** To the web server's error log. */
  get stderr(): Writable {
    this.#stderr ??= new StderrStream(this, this.connection.limits.maxStderrBytes);
    return this.#stderr;
  }

  /** A line of this door's own in the web server's error log. */
  log(line: string): void {
    (this.stderr as StderrStream).add(line);
  }

  write(data: unknown, encoding?: unknown, callback?: unknown): boolean {
    const done = (typeof encoding === 'function' ? encoding : callback) as WriteCallback | null | undefined;
    const { connection, answer } = this;
    this.onActive();
    if (this.ended || !this.writable) {
      refuseWrite(this, done);
      return false;
    }
    if ((data as Part).length > 0) {
      const dataEncoding = typeof encoding === 'string' ? (encoding as BufferEncoding) : null;
      answer.write(data as Part, dataEncoding, this.res !== undefined && hasBegun(this.res));
    }
    if (done) answer.onWritten(done);
    if (this.writableCorked === 0) connection.output.enqueue(this);
    if (answer.length + connection.output.length < connection.highWaterMark) return true;
    this.writableNeedDrain = true;
    return false;
  }

  end(data?: unknown, encoding?: unknown, callback?: unknown): this {
    if (data !== undefined) {
      const done = [data, encoding, callback].find((argument) => typeof argument === 'function');
      if (data !== null && data !== done) this.write(data, typeof encoding === 'string' ? encoding : undefined);
      if (done) this.once('finish', done as () => void);
    }
    this.writable = false;
    this.endAnswer();
    return this;
  }

  /** Of a response that has ended. The socket looks as if it were kept for another, as node:http's is. */
  endAnswer(): void {
    this.connection.onAnswered(this);
  }

  destroySoon(): void {
    this.end();
  }

  cork(): void {
    this.writableCorked++;
  }

  uncork(): void {
    if (this.writableCorked > 0 && --this.writableCorked === 0) this.connection.output.enqueue(this);
  }

  /** Hands what waits to the connection's output. */
  flush(): void {
    const { output } = this.connection;
    this.answer.flushTo(output, this.id);
    if (this.ended || (this.answer.headSent && this.#stderr?.waitsForEnd === false)) this.flushStderr();
  }

  flushStderr(): void {
    this.#stderr?.flush();
  }

  /** The connection has room again. */
  drain(): void {
    this.writableNeedDrain = false;
    if (this.#httpMessage !== null) drainResponse(this.#httpMessage);
    this.emit('drain');
  }

  /** Puts an answer of the server's own in the place of whatever waits. */
  replaceAnswer(status: number, statusText: string): void {
    this.answer.replace(status, statusText, this.head?.method !== 'HEAD');
  }

  /**
   * The answer has left: what node:http does when a response has finished and its connection closes. Who reads the
   * input gets the rest of it all the same.
   */
  finish(): void {
    this.leaving = false;
    const { req, res } = this;
    this.emit('finish');
    if (req === undefined || req.destroyed) {
      this.#close();
    } else if (isUnheard(req)) {
      closeUnheard(req);
      this.#close();
    } else if (!isRead(req) || isDumped(req)) {
      dump(req);
      req.complete = true;
      pushTo(req, null);
      // From Node 26 on, what was complete when it was dumped has not been resumed.
      if (!req.readableFlowing) req.resume();
      this.#close();
    } else if (req.complete) {
      // If its end came when there was nobody to hear of it.
      pushTo(req, null);
      this.#close();
    } else {
      this.#lingering = true;
      if (res !== undefined) process.nextTick(closeResponse, res);
    }
  }

  /** The answer was complete, but has not left. */
  fail(): void {
    this.leaving = false;
    // Node then emits no 'finish'.
    this._hadError = true;
    this.destroy();
  }

  // ---- The end ---------------------------------------------------------------------------------

  destroy(error?: Error | null): this {
    // The application may be done with an answer that is on its way.
    if (this.destroyed || this.leaving) return this;
    this.errored = error ?? null;
    // Then Node emits no 'finish'.
    this._hadError ||= this.errored !== null;
    this.#release();
    if (error) process.nextTick(tell, this, error);
    // As late as with a handle to close: whoever destroys a request hears of that request's end first.
    setImmediate(close, this);
    return this;
  }

  /** The web server has given it up: its client has gone. */
  abandon(): void {
    this.destroy(this.stdinEnded ? null : cutOffError());
  }

  resetAndDestroy(): this {
    return this.destroy();
  }

  /** After a complete answer. */
  #close(): void {
    if (this.destroyed) return;
    this.#release();
    process.nextTick(close, this);
  }

  #release(): void {
    if (this.timeout) this.setTimeout(0);
    this.destroyed = true;
    this.closed = true;
    this.readable = false;
    this.writable = false;
    // On node:http it would have left already.
    if (this.queued && this.writableCorked === 0 && !this.ended) this.answer.flushTo(this.connection.output, this.id);
    // What is corked does not, as it is for a turn.
    this.answer.clear(this.errored);
    this.connection.onDestroyed(this);
    this.#stdin?.close();
  }

  /** In node:http's order: the request hears of it first, then the response, then who listens to the socket. */
  _close(): void {
    const { req, res, errored } = this;
    if (this.#httpMessage !== null || req?.complete === false) {
      // The application's own error is for the socket and the response, as on node:http.
      const error = errored instanceof FcgiError ? errored : abortError();
      req?.destroy(error);
      this.#data?.destroy(error);
    }
    this.#data?.destroy();
    if (res !== undefined) closeResponse(res);
    this.emit('close', this._hadError);
  }

  // ---- The timeout -----------------------------------------------------------------------------

  /** Something came in or goes out. */
  onActive(): void {
    if (this.timeout) this.setTimeout(this.timeout);
  }

  /** net.Socket's timer calls it. As on node:http: where nobody listens, the request is given up. */
  _onTimeout(): void {
    const { req } = this;
    const heard = [
      req?.complete === false && req.emit('timeout', this),
      this.#httpMessage?.emit('timeout', this),
      this.server.emit('timeout', this),
    ];
    if (!heard.includes(true)) this.destroy();
    this.emit('timeout');
  }
}

/** On node:http the server itself listens, so that nobody needs to. */
function tell(socket: RequestSocket, error: Error): void {
  if (socket.listenerCount('error') > 0) socket.emit('error', error);
}

function close(socket: RequestSocket): void {
  socket._close();
}
