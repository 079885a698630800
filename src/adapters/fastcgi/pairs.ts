import { fcgiError } from '../../core/errors.ts';
import { FCGI_MAX_LENGTH } from './constants.ts';

/** Names and values to encode: strings as UTF-8, bytes as they are. */
export type Pairs = Iterable<Pair>;

type Pair = readonly [name: string | Uint8Array, value: string | Uint8Array];

/** The most that the four bytes of a length can say. */
const MAX_LENGTH = 0x7fffffff;

/**
 * Walks name-value pairs (section 3.4) without decoding them: one object, no string that nobody looks at.
 *
 * The name is `bytes[nameStart, valueStart)`, the value `bytes[valueStart, valueEnd)`. A length that overruns the
 * bytes is found before anything is sliced.
 *
 * @example
 * const pairs = new PairReader(bytes);
 * while (pairs.next()) console.log(pairs.name(), pairs.value());
 */
export class PairReader {
  readonly bytes: Buffer;
  nameStart: number;
  valueStart: number;
  valueEnd: number;

  readonly #start: number;
  readonly #end: number;
  #left: number;
  #text: string | undefined;

  /**
   * Reads the pairs in `bytes[start, end)`.
   *
   * @param maxPairs The most pairs to accept. Default: any number.
   */
  constructor(bytes: Buffer, start = 0, end: number = bytes.length, maxPairs = Number.MAX_SAFE_INTEGER) {
    this.bytes = bytes;
    this.nameStart = start;
    this.valueStart = start;
    this.valueEnd = start;
    this.#start = start;
    this.#end = end;
    this.#left = maxPairs;
  }

  /**
   * Goes to the next pair; false when there is none.
   *
   * @throws FcgiError FCGI_ERR_PARAMS: a pair that is cut off or overruns the bytes. FCGI_ERR_PARAMS_TOO_MANY.
   */
  next(): boolean {
    const bytes = this.bytes;
    const end = this.#end;
    let offset = this.valueEnd;
    if (offset === end) return false;
    if (this.#left-- <= 0) throw fcgiError('FCGI_ERR_PARAMS_TOO_MANY', 'Too many name-value pairs');

    let nameLength = bytes[offset++]!;
    if (nameLength >= 0x80) {
      nameLength = longLength(bytes, offset - 1, end);
      offset += 3;
    }
    if (offset >= end) throw overrun();
    let valueLength = bytes[offset++]!;
    if (valueLength >= 0x80) {
      valueLength = longLength(bytes, offset - 1, end);
      offset += 3;
    }
    if (nameLength + valueLength > end - offset) throw overrun();
    this.nameStart = offset;
    this.valueStart = offset + nameLength;
    this.valueEnd = this.valueStart + valueLength;
    return true;
  }

  /** The name, a character a byte (latin1). */
  name(): string {
    return this.#slice(this.nameStart, this.valueStart);
  }

  /** The value, a character a byte (latin1), as Node gives the values of HTTP headers. */
  value(): string {
    return this.#slice(this.valueStart, this.valueEnd);
  }

  /** The value as UTF-8, as paths of files and names of users come. */
  utf8Value(): string {
    const { bytes, valueStart, valueEnd } = this;
    for (let i = valueStart; i < valueEnd; i++) {
      if (bytes[i]! >= 0x80) return bytes.toString('utf8', valueStart, valueEnd);
    }
    return this.value();
  }

  /** All bytes become one string once, since slices of a string cost far less than slices of a buffer. */
  #slice(start: number, end: number): string {
    this.#text ??= this.bytes.toString('latin1', this.#start, this.#end);
    return this.#text.slice(start - this.#start, end - this.#start);
  }
}

/**
 * The length of a name or value at `offset` (section 3.4), and the offset after it.
 *
 * @throws FcgiError FCGI_ERR_PARAMS: it is cut off.
 */
export function decodeLength(bytes: Buffer, offset = 0): [length: number, end: number] {
  const first = bytes[offset];
  if (first === undefined) throw overrun();
  return first < 0x80 ? [first, offset + 1] : [longLength(bytes, offset, bytes.length), offset + 4];
}

function longLength(bytes: Buffer, offset: number, end: number): number {
  if (end - offset < 4) throw overrun();
  return bytes.readUInt32BE(offset) & MAX_LENGTH;
}

function overrun() {
  return fcgiError('FCGI_ERR_PARAMS', 'A name-value pair is longer than the bytes it lies in');
}

/**
 * Decodes name-value pairs, as UTF-8, in their order and with their duplicates. `PairReader` does it without a string
 * for each.
 *
 * @throws FcgiError FCGI_ERR_PARAMS: a pair that is cut off or overruns the bytes. FCGI_ERR_PARAMS_TOO_MANY: more than
 * `maxPairs`.
 */
export function decodePairs(bytes: Buffer, maxPairs?: number): [name: string, value: string][] {
  const pairs: [string, string][] = [];
  const reader = new PairReader(bytes, 0, bytes.length, maxPairs);
  while (reader.next()) {
    pairs.push([bytes.toString('utf8', reader.nameStart, reader.valueStart), reader.utf8Value()]);
  }
  return pairs;
}

/** Encodes name-value pairs (section 3.4). */
export function encodePairs(pairs: Pairs): Buffer {
  const [text = ''] = packText(pairs, Number.POSITIVE_INFINITY);
  return Buffer.from(text, 'latin1');
}

/**
 * Encodes name-value pairs into buffers of at most `maxBytes`, each holding whole pairs: content for PARAMS records
 * that PHP-FPM takes, which closes the connection when a pair straddles two.
 *
 * @throws FcgiError FCGI_ERR_PARAMS_TOO_LARGE for a pair that is larger by itself.
 */
export function* packPairs(pairs: Pairs, maxBytes: number = FCGI_MAX_LENGTH): Generator<Buffer, void> {
  for (const text of packText(pairs, maxBytes)) yield Buffer.from(text, 'latin1');
}

/** `packPairs` as text, a character a byte (latin1), which costs far less than buffers until it is written. */
export function packText(pairs: Pairs, maxBytes: number = FCGI_MAX_LENGTH): string[] {
  const packed: string[] = [];
  let text = '';
  for (const pair of pairs) {
    const name = toLatin1(pair[0]);
    const value = toLatin1(pair[1]);
    const encoded = lengthText(name.length) + lengthText(value.length) + name + value;
    if (encoded.length > maxBytes) {
      throw fcgiError('FCGI_ERR_PARAMS_TOO_LARGE', `A name-value pair has more than ${maxBytes} bytes: ${pair[0]}`);
    }
    if (text.length + encoded.length > maxBytes) {
      packed.push(text);
      text = '';
    }
    text += encoded;
  }
  if (text !== '') packed.push(text);
  return packed;
}

function toLatin1(part: string | Uint8Array): string {
  if (typeof part !== 'string') return Buffer.from(part.buffer, part.byteOffset, part.length).toString('latin1');
  return /[^\0-\x7f]/.test(part) ? Buffer.from(part).toString('latin1') : part;
}

function lengthText(length: number): string {
  if (length < 0x80) return String.fromCharCode(length);
  return String.fromCharCode((length >>> 24) | 0x80, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff);
}

/**
 * Gathers a stream of name-value pairs, FCGI_PARAMS, from its pieces. While there is one piece, which is the common
 * case, it is left where it is; its bytes are `bytes[start, end)`.
 */
export class PairsCollector {
  bytes: Buffer = NONE;
  start = 0;
  end = 0;

  readonly #maxBytes: number;
  #copied = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws FcgiError FCGI_ERR_PARAMS_TOO_LARGE, before it holds more than `maxBytes`. */
  add(chunk: Buffer, start: number, end: number): void {
    const held = this.end - this.start;
    const total = held + (end - start);
    if (total > this.#maxBytes) {
      throw fcgiError('FCGI_ERR_PARAMS_TOO_LARGE', `The parameters have more than ${this.#maxBytes} bytes`);
    }
    if (held === 0) {
      this.bytes = chunk;
      this.start = start;
      this.end = end;
      return;
    }
    if (!this.#copied || total > this.bytes.length) this.#grow(Math.min(2 * total, this.#maxBytes));
    chunk.copy(this.bytes, held, start, end);
    this.end = total;
  }

  #grow(size: number): void {
    const bytes = Buffer.allocUnsafe(size);
    this.bytes.copy(bytes, 0, this.start, this.end);
    this.bytes = bytes;
    this.end -= this.start;
    this.start = 0;
    this.#copied = true;
  }
}

const NONE = Buffer.alloc(0);
