import { fcgiError } from '../../core/errors.ts';
import {
  FCGI_ABORT_REQUEST,
  FCGI_BEGIN_REQUEST,
  FCGI_END_REQUEST,
  FCGI_GET_VALUES,
  FCGI_GET_VALUES_RESULT,
  FCGI_HEADER_LEN,
  FCGI_MAX_LENGTH,
  FCGI_NULL_REQUEST_ID,
  FCGI_UNKNOWN_TYPE,
  FCGI_VERSION_1,
} from './constants.ts';
import { encodePairs, type Pairs } from './pairs.ts';

/** The content of FCGI_BEGIN_REQUEST (section 5.1). */
export interface BeginRequest {
  /** FCGI_RESPONDER, FCGI_AUTHORIZER, FCGI_FILTER, or a number that this version does not know. */
  role: number;
  /** FCGI_KEEP_CONN, or 0. */
  flags: number;
}

/** The content of FCGI_END_REQUEST (section 5.5). */
export interface EndRequest {
  /** As an exit status in CGI; unsigned, 32 bits. */
  appStatus: number;
  /** FCGI_REQUEST_COMPLETE, FCGI_CANT_MPX_CONN, FCGI_OVERLOADED or FCGI_UNKNOWN_ROLE. */
  protocolStatus: number;
}

/** A record found among bytes. */
export interface DecodedRecord {
  type: number;
  requestId: number;
  /** Where it lies: not copied. */
  content: Buffer;
  /** The offset after it, and after its padding. */
  end: number;
}

/** The most content of a record that needs no padding to be aligned. */
const ALIGNED_LENGTH = FCGI_MAX_LENGTH & ~7;

/** Writes a record's header (section 3.3) into the buffer. Returns the offset after it. */
export function writeHeader(
  buffer: Buffer,
  offset: number,
  type: number,
  requestId: number,
  contentLength: number,
  paddingLength: number,
): number {
  buffer[offset] = FCGI_VERSION_1;
  buffer[offset + 1] = type;
  buffer[offset + 2] = requestId >>> 8;
  buffer[offset + 3] = requestId;
  buffer[offset + 4] = contentLength >>> 8;
  buffer[offset + 5] = contentLength;
  buffer[offset + 6] = paddingLength;
  buffer[offset + 7] = 0;
  return offset + FCGI_HEADER_LEN;
}

/** A record's header, without padding, as text, a character a byte (latin1). */
export function headerText(type: number, requestId: number, length: number): string {
  return String.fromCharCode(1, type, requestId >>> 8, requestId & 255, length >>> 8, length & 255, 0, 0);
}

/**
 * One record, padded to a multiple of 8 bytes as section 3.3 recommends. Without content it is the record that ends a
 * stream.
 *
 * @throws FcgiError FCGI_ERR_ARGUMENT for more than 65535 bytes of content: use `encodeStream`.
 */
export function encodeRecord(type: number, requestId: number, content?: Uint8Array): Buffer {
  const length = content === undefined ? 0 : content.length;
  if (length > FCGI_MAX_LENGTH) {
    throw fcgiError('FCGI_ERR_ARGUMENT', `A record carries at most ${FCGI_MAX_LENGTH} bytes, not ${length}`);
  }
  const padding = -length & 7;
  const record = Buffer.allocUnsafe(FCGI_HEADER_LEN + length + padding);
  writeHeader(record, 0, type, requestId, length, padding);
  if (content !== undefined) record.set(content, FCGI_HEADER_LEN);
  return record.fill(0, FCGI_HEADER_LEN + length);
}

/**
 * The record at `offset`, or undefined if it is not all there. `RecordParser` finds those that come in pieces.
 *
 * @throws FcgiError FCGI_ERR_VERSION
 */
export function decodeRecord(bytes: Buffer, offset = 0): DecodedRecord | undefined {
  const start = offset + FCGI_HEADER_LEN;
  if (start > bytes.length) return undefined;
  if (bytes[offset] !== FCGI_VERSION_1) {
    throw fcgiError('FCGI_ERR_VERSION', `Not FastCGI version 1: a record begins with byte ${bytes[offset]}`);
  }
  const contentEnd = start + bytes.readUInt16BE(offset + 4);
  const end = contentEnd + bytes[offset + 6]!;
  if (end > bytes.length) return undefined;
  const content = bytes.subarray(start, contentEnd);
  return { type: bytes[offset + 1]!, requestId: bytes.readUInt16BE(offset + 2), content, end };
}

/**
 * Stream content of any length as records: headers and views of the content in turn, for `writev`; nothing is copied.
 * No content gives no record, as an empty one would end the stream.
 */
export function encodeStream(type: number, requestId: number, content: Uint8Array): Uint8Array[] {
  const buffers: Uint8Array[] = [];
  for (let start = 0; start < content.length; start += ALIGNED_LENGTH) {
    const piece = content.subarray(start, start + ALIGNED_LENGTH);
    const header = Buffer.allocUnsafe(FCGI_HEADER_LEN);
    writeHeader(header, 0, type, requestId, piece.length, 0);
    buffers.push(header, piece);
  }
  return buffers;
}

/** The record with which the web server begins a request. */
export function encodeBeginRequest(requestId: number, role: number, flags: number): Buffer {
  const record = Buffer.alloc(FCGI_HEADER_LEN + 8);
  writeHeader(record, 0, FCGI_BEGIN_REQUEST, requestId, 8, 0);
  record.writeUInt16BE(role, 8);
  record[10] = flags;
  return record;
}

/** The content of FCGI_BEGIN_REQUEST, 8 bytes at `offset`. */
export function decodeBeginRequest(bytes: Buffer, offset = 0): BeginRequest {
  return { role: bytes.readUInt16BE(offset), flags: bytes[offset + 2]! };
}

/** The record with which the web server gives a request up (section 5.4). */
export function encodeAbortRequest(requestId: number): Buffer {
  return encodeRecord(FCGI_ABORT_REQUEST, requestId);
}

/** Writes the record with which the application ends a request into the buffer. Returns the offset after it. */
export function writeEndRequest(
  buffer: Buffer,
  offset: number,
  requestId: number,
  appStatus: number,
  protocolStatus: number,
): number {
  offset = writeHeader(buffer, offset, FCGI_END_REQUEST, requestId, 8, 0);
  offset = buffer.writeUInt32BE(appStatus >>> 0, offset);
  buffer[offset] = protocolStatus;
  buffer[offset + 1] = 0;
  buffer[offset + 2] = 0;
  buffer[offset + 3] = 0;
  return offset + 4;
}

/** The record with which the application ends a request. */
export function encodeEndRequest(requestId: number, appStatus: number, protocolStatus: number): Buffer {
  const record = Buffer.allocUnsafe(FCGI_HEADER_LEN + 8);
  writeEndRequest(record, 0, requestId, appStatus, protocolStatus);
  return record;
}

/** The content of FCGI_END_REQUEST, 8 bytes at `offset`. */
export function decodeEndRequest(bytes: Buffer, offset = 0): EndRequest {
  return { appStatus: bytes.readUInt32BE(offset), protocolStatus: bytes[offset + 4]! };
}

/** The record with which the web server asks for variables (section 4.1): names with empty values. */
export function encodeGetValues(names: Iterable<string>): Buffer {
  const pairs: [string, string][] = [];
  for (const name of names) pairs.push([name, '']);
  return encodeRecord(FCGI_GET_VALUES, FCGI_NULL_REQUEST_ID, encodePairs(pairs));
}

/** The application's answer to FCGI_GET_VALUES: those of the variables asked for that it knows. */
export function encodeGetValuesResult(values: Pairs): Buffer {
  return encodeRecord(FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID, encodePairs(values));
}

/** The application's answer to a management record of a type that it does not know (section 4.2). */
export function encodeUnknownType(type: number): Buffer {
  const record = Buffer.alloc(FCGI_HEADER_LEN + 8);
  writeHeader(record, 0, FCGI_UNKNOWN_TYPE, FCGI_NULL_REQUEST_ID, 8, 0);
  record[8] = type;
  return record;
}

/** The type that the peer did not know: the content of FCGI_UNKNOWN_TYPE, 8 bytes at `offset`. */
export function decodeUnknownType(bytes: Buffer, offset = 0): number {
  return bytes[offset]!;
}
