import { Writable } from 'node:stream';
import { outside } from '../ambient.ts';
import { FCGI_STDERR } from './constants.ts';
import type { RequestSocket } from './request-socket.ts';

/** A web server's log line: control characters could forge lines or drive a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

/** nginx and others log a record as one line of limited length. */
const RECORD_BYTES = 8 * 1024;

/**
 * FCGI_STDERR of one request: the web server's error log. It waits until the answer's head has been sent, since some
 * web servers take an error before the head for a failure, for HAProxy even until the answer ends; and is bounded, since
 * some keep all of it in memory.
 */
export class StderrStream extends Writable {
  readonly #request: RequestSocket;
  /** Bytes that may still come. */
  #left: number;
  #waiting: Buffer[] = [];
  /** HAProxy 2.6 ends with a segmentation fault over an error in the middle of an answer. */
  readonly waitsForEnd: boolean;

  constructor(request: RequestSocket, maxBytes: number) {
    super();
    this.#request = request;
    this.#left = maxBytes;
    this.waitsForEnd = request.cgi.get('SERVER_SOFTWARE').startsWith('HAProxy');
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.add(chunk.toString());
    callback();
  }

  add(text: string): void {
    const clean = text.replace(CONTROL, '?');
    if (this.#request.ended) {
      // Within a decorated function, `process.stderr` is this stream.
      outside(() => process.stderr.write(clean));
      return;
    }
    const bytes = Buffer.from(clean).subarray(0, this.#left);
    this.#left -= bytes.length;
    if (bytes.length > 0) this.#waiting.push(bytes);
    this.#request.connection.output.enqueue(this.#request);
  }

  /** Hands over what waits. Called with the answer's head behind it, or with the end of the request before it. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    const bytes = Buffer.concat(this.#waiting);
    this.#waiting = [];
    for (let at = 0; at < bytes.length; at += RECORD_BYTES) {
      const piece = bytes.subarray(at, at + RECORD_BYTES);
      this.#request.connection.output.stream(FCGI_STDERR, this.#request.id, [piece], piece.length);
    }
  }
}
