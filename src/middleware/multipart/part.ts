import { Readable } from 'node:stream';
import { TextDecoder } from 'node:util';
import { BODY_LIMIT, type BodyOptions } from '../../core/body.ts';
import { fcgiError } from '../../core/errors.ts';
import type { PartHeader } from './part-header.ts';

const HIGH_WATER_MARK = 64 * 1024;

/**
 * A field or a file of a form as it comes: a Readable of its bytes, to be read in its turn of the loop. It fails with what the
 * loop fails with.
 */
export class Part extends Readable implements Omit<PartHeader, 'charset'> {
  /** The name of the form's field. */
  readonly name: string;
  /** Of a file, what the client calls it, made fit to be a file's name; undefined for a field. */
  readonly filename: string | undefined;
  /** The same as it was sent: to be shown, and never to be a path. */
  readonly rawFilename: string | undefined;
  /** The media type that the client says it is, in lower case and without parameters; `text/plain` if it says nothing. */
  readonly type: string;
  /** All of its headers, by their names in lower case; it has no prototype. */
  readonly headers: Record<string, string>;
  readonly #charset: string;
  readonly #more: () => void;

  /** @param more Called when more of its bytes are wanted, or none any longer. */
  constructor(header: PartHeader, more: () => void) {
    super({ highWaterMark: HIGH_WATER_MARK });
    this.name = header.name;
    this.filename = header.filename;
    this.rawFilename = header.rawFilename;
    this.type = header.type;
    this.headers = header.headers;
    this.#charset = header.charset ?? 'utf-8';
    this.#more = more;
    // Who does not read it hears of it from the loop.
    this.on('error', () => {});
  }

  override _read(): void {
    this.#more();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    callback(error);
    this.#more();
  }

  /**
   * All of its bytes, at most `limit` of them, 1 MiB unless told.
   *
   * Rejects with `FCGI_ERR_BODY_TOO_LARGE` (413), `FCGI_ERR_BODY_USED` (500, it has been read, or its turn is over), or with
   * what the loop fails with.
   */
  async bytes({ limit = BODY_LIMIT }: BodyOptions = {}): Promise<Buffer> {
    if (this.readableDidRead) throw fcgiError('FCGI_ERR_BODY_USED', `the part '${this.name}' has been read already`);
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of this) {
      size += chunk.length;
      if (size > limit) {
        throw fcgiError('FCGI_ERR_BODY_TOO_LARGE', `the part '${this.name}' is larger than ${limit} bytes`);
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks, size);
  }

  /** Its text, in the charset that it names, UTF-8 unless told; rejects as `bytes`, and with `FCGI_ERR_BODY_TYPE` (415). */
  async text(options?: BodyOptions): Promise<string> {
    let decoder: TextDecoder;
    try {
      decoder = new TextDecoder(this.#charset);
    } catch (cause) {
      throw fcgiError('FCGI_ERR_BODY_TYPE', `unknown charset: ${this.#charset}`, cause);
    }
    return decoder.decode(await this.bytes(options));
  }
}
