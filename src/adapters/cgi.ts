import { readFileSync } from 'node:fs';
import { Duplex, type Readable, type Writable } from 'node:stream';
import { FCGI_END_REQUEST, FCGI_PARAMS, FCGI_RESPONDER, FCGI_STDERR, FCGI_STDIN } from './fastcgi/constants.ts';
import { encodePairs, type Pairs } from './fastcgi/pairs.ts';
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
  const connection = new CgiConnection(program);
  server.emit('connection', connection);
  if (!connection.closed) await new Promise((resolve) => connection.once('close', resolve));
  // The request and the response are yet to tell the application.
  await new Promise(setImmediate);
  await connection.flushed();
  return connection.whole;
}

const ID = 1;

type Print = (content: Uint8Array | string, callback?: (error?: Error | null) => void) => boolean;

/** The web server's end of it, in the place of a `net.Socket`. */
class CgiConnection extends Duplex implements RecordHandler {
  /** All of the answer came. */
  whole = false;

  /** As they are now: within a decorated function, `process` has the request's. */
  readonly #stdout: Writable;
  readonly #stderr: Writable;
  #stdin: Readable | undefined;
  readonly #program: CgiProcess;
  readonly #parser = new RecordParser(this);
  /** stdout's own, as it is now: what else the program prints may be led elsewhere. */
  readonly #print: Print;
  /** Bytes of the body still to come: there may be no end of stdin to wait for (RFC 3875, section 4.2). */
  #left: number;
  /** The answer is out. */
  #answered = false;
  /** stdout has taken as much as it wants for now. */
  #full = false;

  constructor(program: CgiProcess) {
    super();
    const { env, stdout, stderr } = program;
    this.#program = program;
    this.#stdout = stdout;
    this.#stderr = stderr;
    this.#print = stdout.write.bind(stdout) as Print;
    this.#left = bodyLength(env);
    // The web server has gone; it has no other way to say so.
    stdout.on('error', () => this.destroy());
    // Its log can do without.
    stderr.on('error', () => {});
    // 'close' follows.
    this.on('error', () => {});
    this.push(encodeBeginRequest(ID, FCGI_RESPONDER, 0));
    this.#send(FCGI_PARAMS, encodePairs(paramsOf(program)));
    this.push(encodeRecord(FCGI_PARAMS, ID));
  }

  #send(type: number, content: Uint8Array): boolean {
    let more = true;
    for (const piece of encodeStream(type, ID, content)) more = this.push(piece);
    return more;
  }

  // ---- stdin -----------------------------------------------------------------------------------

  override _read(): void {
    // Not touched without need: who knows what lies there.
    if (this.#left === 0) this.#endBody();
    if (this.#left < 0) return;
    if (this.#stdin !== undefined) {
      this.#stdin.resume();
      return;
    }
    this.#stdin = this.#program.stdin;
    this.#stdin.on('data', this.#onBody);
    this.#stdin.on('end', () => this.#endBody());
    this.#stdin.on('error', () => this.destroy());
  }

  readonly #onBody = (chunk: Buffer): void => {
    const content = chunk.subarray(0, this.#left);
    this.#left -= content.length;
    if (!this.#send(FCGI_STDIN, content)) this.#stdin?.pause();
    if (this.#left === 0) this.#endBody();
  };

  #endBody(): void {
    if (this.#left < 0) return;
    this.#stopReading();
    this.push(encodeRecord(FCGI_STDIN, ID));
    if (this.#answered) this.push(null);
  }

  #stopReading(): void {
    this.#left = -1;
    this.#stdin?.off('data', this.#onBody).pause();
  }

  // ---- stdout and stderr -----------------------------------------------------------------------

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    try {
      this.#parser.write(chunk);
    } catch (error) {
      // How the door says that an answer has broken off.
      callback(error as Error);
      return;
    }
    if (!this.#full) callback();
    else this.#stdout.once('drain', callback);
    this.#full = false;
  }

  onData(type: number, _id: number, chunk: Buffer, start: number, end: number): void {
    const content = chunk.subarray(start, end);
    if (type === FCGI_STDERR) this.#stderr.write(content);
    else if (!this.#print(content)) this.#full = true;
  }

  onDataEnd(): void {}

  onRecord(type: number): void {
    if (type === FCGI_END_REQUEST) this.whole = true;
  }

  onUnknown(): void {}

  /** Resolves when all that was written has left, or never will. */
  async flushed(): Promise<void> {
    await new Promise((resolve) => this.#print('', resolve));
    await new Promise((resolve) => this.#stderr.write('', resolve));
  }

  /**
   * The answer is out, but the rest of the body goes on to the door, which throws it away within its limits: where stdin
   * and stdout are one socket, as Apache's mod_cgid has it, to leave without having read all of it is a reset, and what
   * has not been read of the answer is lost.
   */
  override _final(callback: () => void): void {
    if (this.#left === 0) this.#endBody();
    this.#answered = true;
    if (this.#left < 0) this.push(null);
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#stopReading();
    callback(error);
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

/** The environment as the web server has set it: of `process.env` what is no UTF-8 is lost, and the program adds to it. */
function paramsOf({ env }: CgiProcess): Pairs {
  if (env === process.env) {
    try {
      const given = readFileSync('/proc/self/environ', 'latin1').matchAll(/([^=\0]+)=([^\0]*)/g);
      return Array.from(given, ([, name = '', value = '']) => [name, Buffer.from(value, 'latin1')]);
    } catch {
      // Elsewhere than on Linux.
    }
  }
  return Object.entries(env) as [string, string][];
}
