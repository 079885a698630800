import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { FcgiError, fcgiError } from '../../core/errors.ts';
import {
  FCGI_ABORT_REQUEST,
  FCGI_AUTHORIZER,
  FCGI_BEGIN_REQUEST,
  FCGI_DATA,
  FCGI_FILTER,
  FCGI_GET_VALUES,
  FCGI_KEEP_CONN,
  FCGI_MAX_CONNS,
  FCGI_MAX_REQS,
  FCGI_MPXS_CONNS,
  FCGI_PARAMS,
  FCGI_REQUEST_COMPLETE,
  FCGI_RESPONDER,
  FCGI_STDIN,
  FCGI_UNKNOWN_ROLE,
} from './constants.ts';
import { type DispatchServer, dispatch } from './dispatch.ts';
import { addChunked, readHead } from './head.ts';
import type { Limits } from './limits.ts';
import { Output } from './output.ts';
import { decodePairs } from './pairs.ts';
import { type RecordHandler, RecordParser } from './parser.ts';
import { decodeBeginRequest, encodeGetValuesResult, encodeUnknownType } from './records.ts';
import { type RequestConnection, RequestSocket } from './request-socket.ts';

/** What a connection needs of its server. */
export interface ConnectionServer extends DispatchServer {
  readonly limits: Limits;
  /** Milliseconds on a clock that ticks now and then. */
  readonly now: number;
  /** Requests under way on all connections. */
  live: number;
}

/** How long an input may be held back for its reader when something else could be waiting behind it. */
const HOLD_MS = 1000;

/** No record has this version; nginx takes the mere end of a connection for the end of an answer. */
const BROKEN_OFF = Buffer.alloc(8, 0xff);

/**
 * One connection from a web server: a switch over the records that come, and the requests that they make up, any
 * number at a time.
 */
export class Connection implements RecordHandler, RequestConnection {
  readonly server: ConnectionServer;
  readonly limits: Limits;
  readonly output: Output;
  readonly highWaterMark: number;

  readonly #socket: Socket;
  readonly #parser = new RecordParser(this);
  /** By id: those under way, and those answered while somebody still reads their input. */
  readonly #requests = new Map<number, RequestSocket | undefined>();
  #live = 0;
  /** Whether the web server has several requests under way here. */
  #multiplexed = false;
  /** Those with something to send. */
  #ready: RequestSocket[] = [];
  #reading = false;
  #scheduled = false;
  /** An answer was broken off. Only the connection can tell that to the web server; it waits for the other requests. */
  #broken = false;
  /** It closes as soon as no request is under way. */
  #closing = false;
  /** New requests came although the answers to earlier ones had not been taken. */
  #flooded = false;
  #heldSince = 0;
  #thrownAway = 0;
  #lastActive: number;
  #closedAt = 0;
  #watched = false;

  constructor(server: ConnectionServer, socket: Socket) {
    this.server = server;
    this.limits = server.limits;
    this.highWaterMark = socket.writableHighWaterMark;
    this.output = new Output(socket);
    this.#socket = socket;
    this.#lastActive = server.now;
    socket.on('data', (chunk) => this.#onChunk(chunk));
    socket.on('end', () => this.#onPeerEnd());
    socket.on('drain', () => this.#onDrain());
    // 'close' follows.
    socket.on('error', () => {});
    socket.on('timeout', () => socket.destroy());
    socket.on('close', () => this.#abandon());
  }

  get idle(): boolean {
    return this.#live === 0;
  }

  // ---- What comes in ---------------------------------------------------------------------------

  #onChunk(chunk: Buffer): void {
    this.#lastActive = this.server.now;
    this.#reading = true;
    try {
      this.#parser.write(chunk);
    } catch (error) {
      this.#fail(error as Error);
    }
    this.#reading = false;
    this.#flush();
  }

  onRecord(type: number, id: number, chunk: Buffer, start: number, end: number): void {
    switch (type) {
      case FCGI_BEGIN_REQUEST:
        this.#onBegin(id, chunk, start);
        break;
      case FCGI_ABORT_REQUEST:
        this.#onAbort(id);
        break;
      case FCGI_GET_VALUES:
        this.#onGetValues(chunk.subarray(start, end));
        break;
      default:
        throw notFromWebServer(type);
    }
  }

  onData(type: number, id: number, chunk: Buffer, start: number, end: number): void {
    const request = this.#requests.get(id);
    // Section 3.3: what belongs to no request under way is ignored. Here, as long as it is not too much.
    if (request === undefined) {
      this.#throwAway(end - start);
      return;
    }
    switch (type) {
      case FCGI_PARAMS:
        this.#onParams(request, chunk, start, end);
        break;
      case FCGI_STDIN:
        this.#onStdin(request, chunk.subarray(start, end));
        break;
      case FCGI_DATA:
        this.#onFilterData(request, chunk.subarray(start, end));
        break;
      default:
        throw notFromWebServer(type);
    }
  }

  onDataEnd(type: number, id: number): void {
    const request = this.#requests.get(id);
    if (request === undefined) return;
    if (type === FCGI_PARAMS) this.#onParamsEnd(request);
    else if (type === FCGI_STDIN) this.#onStdinEnd(request);
    else if (type === FCGI_DATA && request.role === FCGI_FILTER) request.dataInflow.end();
  }

  onUnknown(type: number, id: number): void {
    // Section 4.2 has an answer for management records only.
    if (id === 0) this.output.record(encodeUnknownType(type));
  }

  #onBegin(id: number, chunk: Buffer, start: number): void {
    // Nobody could be answered any more.
    if (this.#socket.writableEnded) return;
    const before = this.#requests.get(id);
    if (before !== undefined) {
      if (!before.ended)
        throw fcgiError('FCGI_ERR_DUPLICATE_ID', `Request ${id} was begun again while it was under way`);
      before.abortInput();
    }
    this.#thrownAway = 0;
    if (this.#socket.writableNeedDrain) {
      this.#flooded = true;
      this.#regulate();
    }
    const { role, flags } = decodeBeginRequest(chunk, start);
    const request = new RequestSocket(this, id, role, (flags & FCGI_KEEP_CONN) !== 0, this.server.now);
    this.#requests.set(id, request);
    this.#live++;
    this.server.live++;
    if (id !== 1 || this.#live > 1) this.#multiplexed = true;
    if (role < FCGI_RESPONDER || role > FCGI_FILTER) {
      this.#refuse(request, fcgiError('FCGI_ERR_UNKNOWN_ROLE', `There is no role ${role}`));
    } else if (this.#overloaded) {
      this.#refuse(request, fcgiError('FCGI_ERR_OVERLOADED', 'Too many requests at a time'));
    }
  }

  get #overloaded(): boolean {
    const { maxRequests, maxRequestsPerConnection } = this.limits;
    return this.#broken || this.#live > maxRequestsPerConnection || this.server.live > maxRequests;
  }

  #onParams(request: RequestSocket, chunk: Buffer, start: number, end: number): void {
    try {
      if (request.paramsEnded) throw fcgiError('FCGI_ERR_BAD_REQUEST', 'Parameters after their end');
      request.cgi.add(chunk, start, end);
    } catch (error) {
      this.#refuse(request, error);
    }
  }

  #onParamsEnd(request: RequestSocket): void {
    if (request.paramsEnded) return;
    request.paramsEnded = true;
    try {
      request.head = readHead(request.cgi, this.limits.maxParamsCount);
      this.#checkLength(request.head.contentLength);
    } catch (error) {
      this.#refuse(request, error);
      return;
    }
    if (request.role === FCGI_AUTHORIZER) {
      // It has no body (section 6.3), and some web servers do not send the end of one.
      request.stdinEnded = true;
      dispatch(request, request.head);
      request.endStdin();
    } else if (request.head.contentLength !== -1 || request.head.chunked) {
      dispatch(request, request.head);
    }
    // Otherwise the next record tells whether there is a body.
  }

  #onStdin(request: RequestSocket, chunk: Buffer): void {
    const { head } = request;
    if (head === undefined) {
      this.#refuse(request, fcgiError('FCGI_ERR_BAD_REQUEST', 'A body before the end of the parameters'));
      return;
    }
    if (request.req === undefined) {
      addChunked(head);
      dispatch(request, head);
    }
    if (request.stdinEnded || request.destroyed) {
      this.#throwAway(chunk.length);
      return;
    }
    const { stdin } = request;
    const length = stdin.bytes + chunk.length;
    try {
      this.#checkLength(length);
      if (head.contentLength !== -1 && length > head.contentLength) {
        throw fcgiError('FCGI_ERR_BODY_OVERRUN', `The body is longer than its ${head.contentLength} bytes`);
      }
      stdin.push(chunk);
    } catch (error) {
      this.#refuse(request, error);
      return;
    }
    if (stdin.paused) this.#regulate();
  }

  #onStdinEnd(request: RequestSocket): void {
    if (request.stdinEnded) return;
    request.stdinEnded = true;
    const { head } = request;
    if (head === undefined) {
      this.#refuse(request, fcgiError('FCGI_ERR_BAD_REQUEST', 'The end of the body before that of the parameters'));
      return;
    }
    if (request.req === undefined) {
      dispatch(request, head);
      if (request.destroyed) return;
    }
    if (head.contentLength > 0 && request.stdin.bytes < head.contentLength) {
      this.#refuse(
        request,
        fcgiError('FCGI_ERR_BODY_UNDERRUN', `The body ended before its ${head.contentLength} bytes`),
      );
    } else {
      request.endStdin();
    }
    if (request.ended) this.#forget(request);
  }

  #onFilterData(request: RequestSocket, chunk: Buffer): void {
    if (request.role !== FCGI_FILTER) {
      this.#throwAway(chunk.length);
      return;
    }
    const { dataInflow } = request;
    try {
      this.#checkLength(dataInflow.bytes + chunk.length);
      dataInflow.push(chunk);
    } catch (error) {
      this.#refuse(request, error);
      return;
    }
    if (dataInflow.paused) this.#regulate();
  }

  #onAbort(id: number): void {
    const request = this.#requests.get(id);
    if (request === undefined) return;
    if (request.ended) {
      // Late, as it may be (section 5.4): the answer and the abort have crossed.
      request.abortInput();
    } else {
      this.#end(request, FCGI_REQUEST_COMPLETE);
      request.destroy();
    }
  }

  #onGetValues(content: Buffer): void {
    const known: Record<string, string> = {
      [FCGI_MAX_CONNS]: variable(this.limits.maxConnections),
      [FCGI_MAX_REQS]: variable(this.limits.maxRequests),
      [FCGI_MPXS_CONNS]: '1',
    };
    const asked = new Set(decodePairs(content).map(([name]) => name));
    if (asked.has(FCGI_MPXS_CONNS)) this.#multiplexed = true;
    this.output.record(encodeGetValuesResult(Object.entries(known).filter(([name]) => asked.has(name))));
  }

  #checkLength(length: number): void {
    const { maxBodyBytes } = this.limits;
    if (length > maxBodyBytes)
      throw fcgiError('FCGI_ERR_BODY_TOO_LARGE', `The body has more than ${maxBodyBytes} bytes`);
  }

  #throwAway(bytes: number): void {
    this.#thrownAway += bytes;
    if (this.#thrownAway > this.limits.maxDrainBytes) this.#socket.destroy();
  }

  // ---- How a request ends ------------------------------------------------------------------------

  onAnswered(request: RequestSocket): void {
    if (request.ended) return;
    const { answer } = request;
    if (answer.overrun > 0) {
      request.log(`FCGI_ERR_RESPONSE_OVERRUN: ${answer.overrun} bytes beyond the Content-Length were cut off\n`);
    }
    if (answer.headTooLong) request.log('FCGI_ERR_RESPONSE_HEAD: the head is longer than a record and was not sent\n');
    // Once the response has begun, only it can tell that the answer is complete.
    const cutShort = request.res?.headersSent === true && !request.res.writableEnded;
    if (!answer.headSent || answer.missing > 0 || cutShort) {
      const missing = !answer.headSent
        ? 'its head'
        : cutShort
          ? 'its end'
          : `${answer.missing} bytes of its Content-Length`;
      request.destroy(fcgiError('FCGI_ERR_RESPONSE_UNDERRUN', `The answer broke off before ${missing}`));
      return;
    }
    this.#end(request, FCGI_REQUEST_COMPLETE);
    request.leaving = true;
    this.output.answered(request);
    if (!this.#reading) this.#flush();
  }

  /** A request that cannot be served. A bare END_REQUEST would be an empty 200 to some web servers. */
  #refuse(request: RequestSocket, error: unknown): void {
    if (!(error instanceof FcgiError)) throw error;
    this.server.emit('clientError', error, this.#socket);
    if (request.ended) {
      // Only who still reads the input is to know.
      request.abortInput(error);
      return;
    }
    if (!request.answer.headSent) {
      request.replaceAnswer(error.status, STATUS_CODES[error.status]!);
      this.#end(request, error.code === 'FCGI_ERR_UNKNOWN_ROLE' ? FCGI_UNKNOWN_ROLE : FCGI_REQUEST_COMPLETE);
    }
    request.destroy(error);
  }

  onDestroyed(request: RequestSocket): void {
    // What still comes for it is thrown away.
    if (!request.stdinEnded) this.#forget(request);
    if (request.ended) return;
    if (this.#live > 1 && !request.answer.headSent) {
      // What web servers answer for a worker that closes without a word; this one has other requests to answer.
      request.replaceAnswer(502, STATUS_CODES[502]!);
      this.#end(request, FCGI_REQUEST_COMPLETE);
    } else {
      this.#broken = true;
      request.ended = true;
      request.flush();
      this.#release(request);
    }
    this.#schedule();
  }

  #end(request: RequestSocket, protocolStatus: number): void {
    request.ended = true;
    request.flush();
    this.output.endRequest(request.id, protocolStatus);
    this.#release(request);
  }

  #release(request: RequestSocket): void {
    this.#live--;
    this.server.live--;
    this.#lastActive = this.server.now;
    if (!request.keepConnection) this.#closing = true;
    if (request.stdinEnded) this.#forget(request);
    if (request.inputPaused) this.#regulate();
  }

  #forget(request: RequestSocket): void {
    // Not deleted: the next request will have the same id, and to make room for it anew costs more.
    if (this.#requests.get(request.id) === request) this.#requests.set(request.id, undefined);
  }

  // ---- What goes out -----------------------------------------------------------------------------

  onOutput(request: RequestSocket): void {
    if (!request.ready) {
      request.ready = true;
      this.#ready.push(request);
    }
    this.#schedule();
  }

  /** What is written in one turn leaves in one write. */
  #schedule(): void {
    if (this.#reading || this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    let full = false;
    for (const request of this.#ready) {
      request.ready = false;
      if (!request.ended) request.flush();
      if (request.writableNeedDrain) full = true;
    }
    this.#ready.length = 0;
    const over = this.#live === 0 && (this.#closing || this.#broken);
    if (over && this.#broken) this.output.record(BROKEN_OFF);
    this.output.flush();
    if (over) this.#halfClose();
    // Where the socket never was full, no 'drain' will come from it.
    if (full && !this.#socket.writableNeedDrain) process.nextTick(() => this.#onDrain());
  }

  #onDrain(): void {
    this.#lastActive = this.server.now;
    if (this.#flooded) {
      this.#flooded = false;
      this.#regulate();
    }
    for (const request of this.#requests.values()) {
      if (request?.writableNeedDrain) request.drain();
    }
  }

  /** An input whose reader has enough is held back where that holds back nothing else; elsewhere it is kept. */
  #regulate(): void {
    let hold = this.#flooded;
    if (!this.#multiplexed)
      for (const request of this.#requests.values()) hold ||= request?.ended === false && request.inputPaused;
    if (hold === this.#socket.isPaused()) return;
    this.#heldSince = this.server.now;
    if (hold) this.#socket.pause();
    else this.#socket.resume();
  }

  onResumed(_request: RequestSocket): void {
    this.#regulate();
  }

  // ---- The end -----------------------------------------------------------------------------------

  /** Closes as soon as no request is under way. */
  close(): void {
    this.#closing = true;
    this.#schedule();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Our side is closed; what the web server still sends is thrown away, as a reset could take the answer with it. */
  #halfClose(): void {
    if (this.#socket.writableEnded) return;
    this.#socket.end();
  }

  /** Looks for what has taken too long. */
  sweep(): void {
    const { headersTimeout, requestTimeout } = this.limits;
    const { now } = this.server;
    for (const request of this.#requests.values()) {
      if (request === undefined) continue;
      const limit = request.paramsEnded ? requestTimeout : headersTimeout;
      if (!request.ended && !request.stdinEnded && now - request.begun > limit) {
        this.#refuse(request, fcgiError('FCGI_ERR_REQUEST_TIMEOUT', `Not all of the request came within ${limit} ms`));
        this.#schedule();
      }
    }
    if (this.#socket.isPaused() && now - this.#heldSince > HOLD_MS) this.#readOn();
    this.#closeIdle(now);
  }

  /**
   * Behind an input held back there may be another request; or the web server may not take the answer before it has
   * sent all of the input. From now on, what the reader does not want is kept.
   */
  #readOn(): void {
    for (const request of this.#requests.values()) {
      if (request?.ended === false && (request.keepConnection || request.writableNeedDrain)) this.#multiplexed = true;
    }
    this.#regulate();
  }

  #closeIdle(now: number): void {
    const { idleTimeout, closeTimeout } = this.limits;
    const socket = this.#socket;
    const sending = this.output.length > 0;
    // Whether the peer takes anything of what is being sent, only the socket itself can see.
    if (sending !== this.#watched && idleTimeout < Number.POSITIVE_INFINITY) {
      this.#watched = sending;
      socket.setTimeout(sending ? idleTimeout : 0);
    }
    if (socket.writableFinished) {
      this.#closedAt ||= now;
      if (now - this.#closedAt > closeTimeout) socket.destroy();
    } else if (!sending && this.#live === 0 && now - this.#lastActive > idleTimeout) {
      socket.destroy();
    }
  }

  /** The web server is out of step: nothing more that it says can be understood. */
  #fail(error: unknown): void {
    if (!(error instanceof FcgiError)) throw error;
    this.server.emit('clientError', error, this.#socket);
    // What was answered before still leaves.
    this.#flush();
    this.#socket.destroySoon();
  }

  /** A web server that closes has given up all requests: it knows no other way to say so. */
  #onPeerEnd(): void {
    try {
      this.#parser.end();
    } catch (error) {
      this.#fail(error);
    }
    if (this.#live > 0) this.#socket.destroy();
  }

  #abandon(): void {
    this.#parser.stop();
    for (const request of this.#requests.values()) {
      if (request === undefined) continue;
      if (request.ended) {
        request.abortInput();
        continue;
      }
      request.ended = true;
      this.#release(request);
      request.destroy();
    }
  }
}

function notFromWebServer(type: number): FcgiError {
  return fcgiError('FCGI_ERR_RECORD', `A web server sends no record of type ${type}`);
}

/** FCGI_MAX_CONNS and FCGI_MAX_REQS are numbers; without a limit, a large one. */
function variable(limit: number): string {
  return String(Math.min(limit, 0x7fffffff));
}
