import { Readable } from 'node:stream';
import type { CgiHead } from '../../core/cgi-head.ts';

/** The answer to one request. */
export interface FcgiResponse {
  /** 200 to 999. */
  readonly status: number;
  /** The reason phrase, or an empty string. */
  readonly statusText: string;
  readonly headers: ResponseHeaders;
  /** The headers as they came: each with its name as it was written, none joined. */
  readonly rawHeaders: readonly (readonly [name: string, value: string])[];
  /**
   * The body, which has to be read or destroyed: what is not read holds the connection. An answer that is cut off is an
   * error of this stream, never its end: FCGI_ERR_CLIENT_CLOSED, FCGI_ERR_CLIENT_TIMEOUT, FCGI_ERR_CLIENT_PROTOCOL.
   */
  readonly stdout: Readable;
  /** What goes to the error log, up to `maxStderrBytes` unread; it may be left unread. Empty if there is an `onStderr`. */
  readonly stderr: Readable;
  /** What stands for an exit status, at the end of the answer. Rejects as `stdout` fails; nobody has to look. */
  readonly appStatus: Promise<number>;
}

/** The headers of an answer by their names in lower case, as node:http has them. */
export interface ResponseHeaders {
  [name: string]: string | string[] | undefined;
  'set-cookie'?: string[];
}

/** Of these the last one counts (RFC 3875, section 6.3, allows but one). */
const ONCE = new Set(['content-type', 'content-length', 'location']);

/** Several of one name are joined by a comma, but for Set-Cookie. Status is not among them. */
export function headersOf({ headers }: CgiHead): ResponseHeaders {
  const byName: ResponseHeaders = Object.create(null);
  for (const [givenName, value] of headers) {
    const name = givenName.toLowerCase();
    const before = byName[name];
    if (name === 'set-cookie') byName[name] = [...(before ?? []), value];
    else if (name !== 'status') byName[name] = before === undefined || ONCE.has(name) ? value : `${before}, ${value}`;
  }
  return byName;
}

/** Whoever sends a `ResponseBody`. */
export interface BodySource {
  /** The reader wants more. */
  onRead(): void;
  /** The reader wants no more; or there is no more. */
  onClosed(): void;
}

/** The body of an answer. */
export class ResponseBody extends Readable {
  /** All of it is here, read or not. */
  complete = false;
  readonly #source: BodySource;

  constructor(source: BodySource) {
    super();
    this.#source = source;
  }

  finish(): void {
    this.complete = true;
    this.push(null);
  }

  override _read(): void {
    this.#source.onRead();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#source.onClosed();
    // Whoever waits for the answer must have had a chance to listen before an error that came with its head is told.
    if (error && this.readableFlowing === null) setImmediate(callback, error);
    else callback(error);
  }
}
