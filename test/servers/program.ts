import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
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

  /** Waits until something accepts connections on the port, or at the path; throws with its output if the program ends before. */
  async accepts(at: number | string): Promise<void> {
    while (!(await accepts(at))) {
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

function accepts(at: number | string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = typeof at === 'string' ? connect(at) : connect(at, '127.0.0.1');
    socket.on('error', () => resolve(false));
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

/** Debian has them where only root looks. */
process.env.PATH += ':/usr/sbin';

/** Its name has PHP's version. */
export const PHP_FPM = existsSync('/usr/sbin')
  ? (readdirSync('/usr/sbin').find((name) => /^php-fpm[\d.]+$/.test(name)) ?? 'php-fpm')
  : 'php-fpm';

interface Installed {
  command: string;
  /** What only works where it is installed. Default: to start it at all. */
  args?: string[];
  packages: string;
}

/** The program of each, or the module, and the Debian packages that it comes in. */
const SERVERS = {
  nginx: { command: 'nginx', packages: 'nginx-light' },
  caddy: { command: 'caddy', packages: 'caddy' },
  apache: { command: 'apache2', packages: 'apache2' },
  lighttpd: { command: 'lighttpd', packages: 'lighttpd' },
  haproxy: { command: 'haproxy', packages: 'haproxy' },
  h2o: { command: 'h2o', packages: 'h2o' },
  mod_fcgid: { command: '/usr/lib/apache2/modules/mod_fcgid.so', packages: 'libapache2-mod-fcgid' },
  mod_xsendfile: {
    command: '/usr/lib/apache2/modules/mod_xsendfile.so',
    packages: 'libapache2-mod-xsendfile',
  },
  'spawn-fcgi': { command: 'spawn-fcgi', packages: 'spawn-fcgi' },
  systemd: { command: 'systemd-socket-activate', packages: 'systemd' },
  // No server, but wanted as they are.
  chromium: { command: '/usr/bin/chromium', packages: 'chromium' },
  'php-fpm': { command: PHP_FPM, packages: 'php-fpm' },
  dokuwiki: { command: '/usr/share/dokuwiki/doku.php', packages: 'dokuwiki' },
  libfcgi: {
    command: 'cc',
    args: ['-E', '-include', 'fcgi_stdio.h', '-x', 'c', '/dev/null', '-o', '/dev/null'],
    packages: 'gcc libc6-dev libfcgi-dev',
  },
  'Perl’s FCGI': { command: 'perl', args: ['-MFCGI', '-e', '1'], packages: 'libfcgi-perl' },
  Go: { command: 'go', args: ['version'], packages: 'golang-go' },
} satisfies Record<string, Installed>;

export type Server = keyof typeof SERVERS;

/**
 * `describe`, for what needs a web server. Where it is not installed, the tests are left out and say so; with
 * FCGI_TEST_SERVERS=required they fail.
 */
export function describeWith(servers: Server | Server[] | undefined, name: string, body: () => void): void {
  const missing = [servers ?? []].flat().filter((server) => !isInstalled(SERVERS[server]));
  if (missing.length === 0) {
    describe(name, body);
    return;
  }
  const packages = missing.map((server) => SERVERS[server].packages).join(' ');
  const told = `${missing.join(' and ')} is not installed: apt-get install ${packages}`;
  if (process.env.FCGI_TEST_SERVERS === 'required') {
    it(name, () => {
      throw new Error(told);
    });
  } else {
    console.warn(`Left out: ${name}. ${told}`);
    describe.skip(name, body);
  }
}

function isInstalled({ command, args }: Installed): boolean {
  if (command.startsWith('/')) return existsSync(command);
  return args === undefined ? !spawnSync(command, ['-v']).error : spawnSync(command, args).status === 0;
}

/** The text with one place replaced; throws where an example no longer has it. */
export function replaceOnce(text: string, place: string, by: string): string {
  if (text.split(place).length !== 2) throw new Error(`expected '${place}' once in:\n${text}`);
  return text.replace(place, () => by);
}
