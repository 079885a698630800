import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fcgiError } from '../../core/errors.ts';

const READ_BYTES = 64 * 1024;

/**
 * First in, first out: chunks of a body that came before its reader wanted them. The first bytes wait in memory, the
 * rest in a temporary file without a name, which is gone with its descriptor however the process ends.
 */
export class Backlog {
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #file = -1;
  #written = 0;
  #read = 0;

  /** @param maxBytes Bytes to keep in memory. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get empty(): boolean {
    return this.#chunks.length === 0 && this.#read === this.#written;
  }

  /** @throws FcgiError FCGI_ERR_OVERLOADED: the temporary file cannot be written. */
  push(chunk: Buffer): void {
    // While the file holds something, what is newer goes behind it.
    if (this.#read === this.#written && this.#bytes + chunk.length <= this.#maxBytes) {
      this.#chunks.push(chunk);
      this.#bytes += chunk.length;
      return;
    }
    try {
      this.#write(chunk);
    } catch (cause) {
      throw fcgiError('FCGI_ERR_OVERLOADED', 'There is no room to keep a body that came too fast', cause);
    }
  }

  /** To the page cache, which takes less time than handing it to another thread. */
  #write(chunk: Buffer): void {
    if (this.#file === -1) this.#file = openNameless();
    for (let done = 0; done < chunk.length; ) {
      done += fs.writeSync(this.#file, chunk, done, chunk.length - done, this.#written + done);
    }
    this.#written += chunk.length;
  }

  shift(): Buffer | undefined {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.#bytes -= chunk.length;
      return chunk;
    }
    if (this.#read === this.#written) return undefined;
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, this.#written - this.#read));
    const length = fs.readSync(this.#file, buffer, 0, buffer.length, this.#read);
    this.#read += length;
    if (this.#read === this.#written) this.#read = this.#written = 0;
    return buffer.subarray(0, length);
  }

  close(): void {
    this.#chunks = [];
    this.#bytes = this.#read = this.#written = 0;
    if (this.#file !== -1) fs.closeSync(this.#file);
    this.#file = -1;
  }
}

function openNameless(): number {
  const name = path.join(os.tmpdir(), `fcgi-${randomUUID()}`);
  const file = fs.openSync(name, 'wx+', 0o600);
  fs.unlinkSync(name);
  return file;
}
