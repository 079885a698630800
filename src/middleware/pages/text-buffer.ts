import { ConstantText } from './constant-text.ts';
import { entityOf, htmlspecialchars } from './escape.ts';

/** By the code of the character: undefined for what stays as it is. */
const ENTITIES = Array.from({ length: 0x80 }, (_, code) => {
  const entity = entityOf(code);
  return entity === undefined ? undefined : new ConstantText(entity);
});

/** By the code of the character: 1 for what stays as it is, and is one byte. */
const PLAIN = Uint8Array.from(ENTITIES, (entity) => (entity === undefined ? 1 : 0));

/** Bytes to begin with. */
const FIRST = 4096;

/** Bytes that a copy by words may write beyond its text. */
const SLACK = 3;

/**
 * HOT: text that grows, in UTF-8. A page writes in many small pieces; as strings they would become a rope, to be copied whole
 * each time that somebody looks at it, and escaping would make several more of each.
 */
export class TextBuffer {
  /** Given back by one that came to its end: most pages are short, and end before the next begins. */
  static #spare: { bytes: Buffer; view: DataView } | undefined;

  length = 0;
  #bytes: Buffer = EMPTY;
  #view: DataView = NO_VIEW;
  readonly #expected: number;

  /** @param expected How much there will be, by and large. */
  constructor(expected = 0) {
    // Escaping reserves more than it mostly needs.
    this.#expected = expected + 256;
  }

  addConstant(text: ConstantText): void {
    this.#reserve(text.length);
    this.length = this.#put(text, this.length);
  }

  /** UTF-8 already. */
  addBytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.length);
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
      if (code >= 0x80) {
        this.length = to;
        this.add(htmlspecialchars(text.slice(at)));
        return;
      }
      if (PLAIN[code] === 1) bytes[to++] = code;
      else to = this.#put(ENTITIES[code]!, to);
    }
    this.length = to;
  }

  toString(from = 0): string {
    return this.#bytes.toString('utf8', from, this.length);
  }

  /** Leaves the first bytes of it; all, if there are no more. */
  cut(length: number): void {
    if (length < this.length) this.length = length;
  }

  /** Gives the first bytes away; nothing is written to them any more. */
  take(length = this.length): Buffer {
    const taken = this.#bytes.subarray(0, length);
    const rest = this.#bytes.subarray(length, this.length);
    this.#drop();
    if (rest.length > 0) this.addBytes(rest);
    return taken;
  }

  /** The text, as the last that is asked of it. */
  end(): string {
    const text = this.toString();
    if (this.#bytes.length === FIRST) TextBuffer.#spare = { bytes: this.#bytes, view: this.#view };
    this.#drop();
    return text;
  }

  #put({ bytes, length, words }: ConstantText, to: number): number {
    const view = this.#view;
    if (words === undefined) this.#bytes.set(bytes, to);
    else for (let i = 0; i < words.length; i++) view.setInt32(to + i * 4, words[i]!, true);
    return to + length;
  }

  #reserve(more: number): void {
    const needed = this.length + more + SLACK;
    if (needed > this.#bytes.length) this.#grow(needed);
  }

  #grow(needed: number): void {
    const size = Math.max(FIRST, needed, this.#bytes.length * 4, this.#expected);
    const spare = TextBuffer.#spare;
    if (size === FIRST && spare !== undefined) {
      TextBuffer.#spare = undefined;
      this.#bytes = spare.bytes;
      this.#view = spare.view;
      return;
    }
    const larger = Buffer.allocUnsafeSlow(size);
    this.#bytes.copy(larger, 0, 0, this.length);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }

  #drop(): void {
    this.#bytes = EMPTY;
    this.#view = NO_VIEW;
    this.length = 0;
  }
}

const EMPTY = Buffer.alloc(0);
const NO_VIEW = new DataView(EMPTY.buffer);
