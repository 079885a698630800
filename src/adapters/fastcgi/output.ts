import type { Socket } from 'node:net';
import type { Connection } from './connection.ts';
import { FCGI_END_REQUEST, FCGI_MAX_LENGTH, FCGI_REQUEST_COMPLETE, FCGI_STDOUT } from './constants.ts';
import { encodeStream, headerText } from './records.ts';
import type { RequestSocket } from './request-socket.ts';

/** Text whose characters are bytes (latin1), or bytes. */
export type Part = string | Uint8Array;

export type WriteCallback = (error?: Error | null) => void;

/** No record has this version; nginx takes the mere end of a connection for the end of an answer. */
const BROKEN_OFF = Buffer.alloc(8, 0xff);

/** By so much it comes later: nginx passes on nothing of what it reads together with it. */
const BREAK_MS = 20;

/** Up to here, bytes are copied behind their record header; beyond, copying costs more than one more `iovec`. */
const COPY_BYTES = 16 * 1024;

/**
 * The records on their way to the web server. What is written in one turn leaves in one write: of a small answer its
 * head, its body and the end of the request. As long as all of it is text it leaves as one string, since Node hands a
 * string to the system without making a Buffer of it.
 */
export class Output {
  /** More may be written before this turn is over: only `flush` itself lets anything leave. */
  held = false;
  /** It ends as soon as no request is under way. */
  closing = false;

  readonly #connection: Connection;
  readonly #socket: Socket;
  /** Whose answers were broken off. */
  readonly #brokenOff: RequestSocket[] = [];
  /** What the web server is told of them waits for its time, or need not any more. */
  #break: 'none' | 'waiting' | 'due' = 'none';
  #queue: RequestSocket[] = [];
  #scheduled = false;
  #text = '';
  #parts: Part[] = [];
  #bytes = 0;
  #callbacks: WriteCallback[] = [];
  #answers: RequestSocket[] = [];

  constructor(connection: Connection, socket: Socket) {
    this.#connection = connection;
    this.#socket = socket;
  }

  /** Bytes that have not reached the system yet. */
  get length(): number {
    return this.#bytes + this.#socket.writableLength;
  }

  /** Those of them that the system has no room for. */
  get blocked(): number {
    return this.#socket.writableLength;
  }

  /** Content of a stream, in as few records as hold it; one if it is no longer than 65535 bytes. */
  stream(type: number, id: number, parts: readonly Part[], bytes: number): void {
    if (bytes > FCGI_MAX_LENGTH) {
      for (const part of parts) this.#long(type, id, part);
    } else {
      this.#add(headerText(type, id, bytes), 8);
      for (const part of parts) this.#add(part, part.length);
    }
  }

  /** The end of STDOUT and of the request (sections 5.3 and 5.5). */
  endRequest(id: number, protocolStatus: number): void {
    const usual = id === 1 && protocolStatus === FCGI_REQUEST_COMPLETE;
    this.#add(usual ? USUAL_END : endRecords(id, protocolStatus), 24);
  }

  record(bytes: Uint8Array): void {
    this.#add(bytes, bytes.length);
  }

  /** Only the connection can tell the web server that an answer is broken off; it waits for the other requests. */
  breakOff(request: RequestSocket): void {
    this.#brokenOff.push(request);
  }

  get broken(): boolean {
    return this.#brokenOff.length > 0;
  }

  /** Calls back when all that was added so far has reached the system, or with the error that kept it from it. */
  onWritten(callback: WriteCallback): void {
    this.#callbacks.push(callback);
  }

  /** Tells it, after the callbacks, that its answer has reached the system; before them, that it has not. */
  answered(request: RequestSocket): void {
    this.#answers.push(request);
  }

  /** The request has something to send. */
  enqueue(request: RequestSocket): void {
    if (!request.queued) {
      request.queued = true;
      this.#queue.push(request);
    }
    this.schedule();
  }

  schedule(): void {
    if (this.held || this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(() => this.flush());
  }

  flush(): void {
    this.#scheduled = false;
    let full = false;
    const queue = this.#queue;
    if (queue.length > 0) {
      this.#queue = [];
      for (const request of queue) {
        request.queued = false;
        if (!request.ended) request.flush();
        if (request.writableNeedDrain) full = true;
      }
    }
    const socket = this.#socket;
    let last = (this.closing || this.broken) && this.#connection.idle && !socket.writableEnded;
    if (last && this.broken && this.#break !== 'due') {
      last = false;
      if (this.#break === 'none') setTimeout(() => this.#breakNow(), BREAK_MS);
      this.#break = 'waiting';
    }
    if (last && this.broken) {
      // HAProxy 2.6 falls over an error that comes by itself in the middle of an answer.
      for (const request of this.#brokenOff) request.flushStderr();
      this.record(BROKEN_OFF);
    }
    this.#write();
    // Where the socket never was full, no 'drain' will come from it. As a Writable's, it comes before the callbacks. One
    // that is destroyed has no room: to say otherwise would keep whoever writes without end so busy that its 'close'
    // never comes.
    if (full && !socket.writableNeedDrain && !socket.destroyed) process.nextTick(() => this.#connection.onDrain());
    this.#settle();
    // What the web server still sends is thrown away: a reset could take the answer with it. Where it has no more to send,
    // it may not close its side until it needs the connection again, as Apache does.
    if (last && !this.broken && this.#connection.requests.settled) socket.destroySoon();
    else if (last) socket.end();
  }

  #breakNow(): void {
    this.#break = 'due';
    this.flush();
  }

  #write(): void {
    if (this.#bytes === 0) return;
    const text = this.#text;
    this.#text = '';
    this.#bytes = 0;
    if (this.#parts.length === 0) this.#socket.write(text, 'latin1');
    else this.#writeParts(text);
  }

  #settle(): void {
    if (this.#callbacks.length === 0 && this.#answers.length === 0) return;
    const socket = this.#socket;
    const callbacks = this.#callbacks;
    const answers = this.#answers;
    this.#callbacks = [];
    this.#answers = [];
    // The system took it at once, as it mostly does: to hear so from the socket costs more.
    if (socket.writableLength === 0 && socket.writable) process.nextTick(settle, callbacks, answers, null);
    else socket.write('', (error) => settle(callbacks, answers, error));
  }

  #writeParts(text: string): void {
    const parts = this.#parts;
    this.#parts = [];
    if (text !== '') parts.push(text);
    this.#socket.cork();
    for (const part of parts) this.#socket.write(part as string, 'latin1');
    this.#socket.uncork();
  }

  #add(part: Part, bytes: number): void {
    this.#bytes += bytes;
    if (typeof part === 'string') {
      this.#text += part;
    } else if (bytes <= COPY_BYTES) {
      // Small bytes between text, as a body behind its head: as text they leave in the same string.
      this.#text += Buffer.from(part.buffer, part.byteOffset, bytes).toString('latin1');
    } else {
      if (this.#text !== '') this.#parts.push(this.#text);
      this.#text = '';
      this.#parts.push(part);
    }
  }

  #long(type: number, id: number, part: Part): void {
    const bytes = typeof part === 'string' ? Buffer.from(part, 'latin1') : part;
    for (const piece of encodeStream(type, id, bytes)) this.#add(piece, piece.length);
  }
}

function settle(callbacks: WriteCallback[], answers: RequestSocket[], error: Error | null | undefined): void {
  if (error) for (const answered of answers.splice(0)) answered.fail();
  try {
    while (callbacks.length > 0) callbacks.shift()!(error ?? null);
    while (answers.length > 0) answers.shift()!.finish();
  } finally {
    // Where one of the application's has thrown, the others still are to hear.
    if (callbacks.length > 0 || answers.length > 0) process.nextTick(settle, callbacks, answers, error);
  }
}

function endRecords(id: number, protocolStatus: number): string {
  const end = headerText(FCGI_STDOUT, id, 0) + headerText(FCGI_END_REQUEST, id, 8);
  return `${end}\0\0\0\0${String.fromCharCode(protocolStatus)}\0\0\0`;
}

/** Nearly every answer of nearly every web server ends so. */
const USUAL_END = endRecords(1, FCGI_REQUEST_COMPLETE);
