import { Readable } from 'node:stream';
import type { ReadableStream as WebStream } from 'node:stream/web';
import { fcgiError } from '../../core/errors.ts';
import { Backlog } from '../fastcgi/backlog.ts';
import type { ClientLimits } from './options.ts';

/** What can be sent as a body, or as a Filter's data. Strings are sent as UTF-8. */
export type Body =
  | string
  | Uint8Array
  | ArrayBuffer
  | Blob
  | ReadableStream
  | AsyncIterable<string | Uint8Array>
  | null
  | undefined;

/** A body to be sent: bytes, which can be sent again, or a stream, which cannot. Of `length` -1 until it is counted. */
export class Outgoing {
  readonly bytes: Buffer | undefined;
  readonly stream: Readable | undefined;
  readonly length: number;

  constructor(bytes: Buffer | undefined, stream: Readable | undefined, length: number) {
    this.bytes = bytes;
    this.stream = stream;
    this.length = length;
  }

  /** Nobody will read it any more. */
  drop(): void {
    this.stream?.on('error', () => {}).destroy();
  }
}

export const NOTHING = new Outgoing(Buffer.alloc(0), undefined, 0);

/**
 * @param length Bytes, where they are known without counting.
 * @throws FcgiError FCGI_ERR_ARGUMENT; FCGI_ERR_BODY_OVERRUN, FCGI_ERR_BODY_UNDERRUN: there are more or fewer.
 */
export function outgoing(body: Body, length?: number): Outgoing {
  const bytes = bytesOf(body);
  if (bytes !== undefined) {
    if (length !== undefined && length !== bytes.length) throw wrongLength(bytes.length, length);
    return bytes.length === 0 ? NOTHING : new Outgoing(bytes, undefined, bytes.length);
  }
  if (body instanceof Blob) return new Outgoing(undefined, Readable.fromWeb(body.stream() as WebStream), body.size);
  return new Outgoing(undefined, streamOf(body), length ?? -1);
}

/** Of a request that cannot be sent: nobody will read it. */
export function discard(body: unknown): void {
  try {
    outgoing(body as Body).drop();
  } catch {
    // It is no body, or another's.
  }
}

function bytesOf(body: Body): Buffer | undefined {
  if (body === undefined || body === null) return NOTHING.bytes;
  if (typeof body === 'string') return Buffer.from(body);
  if (body instanceof Uint8Array) return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (body instanceof ArrayBuffer) return Buffer.from(body);
  return undefined;
}

function streamOf(body: Body): Readable {
  if (body instanceof Readable) return body;
  if (body instanceof ReadableStream) return Readable.fromWeb(body as WebStream);
  if (typeof body === 'object' && body !== null && Symbol.asyncIterator in body) return Readable.from(body);
  throw fcgiError('FCGI_ERR_ARGUMENT', 'A body is a string, bytes, a Blob, a stream or an async iterable');
}

export function wrongLength(bytes: number, length: number) {
  return bytes > length
    ? fcgiError('FCGI_ERR_BODY_OVERRUN', `The body is longer than the ${length} bytes that it was said to have`)
    : fcgiError('FCGI_ERR_BODY_UNDERRUN', `The body has ${bytes} bytes, and was said to have ${length}`);
}

export type SpoolLimits = Pick<ClientLimits, 'maxBufferedBytes' | 'maxSpooledBytes'>;

/**
 * Counts a body by keeping it, in memory and then in a temporary file: PHP reads no more than CONTENT_LENGTH says.
 *
 * @throws FcgiError FCGI_ERR_BODY_TOO_LARGE; what the body's stream fails with; the signal's reason.
 */
export async function spool(body: Outgoing, limits: SpoolLimits, signal: AbortSignal | undefined): Promise<Outgoing> {
  const stream = body.stream!;
  const backlog = new Backlog(limits.maxBufferedBytes);
  let onAbort = () => {};
  // A generator that waits is destroyed when it goes on: whoever gives up does not wait for that.
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      stream.destroy(signal!.reason);
      reject(signal!.reason);
    };
  });
  signal?.addEventListener('abort', onAbort);
  try {
    const length = await Promise.race([keep(stream, backlog, limits.maxSpooledBytes), aborted]);
    signal?.throwIfAborted();
    return new Outgoing(undefined, readableFrom(backlog), length);
  } catch (error) {
    backlog.close();
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Resolves with the number of bytes. */
async function keep(stream: Readable, backlog: Backlog, maxBytes: number): Promise<number> {
  let length = 0;
  for await (const chunk of stream) {
    const bytes = toBytes(chunk);
    length += bytes.length;
    if (length > maxBytes) throw fcgiError('FCGI_ERR_BODY_TOO_LARGE', `The body has more than ${maxBytes} bytes`);
    backlog.push(bytes);
  }
  return length;
}

/** A stream's chunk, which is text if it has an encoding. */
export function toBytes(chunk: unknown): Buffer {
  const bytes = bytesOf(chunk as Body);
  if (bytes === undefined || chunk === null) throw fcgiError('FCGI_ERR_ARGUMENT', 'A body consists of text or bytes');
  return bytes;
}

function readableFrom(backlog: Backlog): Readable {
  return new Readable({
    read() {
      this.push(backlog.shift() ?? null);
    },
    destroy(error, callback) {
      backlog.close();
      callback(error);
    },
  });
}
