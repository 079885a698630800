import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { dirname } from 'node:path';
import { after } from '../../core/timer.ts';
import { checkFormat, startError } from './start-error.ts';
import { type Input, Stdio } from './stdio.ts';

/** How a program ended: one of the two. */
export interface End {
  status: number | null;
  signal: NodeJS.Signals | null;
}

/** Milliseconds for what a program has written to its stderr before it ended. */
const STDERR_GRACE = 250;

const running = new Set<ProcessGroup>();
let watching = false;

/** A program that runs, in a process group of its own so that what it has started can be ended with it. */
export class ProcessGroup {
  /** Where the input streams. */
  readonly stdin: Socket | undefined;
  readonly stdout: Socket;
  readonly stderr: Socket;
  /** Resolves when it has ended and all that it wrote to its stdout has been read. */
  readonly closed: Promise<End>;

  readonly #pid: number;
  readonly #killTimeout: number;
  #exited = false;
  #ending = false;
  #killer: NodeJS.Timeout | undefined;

  /**
   * Starts a program, in its own folder and with this environment alone.
   *
   * Rejects with FCGI_ERR_CGI_START, FCGI_ERR_OVERLOADED, FCGI_ERR_PARAMS_TOO_LARGE.
   */
  static async start(
    file: string,
    env: Record<string, string>,
    input: Input,
    killTimeout: number,
  ): Promise<ProcessGroup> {
    const interpreter = await checkFormat(file);
    const stdio = await Stdio.open(input).catch((error) => {
      throw startError(file, undefined, error);
    });
    try {
      // No arguments: a query that became some of them was CVE-2012-1823.
      const child = spawn(file, [], { cwd: dirname(file), env, stdio: stdio.descriptors, detached: true });
      if (child.pid === undefined) await once(child, 'spawn');
      return new ProcessGroup(child, stdio, killTimeout);
    } catch (error) {
      throw startError(file, interpreter, error as NodeJS.ErrnoException);
    } finally {
      stdio.close();
    }
  }

  private constructor(child: ChildProcess, stdio: Stdio, killTimeout: number) {
    const { stdin, stdout, stderr } = stdio.toStreams();
    this.#pid = child.pid!;
    this.#killTimeout = killTimeout;
    this.stdin = stdin;
    this.stdout = stdout;
    this.stderr = stderr;
    // Of a pipe whose other end is closed, or that would be shut down as a socket is before it is closed.
    for (const stream of [stdin, stdout, stderr]) stream?.on('error', () => {});
    const exit = once(child, 'exit').then(([status, signal]): End => {
      this.#onExit();
      return { status, signal };
    });
    stdout.once('close', () => this.#letGo());
    const streams = [stdout, stderr].map((stream) => new Promise((resolve) => stream.once('close', resolve)));
    this.closed = Promise.all([exit, ...streams]).then(([end]) => {
      if (!this.#ending) running.delete(this);
      return end;
    });
    if (!watching) process.on('exit', killAll);
    watching = true;
    running.add(this);
  }

  /** Ends it and what it has started, if that still runs: by SIGTERM and, after `killTimeout`, by SIGKILL. */
  end(): void {
    if (this.#ending || (this.#exited && this.stdout.destroyed)) return;
    this.#ending = true;
    this.#killer = after(this.#killTimeout, () => {
      this.kill();
      running.delete(this);
    }).unref();
    this.#signal('SIGTERM');
    if (this.#exited) this.#onExit();
  }

  kill(): void {
    this.#signal('SIGKILL');
  }

  /** False if nobody is left to get it. */
  #signal(signal: NodeJS.Signals | 0): boolean {
    try {
      return process.kill(-this.#pid, signal);
    } catch {
      return false;
    }
  }

  #onExit(): void {
    this.#exited = true;
    this.stdin?.destroy();
    if (this.#ending) {
      // As long as one of the group lives, its number is nobody else's.
      if (!this.#signal(0)) {
        clearTimeout(this.#killer);
        running.delete(this);
      }
      this.stdout.destroy();
    }
    this.#letGo();
  }

  /** What the program has left running could hold its stderr open for ever. */
  #letGo(): void {
    const { stdout, stderr } = this;
    if (this.#exited && stdout.destroyed && !stderr.destroyed) after(STDERR_GRACE, () => stderr.destroy()).unref();
  }
}

/** For an end of this process that waits for nobody. */
function killAll(): void {
  for (const group of running) group.kill();
}
