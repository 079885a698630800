import { FCGI_STDOUT } from './constants.ts';
import { destroyedError } from './node-errors.ts';
import type { Output, Part, WriteCallback } from './output.ts';
import { readRawHead } from './response-head.ts';

/** The most bytes of a head: it must lie in one STDOUT record. */
const MAX_HEAD = 0xfff8;

/** Characters of a head that somebody writes to the socket himself, piece by piece. */
const MAX_RAW_HEAD = 64 * 1024;

/**
 * What is written of one answer: HTTP's head and body become STDOUT's. The head is never cut, and no more of the body
 * leaves than its Content-Length says.
 */
export class Answer {
  /** Bytes that wait here. */
  length = 0;
  bytesWritten = 0;
  headSent = false;

  /** The head fits in no record: a plain 500 is in its place. */
  #headTooLong = false;
  /** Bytes by which the body was longer than its Content-Length. */
  #overrun = 0;
  #parts: Part[] = [];
  #callbacks: WriteCallback[] = [];
  /** Characters of the response's own head, which begins what is written next. */
  #headLength = 0;
  /** Bytes of the body still to come, if that is known. */
  #bodyLeft = Number.POSITIVE_INFINITY;
  #raw = '';

  /** What was wrong with it and could be mended, in words for the log; '' if nothing was. */
  get flaw(): string {
    if (this.#headTooLong) return 'FCGI_ERR_RESPONSE_HEAD: the head is longer than a record and was not sent';
    if (this.#overrun === 0) return '';
    return `FCGI_ERR_RESPONSE_OVERRUN: ${this.#overrun} bytes beyond the Content-Length were cut off`;
  }

  /**
   * Where it broke off, in words; '' if it is whole.
   *
   * @param ended Whether the response that was begun has been ended.
   */
  missing(ended: boolean): string {
    if (!this.headSent) return 'its head';
    if (!ended) return 'its end';
    const left = this.#bodyLeft;
    return left === 0 || left === Number.POSITIVE_INFINITY ? '' : `${left} bytes of its Content-Length`;
  }

  /** The response has made its head, `length` characters; it will come with what is written next. */
  expectHead(length: number, bodyLength: number): void {
    this.#headLength = length;
    this.#bodyLeft = bodyLength;
  }

  /** @param byResponse Whether it comes from the response that made the head, and not from somebody who writes HTTP himself. */
  write(data: Part, encoding: BufferEncoding | null, byResponse: boolean): void {
    if (this.headSent) {
      if (!this.#headTooLong) this.#add(data, encoding, 0);
    } else if (byResponse && this.#headLength > 0) {
      this.#begin(data, encoding, this.#headLength);
    } else {
      this.#writeRaw(data, encoding);
    }
  }

  #begin(data: Part, encoding: BufferEncoding | null | undefined, head: number): void {
    this.headSent = true;
    // In UTF-8 a character of it can be two bytes.
    if (head <= MAX_HEAD / 2 || Buffer.byteLength(data.slice(0, head), encoding ?? 'utf8') <= MAX_HEAD) {
      this.#add(data, encoding, head);
    } else {
      this.#headTooLong = true;
      this.replace(500, 'Internal Server Error', this.#bodyLeft > 0);
    }
  }

  /** @param head How many characters of the data are the head's. */
  #add(data: Part, encoding: BufferEncoding | null | undefined, head: number): void {
    let part = data;
    // Text of ASCII alone is its own bytes.
    if (typeof data === 'string' && (Buffer.byteLength(data) !== data.length || !isText(encoding))) {
      part = Buffer.from(data, encoding ?? 'utf8');
      if (head > 0) head = Buffer.byteLength(data.slice(0, head), encoding ?? 'utf8');
    }
    let length = part.length;
    const over = length - head - this.#bodyLeft;
    if (over > 0) {
      this.#overrun += over;
      length -= over;
      part = typeof part === 'string' ? part.slice(0, length) : part.subarray(0, length);
    }
    this.#bodyLeft -= length - head;
    this.bytesWritten += length;
    this.length += length;
    if (length > 0) this.#parts.push(part);
  }

  /** Somebody writes HTTP to the socket, not through the response. */
  #writeRaw(data: Part, encoding: BufferEncoding | null | undefined): void {
    const bytes = typeof data === 'string' ? Buffer.from(data, encoding ?? 'utf8') : Buffer.from(data);
    const text = this.#raw + bytes.toString('latin1');
    const raw = readRawHead(text);
    this.#raw = raw === undefined ? text.slice(0, MAX_RAW_HEAD) : '';
    if (raw === undefined) return;
    this.#begin(Buffer.from(raw.head + raw.rest, 'latin1'), null, raw.head.length);
  }

  /** Puts an answer of the server's own in the place of whatever waits. */
  replace(status: number, statusText: string, hasBody: boolean): void {
    const body = `${status} ${statusText}\n`;
    const head = `Status: ${status} ${statusText}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\n\r\n`;
    this.#drop();
    this.headSent = true;
    this.#bodyLeft = Number.POSITIVE_INFINITY;
    this.#add(hasBody ? head + body : head, null, head.length);
  }

  /** Calls back when all that was written so far has reached the system. */
  onWritten(callback: WriteCallback): void {
    this.#callbacks.push(callback);
  }

  flushTo(output: Output, id: number): void {
    if (this.length > 0) output.stream(FCGI_STDOUT, id, this.#parts, this.length);
    for (const callback of this.#callbacks) output.onWritten(callback);
    this.#callbacks = [];
    this.#parts = [];
    this.length = 0;
  }

  /** What has not been handed over never will be. Its callbacks get the error, or Node's own. */
  clear(errored: Error | null): void {
    const callbacks = this.#callbacks;
    if (callbacks.length > 0) {
      this.#callbacks = [];
      const error = errored ?? destroyedError('write');
      for (const callback of callbacks) process.nextTick(callback, error);
    }
    // Nothing of it has left.
    if (this.bytesWritten === this.length) this.headSent = false;
    this.#drop();
  }

  #drop(): void {
    this.#parts = [];
    this.length = 0;
  }
}

function isText(encoding: string | null | undefined): boolean {
  return encoding === undefined || encoding === null || encoding === 'utf8' || encoding === 'latin1';
}
