import { Duplex, type Readable, type Writable } from 'node:stream';
import { FCGI_END_REQUEST, FCGI_PARAMS, FCGI_RESPONDER, FCGI_STDERR, FCGI_STDIN } from './fastcgi/constants.ts';
import { encodePairs } from './fastcgi/pairs.ts';
import { type RecordHandler, RecordParser } from './fastcgi/parser.ts';
import { encodeBeginRequest, encodeRecord, encodeStream } from './fastcgi/records.ts';
import type { FcgiServer } from './fastcgi/server.ts';

/** What a web server gives to a CGI program (RFC 3875): this process, above all. */
export interface CgiProcess {
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/**
 * Has a server answer the one request of a CGI program; resolves when the answer has left, with whether it was whole. CGI
 * and FastCGI say the same, so this is a connection to the FastCGI door within the process: what holds there holds here.
 */
export async function answerCgi(server: FcgiServer, program: CgiProcess = process): Promise<boolean> {
  const connection = new CgiConnection(program).on('error', () => {});
  server.emit('connection', connection);
  if (!connection.closed) await new Promise((resolve) => connection.once('close', resolve));
  if (!program.stdout.destroyed) await new Promise((resolve) => program.stdout.write('', resolve));
  return connection.whole;
}

const ID = 1;

/** The web server's end of it, in the place of a `net.Socket`. */
class CgiConnection extends Duplex implements RecordHandler {
  /** All of the answer came. */
  whole = false;

  readonly #program: CgiProcess;
  readonly #parser = new RecordParser(this);
  /** Bytes of the body still to come: there may be no end of stdin to wait for (RFC 3875, section 4.2). */
  #left: number;
  #reading = false;
  /** stdout has taken as much as it wants for now. */
  #full = false;

  constructor(program: CgiProcess) {
    super();
    this.#program = program;
    this.#left = bodyLength(program.env);
    // The web server has gone; it has no other way to say so.
    program.stdout.on('error', () => this.destroy());
    const params = encodePairs(Object.entries(program.env) as [string, string][]);
    this.push(encodeBeginRequest(ID, FCGI_RESPONDER, 0));
    this.#send(FCGI_PARAMS, params);
    this.push(encodeRecord(FCGI_PARAMS, ID));
  }

  #send(type: number, content: Uint8Array): boolean {
    let more = true;
    for (const piece of encodeStream(type, ID, content)) more = this.push(piece);
    return more;
  }

  override _read(): void {
    if (this.#reading) {
      this.#program.stdin.resume();
      return;
    }
    this.#reading = true;
    const { stdin } = this.#program;
    if (this.#left === 0) {
      this.#endBody();
      return;
    }
    stdin.on('data', (chunk: Buffer) => {
      const content = chunk.subarray(0, this.#left);
      this.#left -= content.length;
      if (!this.#send(FCGI_STDIN, content)) stdin.pause();
      if (this.#left === 0) this.#endBody();
    });
    stdin.on('end', () => this.#endBody());
    stdin.on('error', () => this.destroy());
  }

  #endBody(): void {
    if (this.readableEnded || this.destroyed || this.#left === -1) return;
    this.#left = -1;
    this.#program.stdin.removeAllListeners('data').pause();
    this.push(encodeRecord(FCGI_STDIN, ID));
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    try {
      this.#parser.write(chunk);
    } catch (error) {
      // How the door says that an answer has broken off.
      callback(error as Error);
      return;
    }
    if (!this.#full) callback();
    else this.#program.stdout.once('drain', callback);
    this.#full = false;
  }

  onData(type: number, _id: number, chunk: Buffer, start: number, end: number): void {
    const content = chunk.subarray(start, end);
    if (type === FCGI_STDERR) this.#program.stderr.write(content);
    else if (!this.#program.stdout.write(content)) this.#full = true;
  }

  onDataEnd(): void {}

  onRecord(type: number): void {
    if (type === FCGI_END_REQUEST) this.whole = true;
  }

  onUnknown(): void {}

  override _final(callback: () => void): void {
    this.push(null);
    this.resume();
    callback();
  }

  // What a net.Socket has besides.

  setTimeout(): this {
    return this;
  }

  destroySoon(): void {
    this.end();
  }
}

function bodyLength(env: NodeJS.ProcessEnv): number {
  if (/^\d+$/.test(env.CONTENT_LENGTH ?? '')) return Number(env.CONTENT_LENGTH);
  return /\bchunked\b/i.test(env.HTTP_TRANSFER_ENCODING ?? '') ? Number.POSITIVE_INFINITY : 0;
}
