import { fcgiError } from '../../core/errors.ts';
import {
  FCGI_ABORT_REQUEST,
  FCGI_BEGIN_REQUEST,
  FCGI_DATA,
  FCGI_END_REQUEST,
  FCGI_GET_VALUES,
  FCGI_HEADER_LEN,
  FCGI_MAX_LENGTH,
  FCGI_MAXTYPE,
  FCGI_NULL_REQUEST_ID,
  FCGI_PARAMS,
  FCGI_UNKNOWN_TYPE,
  FCGI_VERSION_1,
} from './constants.ts';

/**
 * What a `RecordParser` tells. Bytes come as `chunk[start, end)`, lent for the time of the call: what is kept is to be copied.
 * They lie in what was written to the parser, where others may be read into later; or, of a record that is no stream and came
 * in pieces, in a buffer of the parser's own.
 */
export interface RecordHandler {
  /**
   * A whole record of a type that is no stream: BEGIN_REQUEST, ABORT_REQUEST, END_REQUEST, GET_VALUES,
   * GET_VALUES_RESULT or UNKNOWN_TYPE. Its content is `chunk[start, end)`.
   */
  onRecord(type: number, requestId: number, chunk: Buffer, start: number, end: number): void;
  /**
   * A piece, never empty, of the content of PARAMS, STDIN, STDOUT, STDERR or DATA. One record may come in several
   * pieces.
   */
  onData(type: number, requestId: number, chunk: Buffer, start: number, end: number): void;
  /** The empty record that ends a stream. */
  onDataEnd(type: number, requestId: number): void;
  /** A record of a type that this version of the protocol does not know. Its content is skipped. */
  onUnknown(type: number, requestId: number): void;
}

/**
 * Finds the records (section 3.3) in bytes that come in chunks cut anywhere, from either side of a connection.
 *
 * Stream content is passed on as it comes; what is held from one chunk to the next is at most a header and one record
 * that is no stream.
 */
export class RecordParser {
  readonly #handler: RecordHandler;
  readonly #maxRecordBytes: number;

  // The record being read: what of its content and of its padding is still to come.
  #type = 0;
  #requestId = 0;
  #content = 0;
  #padding = 0;

  // What the chunks before this one left: the first bytes of a header, or of a record that is no stream.
  readonly #header = Buffer.allocUnsafe(FCGI_HEADER_LEN);
  #headerBytes = 0;
  #record: Buffer | undefined;

  #stopped = false;

  /**
   * @param maxRecordBytes The most content bytes of a record that is no stream. Default 65535, the most there can be.
   */
  constructor(handler: RecordHandler, maxRecordBytes: number = FCGI_MAX_LENGTH) {
    this.#handler = handler;
    this.#maxRecordBytes = maxRecordBytes;
  }

  /**
   * Reads a chunk, calling the handler from within. After an error, be it the handler's own, all else is ignored.
   *
   * @throws FcgiError FCGI_ERR_VERSION: the peer speaks something else. FCGI_ERR_RECORD: a record that cannot be.
   */
  write(chunk: Buffer): void {
    if (this.#stopped) return;
    try {
      this.#read(chunk);
    } catch (error) {
      this.#stopped = true;
      throw error;
    }
  }

  /**
   * The peer will send no more.
   *
   * @throws FcgiError FCGI_ERR_TRUNCATED if it stopped inside a record.
   */
  end(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    if (this.isWithinRecord) {
      throw fcgiError('FCGI_ERR_TRUNCATED', 'The connection was closed inside a record');
    }
  }

  /** Whether a record has begun, and not all of it has come. */
  get isWithinRecord(): boolean {
    return this.#headerBytes > 0 || this.#content > 0 || this.#padding > 0;
  }

  /** From now on nothing is delivered. The handler may call it from inside a callback. */
  stop(): void {
    this.#stopped = true;
    this.#record = undefined;
  }

  #read(chunk: Buffer): void {
    let offset = 0;
    if (this.#headerBytes > 0) {
      offset = chunk.copy(this.#header, this.#headerBytes);
      this.#headerBytes += offset;
      if (this.#headerBytes < FCGI_HEADER_LEN) return;
      this.#headerBytes = 0;
      this.#begin(this.#header, 0);
    }
    if (this.#content > 0 || this.#padding > 0) offset = this.#continue(chunk, offset);
    while (!this.#stopped && chunk.length - offset >= FCGI_HEADER_LEN) {
      this.#begin(chunk, offset);
      offset = this.#continue(chunk, offset + FCGI_HEADER_LEN);
    }
    if (!this.#stopped && offset < chunk.length) this.#headerBytes = chunk.copy(this.#header, 0, offset);
  }

  /** Reads a header. A record without content is complete by that. */
  #begin(bytes: Buffer, offset: number): void {
    if (bytes[offset] !== FCGI_VERSION_1) {
      throw fcgiError('FCGI_ERR_VERSION', `Not FastCGI version 1: a record begins with byte ${bytes[offset]}`);
    }
    const type = bytes[offset + 1]!;
    const requestId = (bytes[offset + 2]! << 8) | bytes[offset + 3]!;
    const content = (bytes[offset + 4]! << 8) | bytes[offset + 5]!;
    this.#type = type;
    this.#requestId = requestId;
    this.#content = content;
    this.#padding = bytes[offset + 6]!;

    if (isStream(type)) {
      if (requestId === FCGI_NULL_REQUEST_ID) this.#fail('needs a request id');
      if (content === 0) this.#handler.onDataEnd(type, requestId);
    } else if (isKnown(type)) {
      this.#check(type, requestId, content);
      if (content === 0) this.#handler.onRecord(type, requestId, bytes, offset, offset);
    } else {
      this.#handler.onUnknown(type, requestId);
    }
  }

  /** Passes on what the chunk holds of the current record's content and padding. Returns the offset after it. */
  #continue(chunk: Buffer, offset: number): number {
    if (this.#content > 0) {
      const end = Math.min(offset + this.#content, chunk.length);
      if (end > offset) {
        if (isStream(this.#type)) {
          this.#content -= end - offset;
          this.#handler.onData(this.#type, this.#requestId, chunk, offset, end);
        } else if (isKnown(this.#type)) {
          this.#gather(chunk, offset, end);
        } else {
          this.#content -= end - offset;
        }
      }
      offset = end;
    }
    const padding = Math.min(this.#padding, chunk.length - offset);
    this.#padding -= padding;
    return offset + padding;
  }

  /** A record that is no stream is delivered whole: copied only if it lies in several chunks. */
  #gather(chunk: Buffer, start: number, end: number): void {
    const missing = this.#content;
    this.#content -= end - start;
    if (this.#record === undefined && this.#content === 0) {
      this.#handler.onRecord(this.#type, this.#requestId, chunk, start, end);
      return;
    }
    this.#record ??= Buffer.allocUnsafe(missing);
    const record = this.#record;
    chunk.copy(record, record.length - missing, start, end);
    if (this.#content > 0) return;
    this.#record = undefined;
    this.#handler.onRecord(this.#type, this.#requestId, record, 0, record.length);
  }

  #check(type: number, requestId: number, content: number): void {
    if (isManagement(type) !== (requestId === FCGI_NULL_REQUEST_ID)) {
      this.#fail(isManagement(type) ? 'must have request id 0' : 'needs a request id');
    }
    const length = bodyLength(type);
    if (length !== undefined && content !== length) this.#fail(`must have ${length} content bytes`);
    if (content > this.#maxRecordBytes) this.#fail(`has more than ${this.#maxRecordBytes} content bytes`);
  }

  #fail(what: string): never {
    const record = `type ${this.#type}, request id ${this.#requestId}, ${this.#content} content bytes`;
    throw fcgiError('FCGI_ERR_RECORD', `A record of its type ${what} (${record})`);
  }
}

function isStream(type: number): boolean {
  return type >= FCGI_PARAMS && type <= FCGI_DATA;
}

function isKnown(type: number): boolean {
  return type >= FCGI_BEGIN_REQUEST && type <= FCGI_MAXTYPE;
}

function isManagement(type: number): boolean {
  return type >= FCGI_GET_VALUES;
}

/** The content bytes of the types that have a body of fixed length (section 8). */
function bodyLength(type: number): number | undefined {
  switch (type) {
    case FCGI_BEGIN_REQUEST:
    case FCGI_END_REQUEST:
    case FCGI_UNKNOWN_TYPE:
      return 8;
    case FCGI_ABORT_REQUEST:
      return 0;
    default:
      return undefined;
  }
}
