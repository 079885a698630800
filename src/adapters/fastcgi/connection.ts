import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { FcgiError, fcgiError } from '../../core/errors.ts';
import { Backpressure } from './backpressure.ts';
import {
  FCGI_ABORT_REQUEST,
  FCGI_BEGIN_REQUEST,
  FCGI_DATA,
  FCGI_FILTER,
  FCGI_GET_VALUES,
  FCGI_KEEP_CONN,
  FCGI_MPXS_CONNS,
  FCGI_PARAMS,
  FCGI_REQUEST_COMPLETE,
  FCGI_RESPONDER,
  FCGI_STDERR,
  FCGI_STDIN,
  FCGI_STDOUT,
  FCGI_UNKNOWN_ROLE,
} from './constants.ts';
import type { DispatchServer } from './dispatch.ts';
import type { Limits } from './limits.ts';
import { Output } from './output.ts';
import { decodePairs } from './pairs.ts';
import { type RecordHandler, RecordParser } from './parser.ts';
import { read } from './read.ts';
import { decodeBeginRequest, encodeGetValuesResult, encodeUnknownType } from './records.ts';
import { addData, addParams, addStdin, endData, endParams, endStdin } from './request-input.ts';
import { RequestSocket } from './request-socket.ts';
import { Requests } from './requests.ts';
import { Timeouts } from './timeouts.ts';
import { variablesOf } from './variables.ts';

/** How long the first request of a connection that is to be closed is waited for: who opens one, asks at once. */
const FIRST_REQUEST_MS = 100;

/** What a connection needs of its server. */
export interface ConnectionServer extends DispatchServer {
  readonly limits: Limits;
  /** Milliseconds on a clock that ticks now and then. */
  readonly now: number;
  /** Milliseconds of a connection with no request under way; 0 for no limit. */
  readonly keepAliveTimeout: number;
  /** Requests under way on all connections. */
  live: number;
}

/**
 * One connection from a web server: a switch over the records that come, and the requests that they make up, any
 * number at a time.
 */
export class Connection implements RecordHandler {
  readonly server: ConnectionServer;
  readonly limits: Limits;
  readonly output: Output;
  readonly requests: Requests;
  readonly highWaterMark: number;
  /** Requests that have come, where `maxRequestsPerSocket` limits them. */
  requestCount = 0;

  readonly #socket: Socket;
  readonly #parser = new RecordParser(this);
  readonly #backpressure: Backpressure;
  readonly #timeouts: Timeouts;
  /** Bytes that came for nobody since a request began. */
  #thrownAway = 0;
  /** Nothing that the web server says can be understood any more. */
  #outOfStep = false;

  constructor(server: ConnectionServer, socket: Socket) {
    this.server = server;
    this.limits = server.limits;
    this.highWaterMark = socket.writableHighWaterMark;
    this.output = new Output(this, socket);
    this.requests = new Requests(server);
    this.#socket = socket;
    this.#backpressure = new Backpressure(this, socket);
    this.#timeouts = new Timeouts(this, socket);
    read(socket, (chunk) => this.#onChunk(chunk));
    socket.on('end', () => this.#onPeerEnd());
    socket.on('drain', () => this.onDrain());
    // 'close' follows.
    socket.on('error', () => {});
    socket.on('close', () => this.#abandon());
  }

  /** No request is under way. */
  get idle(): boolean {
    return this.requests.live === 0;
  }

  // ---- What comes in ---------------------------------------------------------------------------

  #onChunk(chunk: Buffer): void {
    if (this.#outOfStep) {
      this.#throwAway(chunk.length);
      return;
    }
    this.#timeouts.onActive();
    this.output.held = true;
    try {
      this.#parser.write(chunk);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.output.held = false;
      this.output.flush();
    }
  }

  onRecord(type: number, id: number, chunk: Buffer, start: number, end: number): void {
    switch (type) {
      case FCGI_BEGIN_REQUEST:
        this.#begin(id, chunk, start);
        break;
      case FCGI_ABORT_REQUEST:
        this.#abort(id);
        break;
      case FCGI_GET_VALUES:
        this.#tellVariables(chunk.subarray(start, end));
        break;
      default:
        throw notFromWebServer(type);
    }
  }

  onData(type: number, id: number, chunk: Buffer, start: number, end: number): void {
    const request = this.requests.get(id);
    // Section 3.3: what belongs to no request under way is ignored. Here, as long as it is not too much.
    if (request === undefined) {
      this.#throwAway(end - start);
      return;
    }
    if (type === FCGI_STDOUT || type === FCGI_STDERR) throw notFromWebServer(type);
    try {
      switch (type) {
        case FCGI_PARAMS:
          addParams(request, chunk, start, end);
          break;
        case FCGI_STDIN:
          if (!addStdin(request, chunk.subarray(start, end))) this.#throwAway(end - start);
          break;
        case FCGI_DATA:
          if (!addData(request, chunk.subarray(start, end))) this.#throwAway(end - start);
      }
    } catch (error) {
      this.refuse(request, error);
    }
    if (request.inputPaused) this.#backpressure.regulate();
  }

  onDataEnd(type: number, id: number): void {
    if (type === FCGI_STDIN) this.requests.endStdin();
    const request = this.requests.get(id);
    if (request === undefined) return;
    try {
      if (type === FCGI_PARAMS) endParams(request);
      else if (type === FCGI_STDIN) endStdin(request);
      else if (type === FCGI_DATA) endData(request);
    } catch (error) {
      this.refuse(request, error);
    }
    if (request.ended && request.stdinEnded) this.requests.forget(request);
  }

  onUnknown(type: number, id: number): void {
    // Section 4.2 has an answer for management records only.
    if (id !== 0) return;
    this.output.record(encodeUnknownType(type));
    this.#backpressure.onAsked();
  }

  #begin(id: number, chunk: Buffer, start: number): void {
    // Nobody could be answered any more.
    if (this.#socket.writableEnded) return;
    const { role, flags } = decodeBeginRequest(chunk, start);
    const request = new RequestSocket(this, id, role, (flags & FCGI_KEEP_CONN) !== 0, this.server.now);
    this.requests.begin(request);
    this.#thrownAway = 0;
    this.#backpressure.onBegin(request);
    if (role < FCGI_RESPONDER || role > FCGI_FILTER) {
      this.refuse(request, fcgiError('FCGI_ERR_UNKNOWN_ROLE', `There is no role ${role}`));
    } else if (this.output.broken || this.requests.tooMany) {
      this.refuse(request, fcgiError('FCGI_ERR_OVERLOADED', 'Too many requests at a time'));
    }
  }

  #abort(id: number): void {
    const request = this.requests.get(id);
    if (request === undefined) return;
    if (request.ended) {
      // Late, as it may be (section 5.4): the answer and the abort have crossed.
      request.abortInput();
    } else {
      this.#end(request, FCGI_REQUEST_COMPLETE);
      request.abandon();
    }
  }

  #tellVariables(content: Buffer): void {
    const asked = new Set(decodePairs(content).map(([name]) => name));
    if (asked.has(FCGI_MPXS_CONNS)) this.#backpressure.share();
    this.output.record(encodeGetValuesResult(variablesOf(this.limits).filter(([name]) => asked.has(name))));
    this.#backpressure.onAsked();
  }

  #throwAway(bytes: number): void {
    this.#thrownAway += bytes;
    if (this.#thrownAway > this.limits.maxDrainBytes) this.#socket.destroy();
  }

  /** The reader of an input wants more, or none of it. */
  onResumed(): void {
    this.#backpressure.regulate();
  }

  /** The web server has taken what was written. */
  onDrain(): void {
    this.#timeouts.onActive();
    this.#backpressure.onDrain();
    for (const request of this.requests) if (request?.writableNeedDrain) request.drain();
  }

  // ---- How a request ends ------------------------------------------------------------------------

  /** The answer is said to be complete. */
  onAnswered(request: RequestSocket): void {
    if (request.ended) return;
    const { answer, res } = request;
    if (answer.flaw !== '') request.log(`${answer.flaw}\n`);
    // Once the response has begun, only it can tell that the answer is complete.
    const missing = answer.missing(res?.headersSent !== true || res.writableEnded);
    if (missing !== '') {
      answer.flushTo(this.output, request.id);
      request.destroy(fcgiError('FCGI_ERR_RESPONSE_UNDERRUN', `The answer broke off before ${missing}`));
      return;
    }
    this.#end(request, FCGI_REQUEST_COMPLETE);
    request.answered = true;
    request.leaving = true;
    this.output.answered(request);
    if (!this.output.held) this.output.flush();
  }

  /** A request that cannot be served. A bare END_REQUEST would be an empty 200 to some web servers. */
  refuse(request: RequestSocket, error: unknown): void {
    if (!(error instanceof FcgiError)) throw error;
    if (request.ended) {
      // Only who still reads the input is to know.
      request.abortInput(error);
    } else {
      if (!request.answer.headSent) {
        request.replaceAnswer(error.status, STATUS_CODES[error.status]!);
        this.#end(request, error.code === 'FCGI_ERR_UNKNOWN_ROLE' ? FCGI_UNKNOWN_ROLE : FCGI_REQUEST_COMPLETE);
      }
      request.destroy(error);
      this.output.schedule();
    }
    // Frameworks write an answer to its socket and destroy it: the connection's is that of other requests as well.
    this.server.emit('clientError', error, request);
  }

  /** It is over. Unless it has `ended`, the application gave it up: what has left of its answer must not look whole. */
  onDestroyed(request: RequestSocket): void {
    // What still comes for it is thrown away.
    if (!request.stdinEnded) this.requests.forget(request);
    if (request.ended) return;
    if (this.requests.live > 1 && !request.answer.headSent) {
      // What web servers answer for a worker that closes without a word; this one has other requests to answer.
      request.replaceAnswer(502, STATUS_CODES[502]!);
      this.#end(request, FCGI_REQUEST_COMPLETE);
    } else {
      this.output.breakOff(request);
      request.ended = true;
      this.#release(request);
    }
    this.output.schedule();
  }

  #end(request: RequestSocket, protocolStatus: number): void {
    request.ended = true;
    request.flush();
    this.output.endRequest(request.id, protocolStatus);
    this.#release(request);
  }

  #release(request: RequestSocket): void {
    this.requests.end(request);
    this.#timeouts.onActive();
    if (!request.keepConnection) this.output.closing = true;
    if (request.inputPaused) this.#backpressure.regulate();
  }

  // ---- The end -----------------------------------------------------------------------------------

  /**
   * Closes as soon as no request is under way. What has come and was not read yet is read before; where nothing has come at
   * all, the first request is likely to be on its way.
   */
  close(): void {
    this.output.closing = true;
    setTimeout(() => this.output.schedule(), this.#socket.bytesRead > 0 ? 1 : FIRST_REQUEST_MS);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Looks for what has taken too long. */
  sweep(): void {
    this.#timeouts.sweep();
    this.#backpressure.sweep();
  }

  /**
   * The web server is out of step: nothing more that it says can be understood, not even that a request was given up. What
   * was answered before leaves whole; what is under way is given up, and broken off for the web server.
   */
  #fail(error: unknown): void {
    if (!(error instanceof FcgiError)) {
      this.#socket.destroy();
      throw error;
    }
    this.#outOfStep = true;
    this.requests.lose();
    this.output.flush();
    for (const request of this.requests) {
      if (request?.ended) request.abortInput();
      else request?.abandon();
    }
    this.output.closing = true;
    this.output.schedule();
    this.server.emit('clientError', error, this.#socket);
  }

  /** A web server that closes has given up all requests: it knows no other way to say so. */
  #onPeerEnd(): void {
    const { idle } = this;
    try {
      this.#parser.end();
    } catch (error) {
      this.#fail(error);
    }
    if (!idle) this.#socket.destroy();
  }

  #abandon(): void {
    this.#parser.stop();
    for (const request of this.requests) {
      if (request === undefined) continue;
      if (request.ended) {
        request.abortInput();
        continue;
      }
      request.ended = true;
      this.#release(request);
      request.abandon();
    }
  }
}

function notFromWebServer(type: number): FcgiError {
  return fcgiError('FCGI_ERR_RECORD', `A web server sends no record of type ${type}`);
}
