import { fcgiError } from '../../core/errors.ts';
import { FCGI_MAX_LENGTH } from './constants.ts';

/** Names and values to encode: strings as UTF-8, bytes as they are. */
export type Pairs = Iterable<Pair>;

type Pair = readonly [name: string | Uint8Array, value: string | Uint8Array];

/** Characters of a text that whoever keeps a value may keep with it. */
const MAX_KEPT = 4096;

/** From so many characters on, V8 makes a slice of a string that keeps all of it. */
const SLICE_LENGTH = 13;

/**
 * Walks name-value pairs (section 3.4) in text with a character for each byte (latin1): one object, no string that nobody
 * looks at. Of bytes, a string costs less to make than to slice and to keep.
 *
 * The name is `text[nameStart, valueStart)`, the value `text[valueStart, valueEnd)`. A length that overruns the text is
 * found before anything is sliced. Who keeps a value keeps no more than 4 KiB with it: of a longer text, it is a copy.
 *
 * @example
 * const pairs = new PairReader(bytes.toString('latin1'));
 * while (pairs.next()) console.log(pairs.name(), pairs.value());
 */
export class PairReader {
  readonly text: string;
  nameStart = 0;
  valueStart = 0;
  valueEnd = 0;

  #left: number;
  readonly #copies: boolean;

  /** @param maxPairs The most pairs to accept. Default: any number. */
  constructor(text: string, maxPairs = Number.MAX_SAFE_INTEGER) {
    this.text = text;
    this.#left = maxPairs;
    this.#copies = text.length > MAX_KEPT;
  }

  /**
   * Goes to the next pair; false when there is none.
   *
   * @throws FcgiError FCGI_ERR_PARAMS: a pair that is cut off or overruns the text. FCGI_ERR_PARAMS_TOO_MANY.
   */
  next(): boolean {
    const text = this.text;
    const end = text.length;
    let offset = this.valueEnd;
    if (offset === end) return false;
    if (this.#left-- <= 0) throw fcgiError('FCGI_ERR_PARAMS_TOO_MANY', 'Too many name-value pairs');

    let nameLength = text.charCodeAt(offset++);
    if (nameLength >= 0x80) {
      nameLength = longLength(text, offset - 1);
      offset += 3;
    }
    if (offset >= end) throw overrun();
    let valueLength = text.charCodeAt(offset++);
    if (valueLength >= 0x80) {
      valueLength = longLength(text, offset - 1);
      offset += 3;
    }
    if (nameLength + valueLength > end - offset) throw overrun();
    this.nameStart = offset;
    this.valueStart = offset + nameLength;
    this.valueEnd = this.valueStart + valueLength;
    return true;
  }

  isNamed(name: string): boolean {
    return this.valueStart - this.nameStart === name.length && this.text.startsWith(name, this.nameStart);
  }

  name(): string {
    return this.text.slice(this.nameStart, this.valueStart);
  }

  /** The value, a character a byte, as Node gives the values of HTTP headers. */
  value(): string {
    const value = this.text.slice(this.valueStart, this.valueEnd);
    return this.#copies ? ownText(value) : value;
  }

  /** The value as UTF-8, as paths of files and names of users come. */
  utf8Value(): string {
    const value = this.value();
    return NOT_ASCII.test(value) ? Buffer.from(value, 'latin1').toString('utf8') : value;
  }
}

/** Text of one byte a character that keeps nothing of the text that it was cut out of. */
export function ownText(text: string): string {
  return text.length < SLICE_LENGTH ? text : Buffer.from(text, 'latin1').toString('latin1');
}

/** What is more than one byte in UTF-8. */
const NOT_ASCII = /[^\0-\x7f]/;

/**
 * The length of a name or value at `offset` (section 3.4), and the offset after it.
 *
 * @throws FcgiError FCGI_ERR_PARAMS: it is cut off.
 */
export function decodeLength(bytes: Buffer, offset = 0): [length: number, end: number] {
  const first = bytes[offset];
  if (first === undefined) throw overrun();
  return first < 0x80 ? [first, offset + 1] : [longLength(bytes.toString('latin1', offset, offset + 4), 0), offset + 4];
}

function longLength(text: string, offset: number): number {
  if (text.length - offset < 4) throw overrun();
  const low = (text.charCodeAt(offset + 1) << 16) | (text.charCodeAt(offset + 2) << 8) | text.charCodeAt(offset + 3);
  return ((text.charCodeAt(offset) & 0x7f) << 24) | low;
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
  const reader = new PairReader(bytes.toString('latin1'), maxPairs);
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
  return NOT_ASCII.test(part) ? Buffer.from(part).toString('latin1') : part;
}

function lengthText(length: number): string {
  if (length < 0x80) return String.fromCharCode(length);
  return String.fromCharCode((length >>> 24) | 0x80, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff);
}

/** Gathers a stream of name-value pairs, FCGI_PARAMS, from its pieces: as text with a character for each byte (latin1). */
export class PairsCollector {
  text = '';

  readonly #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws FcgiError FCGI_ERR_PARAMS_TOO_LARGE, before it holds more than `maxBytes`. */
  add(chunk: Buffer, start: number, end: number): void {
    if (this.text.length + (end - start) > this.#maxBytes) {
      throw fcgiError('FCGI_ERR_PARAMS_TOO_LARGE', `The parameters have more than ${this.#maxBytes} bytes`);
    }
    this.text += chunk.toString('latin1', start, end);
  }
}
