import { randomUUID } from 'node:crypto';
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { takePipe } from './pipes.ts';

/** What a program reads: all of it; as it is written to a stream; or nothing. */
export type Input = Buffer | 'stream' | undefined;

/**
 * Up to this many bytes an input has to be there as a whole. They could all fit into a pipe; and once nobody writes to a
 * FIFO any more, whoever opens it by the name `/dev/stdin` waits for ever. Bytes.
 */
export const MAX_PIPED_AT_ONCE = 1024 ** 2;

/**
 * A program's stdin, stdout and stderr, and the ends of these that are ours.
 *
 * Node would give it sockets, of which no program can open `/dev/stdin`, `/dev/stdout` and `/dev/stderr`, as many scripts
 * do.
 */
export class Stdio {
  /** For the program: to be closed once that has them. */
  readonly descriptors: (number | 'ignore')[] = [];
  #stdin: number | undefined;
  readonly #outputs: number[] = [];

  /** Rejects with the system's error. */
  static async open(input: Input): Promise<Stdio> {
    const stdio = new Stdio();
    try {
      if (input === 'stream') {
        const { read, write } = await takePipe();
        stdio.descriptors.push(read);
        stdio.#stdin = write;
      } else stdio.descriptors.push(input === undefined ? 'ignore' : openFile(input));
      for (let fd = 1; fd <= 2; fd++) {
        const { read, write } = await takePipe();
        stdio.descriptors.push(write);
        stdio.#outputs.push(read);
      }
    } catch (error) {
      stdio.close();
      throw error;
    }
    return stdio;
  }

  /** Makes streams of our ends, which close them. There is a stdin only for an input that streams. */
  toStreams(): { stdin: Socket | undefined; stdout: Socket; stderr: Socket } {
    const stdin = this.#stdin;
    const [stdout, stderr] = this.#outputs.splice(0);
    this.#stdin = undefined;
    return {
      stdin: stdin === undefined ? undefined : new Socket({ fd: stdin, readable: false, writable: true }),
      stdout: new Socket({ fd: stdout, readable: true, writable: false }),
      stderr: new Socket({ fd: stderr, readable: true, writable: false }),
    };
  }

  /** Closes what is not in streams. */
  close(): void {
    for (const fd of [...this.descriptors.splice(0), ...this.#outputs.splice(0), this.#stdin]) {
      if (typeof fd === 'number') closeSync(fd);
    }
    this.#stdin = undefined;
  }
}

/** A file without a name, to be read from its start. */
function openFile(content: Buffer): number {
  const name = join(tmpdir(), `fcgi-${randomUUID()}`);
  const fd = openSync(name, 'wx+', 0o600);
  try {
    unlinkSync(name);
    for (let at = 0; at < content.length; ) at += writeSync(fd, content, at, content.length - at, at);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
