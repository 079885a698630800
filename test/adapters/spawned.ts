import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { renameSync } from 'node:fs';
import { createServer, type ListenOptions, Server } from 'node:net';
import { onTestFinished } from 'vitest';
import { build, PROJECT } from '../servers/build.ts';

export interface SpawnedOptions {
  /** All of its environment, but for PATH. */
  env?: Record<string, string>;
  /** Its file descriptors from 0 on. A server is handed over: this process no longer listens. Default: pipes. */
  fds?: (Server | number | NodeJS.WritableStream | 'pipe' | 'ignore')[];
  /** What a shell does first, with `"$@"` for the program. */
  shell?: string;
}

/** A program of a few lines in a process of its own, which imports the package by its name, as users do. */
export class Spawned {
  readonly child: ChildProcess;
  /** Exit code or signal, when all that it wrote is here. */
  readonly ended: Promise<number | NodeJS.Signals>;
  stdout = '';
  stderr = '';

  constructor(code: string, { env = {}, fds = [], shell = 'exec "$@"' }: SpawnedOptions = {}) {
    build();
    const node = [process.execPath, '--input-type=module', '--eval', code];
    const stdio = Array.from({ length: Math.max(3, fds.length) }, (_, fd) => numberOf(fds[fd]) ?? 'pipe');
    this.child = spawn('sh', ['-c', shell, 'sh', ...node], {
      cwd: PROJECT,
      env: { PATH: process.env.PATH, ...env },
      stdio: stdio as unknown as SpawnOptions['stdio'],
    });
    for (const name of ['stdout', 'stderr'] as const) {
      this.child[name]?.setEncoding('latin1').on('data', (text: string) => {
        this[name] += text;
      });
    }
    this.child.stdin?.on('error', () => {});
    this.ended = once(this.child, 'close').then(([code, signal]) => code ?? signal);
    onTestFinished(() => void this.child.kill('SIGKILL'));
    for (const fd of fds) if (fd instanceof Server) release(fd);
  }

  /** Waits until stdout or stderr has it; throws with all that it wrote if the program ends before. */
  async prints(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.stdout + this.stderr);
      if (found) return found;
      const streams = [this.child.stdout, this.child.stderr].filter((stream) => stream?.readable);
      if (streams.length === 0) throw new Error(`It ended: ${this.stdout}${this.stderr}`);
      await Promise.race(streams.flatMap((stream) => [once(stream!, 'data'), once(stream!, 'close')]));
    }
  }
}

/** A server itself is not among what `spawn` takes, although its handle has a file descriptor. */
function numberOf<T>(fd: T): T | number {
  return fd instanceof Server ? (fd as unknown as { _handle: { fd: number } })._handle.fd : fd;
}

/** A socket that listens, to be handed over to a program. */
export async function listening(at: ListenOptions): Promise<Server> {
  const server = createServer().listen(at);
  await once(server, 'listening');
  return server;
}

/** Listens no longer, but lets the socket stay where it lies. */
function release(server: Server): void {
  const path = server.address();
  if (typeof path !== 'string') {
    server.close();
    return;
  }
  renameSync(path, `${path}~`);
  server.close();
  renameSync(`${path}~`, path);
}
