import { entityOf, htmlspecialchars } from './escape.ts';

/** By the code of the character: undefined for what stays as it is. */
const ENTITIES = Array.from({ length: 0x80 }, (_, code) => {
  const entity = entityOf(code);
  return entity === undefined ? undefined : Buffer.from(entity);
});

/** By the code of the character: 1 for what stays as it is, and is one byte. */
const PLAIN = Uint8Array.from(ENTITIES, (entity) => (entity === undefined ? 1 : 0));

/** Bytes of a buffer that is small enough for Node to cut it off a larger one. */
const FIRST = 2048;

/**
 * HOT: text that grows, in UTF-8. A page writes in many small pieces; as strings they would become a rope, to be copied whole
 * each time that somebody looks at it, and escaping would make several more of each.
 */
export class TextBuffer {
  #bytes = EMPTY;
  length = 0;
  readonly #expected: number;

  /** @param expected How much there will be, by and large. */
  constructor(expected = 0) {
    // Escaping reserves more than it mostly needs.
    this.#expected = expected + 256;
  }

  /** UTF-8 already. */
  addBytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    // To call into the system costs as much as some twenty of these.
    if (bytes.length > 20) this.#bytes.set(bytes, this.length);
    else for (let i = 0; i < bytes.length; i++) this.#bytes[this.length + i] = bytes[i]!;
    this.length += bytes.length;
  }

  add(text: string): void {
    this.#reserve(text.length * 3);
    this.length += this.#bytes.write(text, this.length);
  }

  /** As `htmlspecialchars`. */
  addEscaped(text: string): void {
    // An entity is of six bytes at the most.
    this.#reserve(text.length * 6);
    const bytes = this.#bytes;
    let to = this.length;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (PLAIN[code] === 1) {
        bytes[to++] = code;
      } else if (code < 0x80) {
        const entity = ENTITIES[code]!;
        for (let i = 0; i < entity.length; i++) bytes[to++] = entity[i]!;
      } else {
        this.length = to;
        this.add(htmlspecialchars(text.slice(at)));
        return;
      }
    }
    this.length = to;
  }

  toString(from = 0): string {
    return this.#bytes.toString('utf8', from, this.length);
  }

  cut(length: number): void {
    this.length = length;
  }

  /** Gives the first bytes away; nothing is written to them any more. */
  take(length = this.length): Buffer {
    const taken = this.#bytes.subarray(0, length);
    const rest = this.#bytes.subarray(length, this.length);
    this.#bytes = EMPTY;
    this.length = 0;
    if (rest.length > 0) this.addBytes(rest);
    return taken;
  }

  #reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(FIRST, needed, this.#bytes.length * 4, this.#expected));
    this.#bytes.copy(larger, 0, 0, this.length);
    this.#bytes = larger;
  }
}

const EMPTY = Buffer.alloc(0);
