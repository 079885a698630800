import type { IncomingMessage } from 'node:http';
import { finished, type Readable } from 'node:stream';
import { Dicer } from '@fastify/busboy';
import contentType from 'content-type';
import { isUsed } from '../../core/body.ts';
import { fcgiError } from '../../core/errors.ts';
import type { MultipartLimits } from './limits.ts';
import { Part } from './part.ts';
import { type PartHeader, readPartHeader } from './part-header.ts';

/** How much of a body has come: what a request emits as 'progress' while its parts are read. */
export interface Progress {
  /** Bytes until now. */
  loaded: number;
  /** Bytes in all; undefined if the client does not say. */
  total: number | undefined;
}

/**
 * The parts of a form (RFC 7578) in their order, each read in its turn: what is not read of one is dropped before the next
 * comes, and what is left of the body when the loop is left. Ends when the whole body has come.
 *
 * Throws FCGI_ERR_BODY_TYPE (415: no form, or compressed), FCGI_ERR_BODY_SYNTAX (400), FCGI_ERR_BODY_TOO_LARGE (413),
 * FCGI_ERR_BODY_USED (500), or the request's own error when the client goes away.
 */
export async function* readParts(req: IncomingMessage, limits: MultipartLimits): AsyncGenerator<Part, void, void> {
  const reader = new PartReader(req, boundaryOf(req), limits);
  try {
    for (let part = await reader.next(); part; part = await reader.next()) yield part;
  } finally {
    reader.leave();
  }
}

/** Whether a request has a form of parts. */
export function isFormData({ headers }: IncomingMessage): boolean {
  if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) return false;
  return contentType.parse(headers['content-type'] ?? '', { parameters: false }).type === 'multipart/form-data';
}

function boundaryOf(req: IncomingMessage): string {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = req.headers;
  if (!isFormData(req)) {
    throw fcgiError('FCGI_ERR_BODY_TYPE', `the request body is not multipart/form-data but ${type || 'of no type'}`);
  }
  if (!/^\s*(identity)?\s*$/i.test(encoding)) {
    throw fcgiError('FCGI_ERR_BODY_TYPE', `a form of parts is not taken with the Content-Encoding ${encoding}`);
  }
  const { boundary = '' } = contentType.parse(type).parameters;
  // RFC 2046, section 5.1.1, has fewer characters, and senders have more.
  if (!/^[ -~]{0,69}[!-~]$/.test(boundary)) {
    throw fcgiError(
      'FCGI_ERR_BODY_SYNTAX',
      'the Content-Type of the request body has no boundary of 1 to 70 characters',
    );
  }
  return boundary;
}

/** What does not count towards `headerSize`: the colons, spaces and line ends. */
const HEADER_SLACK = 8192;

/**
 * busboy's Dicer finds the parts and their headers; not busboy's own class, which leaves out what it does not understand
 * without a word. It cuts each chunk at once, and no more is read of the request until what came of it is wanted. At a line of
 * a header that is none it ends that header, and does not tell: nobody sees the lines behind it.
 */
class PartReader {
  readonly #req: IncomingMessage;
  readonly #limits: MultipartLimits;
  readonly #cutter: Dicer;
  readonly #forget: () => void;
  readonly #total: number | undefined;
  /** Those that nobody has yet. */
  readonly #waiting: Part[] = [];
  /** The one that somebody has. */
  #current: Part | undefined;
  /** The one whose bytes come, and whether they are wanted. */
  #incoming: Part | undefined;
  #wanted = false;

  #loaded = 0;
  #fields = 0;
  #files = 0;
  #fieldsSize = 0;

  /** Whether the closing delimiter has come, and the body has. */
  #closed = false;
  #complete = false;
  #error: Error | undefined;
  #wake: () => void = () => {};

  /** @throws FcgiError FCGI_ERR_BODY_USED, FCGI_ERR_BODY_TOO_LARGE */
  constructor(req: IncomingMessage, boundary: string, limits: MultipartLimits) {
    if (isUsed(req)) throw fcgiError('FCGI_ERR_BODY_USED', 'the request body has been read already');
    const length = req.headers['content-length'];
    this.#total = length === undefined ? undefined : Number(length);
    if (this.#total !== undefined && this.#total > limits.totalSize) throw tooLarge('the form', limits.totalSize);
    this.#req = req;
    this.#limits = limits;
    const config = {
      boundary,
      // One more than is taken, to know that there are more.
      maxHeaderPairs: limits.headerPairs + 1,
      maxHeaderSize: limits.headerSize + HEADER_SLACK,
      partHwm: Number.MAX_SAFE_INTEGER,
    };
    this.#cutter = new Dicer(config);
    this.#cutter.on('part', (source) => this.#onPart(source));
    this.#cutter.on('error', (cause) => {
      this.#fail(fcgiError('FCGI_ERR_BODY_SYNTAX', 'the form does not end with its boundary', cause));
    });
    // Told when the closing delimiter has come, which may be long before the body ends.
    this.#cutter.on('finish', () => {
      this.#closed = true;
      this.#wake();
    });
    req.on('data', this.#onData);
    this.#forget = finished(req, { writable: false }, (error) => {
      if (error) this.#fail(error);
      else this.#cutter.end();
      this.#complete = true;
      this.#wake();
    });
  }

  /** The next part, once the one before is over; undefined after the last. */
  async next(): Promise<Part | undefined> {
    if (this.#current) await over(this.#current);
    for (;;) {
      if (this.#error) throw this.#error;
      this.#current = this.#waiting.shift();
      this.#flow();
      if (this.#current) return this.#current;
      if (this.#complete && this.#closed) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Lets the rest of the body run dry: the connection has to carry the answer. */
  leave(): void {
    this.#forget();
    this.#req.off('data', this.#onData);
    // What waits holds the body back, also while it is given up.
    this.#incoming = undefined;
    for (const part of [this.#current, ...this.#waiting.splice(0)]) part?.destroy();
    this.#req.resume();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#loaded += chunk.length;
    if (this.#req.listenerCount('progress') > 0) {
      this.#req.emit('progress', { loaded: this.#loaded, total: this.#total } satisfies Progress);
    }
    if (this.#loaded > this.#limits.totalSize) this.#fail(tooLarge('the form', this.#limits.totalSize));
    else if (!this.#closed) this.#cutter.write(chunk);
  };

  #onPart(source: Readable): void {
    let part: Part | undefined;
    let size = 0;
    source.on('header', (header: Record<string, string[]>) => {
      if (!this.#error) part = this.#begin(header);
    });
    source.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (part && !this.#error) this.#receive(part, chunk, size);
    });
    source.on('end', () => {
      if (this.#error) return;
      if (!part) {
        this.#fail(fcgiError('FCGI_ERR_BODY_SYNTAX', 'a part of the form ends within its header'));
        return;
      }
      part.push(null);
      if (this.#incoming === part) this.#incoming = undefined;
      this.#flow();
    });
    // Of a form that is cut off, of which the cutter tells as well.
    source.on('error', () => {});
  }

  #begin(raw: Record<string, string[]>): Part | undefined {
    let header: PartHeader;
    try {
      header = readPartHeader(raw, this.#limits);
      this.#count(header);
    } catch (error) {
      this.#fail(error as Error);
      return undefined;
    }
    const part: Part = new Part(header, () => {
      if (this.#incoming !== part) return;
      this.#wanted = true;
      this.#flow();
    });
    this.#incoming = part;
    this.#wanted = false;
    this.#waiting.push(part);
    this.#flow();
    this.#wake();
    return part;
  }

  #count({ filename }: PartHeader): void {
    const { parts, fields, files } = this.#limits;
    if (filename === undefined) this.#fields++;
    else this.#files++;
    if (this.#fields + this.#files > parts) throw tooMany(parts, 'parts');
    if (this.#fields > fields) throw tooMany(fields, 'fields');
    if (this.#files > files) throw tooMany(files, 'files');
  }

  #receive(part: Part, chunk: Buffer, size: number): void {
    const { fileSize, fieldsSize } = this.#limits;
    if (part.filename === undefined) {
      this.#fieldsSize += chunk.length;
      if (this.#fieldsSize > fieldsSize) this.#fail(tooLarge('the fields of the form', fieldsSize));
    } else if (size > fileSize) {
      this.#fail(tooLarge(`the file '${part.name}'`, fileSize));
    }
    // Nobody reads what was given up: the rest of it comes only to be dropped.
    if (part.destroyed || part.push(chunk) || this.#incoming !== part) return;
    this.#wanted = false;
    this.#flow();
  }

  /** Reads on, if nothing that came is still to be taken. */
  #flow(): void {
    if (this.#error) return;
    if (this.#waiting.length === 0 && (this.#incoming === undefined || this.#wanted)) this.#req.resume();
    else this.#req.pause();
  }

  #fail(error: Error): void {
    if (this.#error) return;
    this.#error = error;
    for (const part of [this.#current, ...this.#waiting]) part?.destroy(error);
    this.#wake();
  }
}

/** Resolves when the part has been read, or given up, by who reads it; reads it if nobody does. */
function over(part: Part): Promise<void> {
  if (part.closed) return Promise.resolve();
  if (part.listenerCount('data') === 0 && part.listenerCount('readable') === 0) part.resume();
  return new Promise((resolve) => part.once('close', resolve));
}

function tooLarge(what: string, limit: number): Error {
  return fcgiError('FCGI_ERR_BODY_TOO_LARGE', `${what} has more than ${limit} bytes`);
}

function tooMany(limit: number, what: string): Error {
  return fcgiError('FCGI_ERR_BODY_TOO_LARGE', `the form has more than ${limit} ${what}`);
}
