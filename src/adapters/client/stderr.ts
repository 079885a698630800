import { Readable } from 'node:stream';

/** FCGI_STDERR of one request, kept for whoever reads it: mostly nobody does. Beyond `maxBytes`, it is dropped. */
export class Stderr {
  readonly #maxBytes: number;
  #waiting: Buffer[] = [];
  #bytes = 0;
  #ended = false;
  #reader: Readable | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get reader(): Readable {
    this.#reader ??= this.#read();
    return this.#reader;
  }

  /** @param bytes Nobody writes to them any more. */
  push(bytes: Buffer): void {
    const held = this.#reader?.readableLength ?? this.#bytes;
    const kept = bytes.subarray(0, Math.max(0, this.#maxBytes - held));
    if (kept.length === 0) return;
    if (this.#reader !== undefined) {
      this.#reader.push(kept);
      return;
    }
    this.#waiting.push(kept);
    this.#bytes += kept.length;
  }

  end(): void {
    this.#ended = true;
    this.#reader?.push(null);
  }

  #read(): Readable {
    const reader = new Readable({ read() {} });
    for (const bytes of this.#waiting) reader.push(bytes);
    this.#waiting = [];
    if (this.#ended) reader.push(null);
    return reader;
  }
}
