import { htmlspecialchars } from './escape.ts';

/** Bytes beyond which the system's own copying costs less. */
const MAX_WORDS_BYTES = 128;

/** HOT: text that is written again and again, in UTF-8; where it is short also in words, as which it is copied fastest. */
export class ConstantText {
  readonly bytes: Buffer;
  /** In bytes. */
  readonly length: number;
  /** Filled up with zeros. */
  readonly words: Int32Array | undefined;

  constructor(text: string) {
    this.bytes = Buffer.from(text);
    this.length = this.bytes.length;
    if (this.length > MAX_WORDS_BYTES) return;
    const padded = Buffer.alloc(Math.ceil(this.length / 4) * 4);
    padded.set(this.bytes);
    this.words = Int32Array.from({ length: padded.length / 4 }, (_, index) => padded.readInt32LE(index * 4));
  }
}

const CONSTANTS = new WeakMap<TemplateStringsArray, ConstantText[]>();

/** The last that was looked up there: mostly it is a loop that writes the same again. */
let lastStrings: TemplateStringsArray | undefined;
let lastConstants: ConstantText[] = [];

/** HOT: what stands between the values of a template, escaped. */
export function constantsOf(strings: TemplateStringsArray): ConstantText[] {
  if (strings === lastStrings) return lastConstants;
  const constants = CONSTANTS.get(strings) ?? strings.map((text) => new ConstantText(htmlspecialchars(text)));
  CONSTANTS.set(strings, constants);
  lastStrings = strings;
  lastConstants = constants;
  return constants;
}
