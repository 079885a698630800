import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, it } from 'vitest';

/** A program under test, with a folder of its own that goes when it goes. */
export class Program {
  readonly folder: string;
  readonly child: ChildProcess;
  /** What it has written to stdout and stderr until now: a web server's error log. */
  output = '';

  constructor(command: string, args: string[], folder: string, options: SpawnOptions = {}) {
    this.folder = folder;
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
  }

  /** Waits until something accepts connections on the port; throws with its output if the program ends before. */
  async accepts(port: number): Promise<void> {
    while (!(await accepts(port))) {
      if (this.child.exitCode !== null) throw new Error(`${this.child.spawnfile} ended:\n${this.output}`);
      await sleep(10);
    }
  }

  /** Answers its exit code. What does not heed the signal, because a client that failed is still there, is killed. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const patience = setTimeout(() => this.child.kill('SIGKILL'), 5000);
      this.child.kill(signal);
      await once(this.child, 'exit');
      clearTimeout(patience);
    }
    rmSync(this.folder, { recursive: true, force: true });
    return this.child.exitCode;
  }
}

export const temporaryFolder = (): string => mkdtempSync(join(tmpdir(), 'fcgi-'));

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('not a TCP server');
  return address.port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    }).on('error', () => resolve(false));
  });
}

const INSTALL = {
  nginx: 'apt-get install nginx-light',
  caddy: 'apt-get install caddy',
};

/**
 * `describe`, for what needs a web server. Where it is not installed, the tests are left out and say so; with
 * FCGI_TEST_SERVERS=required they fail.
 */
export function describeWith(server: keyof typeof INSTALL | undefined, name: string, body: () => void): void {
  if (server === undefined || !spawnSync(server, ['-v']).error) {
    describe(name, body);
    return;
  }
  const missing = `${server} is not installed: ${INSTALL[server]}`;
  if (process.env.FCGI_TEST_SERVERS === 'required') {
    it(name, () => {
      throw new Error(missing);
    });
  } else {
    console.warn(`Left out: ${name}. ${missing}`);
    describe.skip(name, body);
  }
}

/** The text with one place replaced; throws where an example no longer has it. */
export function replaceOnce(text: string, place: string, by: string): string {
  if (text.split(place).length !== 2) throw new Error(`expected '${place}' once in:\n${text}`);
  return text.replace(place, () => by);
}
