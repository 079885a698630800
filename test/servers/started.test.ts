import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { PROJECT } from './build.ts';
import { exchange, open } from './client.ts';
import { startH2o } from './h2o.ts';
import { startLighttpd } from './lighttpd.ts';
import { startApacheWith, startModFcgid } from './mod-fcgid.ts';
import { startNginx } from './nginx.ts';
import { describeWith, freePort, Program, type Server, temporaryFolder } from './program.ts';
import { Started } from './started.ts';

/** What can start a program, and how. */
interface Way {
  name: string;
  needs?: Server[];
  /** How many processes there are of it, if that is not as many as there are requests. */
  processes?: number;
  start(app: Started): Promise<Running>;
}

interface Running {
  /** Where a client asks. */
  port: number;
  /** Whose log has what the program wrote to stderr. */
  logger: Program;
  stop(): Promise<unknown>;
}

/** A web server in front of an app that it does not start itself. */
async function behindNginx(socket: string, stopApp: () => Promise<unknown>): Promise<Running> {
  const { port, program } = await startNginx({ path: socket }, { keepAlive: true });
  const stop = async () => {
    await program.stop();
    await stopApp();
  };
  return { port, logger: program, stop };
}

async function behindSpawnFcgi(app: Started, [spawnFcgi, args]: [string, string[]]): Promise<Running> {
  const socket = join(app.folder, 'app.sock');
  const spawn = new Program(spawnFcgi, args, temporaryFolder());
  await once(spawn.child, 'close');
  const pids = [...spawn.output.matchAll(/PID: (\d+)/g)].map(([, pid]) => Number(pid));
  return behindNginx(socket, async () => {
    await app.serves(pids.length);
    for (const pid of pids) process.kill(pid);
    await app.ended();
    // It is spawn-fcgi's.
    expect(existsSync(socket)).toBe(true);
    await spawn.stop();
  });
}

const DOCUMENT = readFileSync(join(PROJECT, 'docs/starting.md'), 'utf8');

/** The block of docs/starting.md that begins so, for a program and a socket that lie elsewhere. */
function documented(begins: string, { file, folder }: Started): string {
  const at = DOCUMENT.indexOf(`\n${begins}`, DOCUMENT.indexOf('```')) + 1;
  const block = DOCUMENT.slice(at, DOCUMENT.indexOf('```', at));
  if (at === 0) throw new Error(`docs/starting.md has no block with '${begins}'`);
  return block.replaceAll('/srv/app/app.js', file).replaceAll('/run/app.sock', join(folder, 'app.sock'));
}

/** A command of docs/starting.md. */
function command(begins: string, app: Started): [command: string, args: string[]] {
  const [name = '', ...args] = documented(begins, app).split('\n')[0]!.split(' ');
  return [name, args];
}

/** Apache, to which the program is a CGI script. */
function startCgi(app: Started, module: string, directive = ''): Promise<{ port: number; program: Program }> {
  return startApacheWith(
    ['alias', 'env', module],
    (port) => `
${directive}
Listen 127.0.0.1:${port}
${documented('ScriptAlias', app)}`,
  );
}

const WAYS: Way[] = [
  {
    name: 'spawn-fcgi',
    processes: 1,
    needs: ['spawn-fcgi', 'nginx'],
    start: (app) => behindSpawnFcgi(app, command('spawn-fcgi -s', app)),
  },
  {
    name: 'spawn-fcgi, three times on one socket',
    processes: 3,
    needs: ['spawn-fcgi', 'nginx'],
    start(app) {
      const [spawnFcgi, args] = command('spawn-fcgi -s', app);
      return behindSpawnFcgi(app, [spawnFcgi, ['-F', '3', ...args]]);
    },
  },
  {
    name: 'Apache mod_fcgid',
    needs: ['apache', 'mod_fcgid'],
    start: async (app) => runningAs(await startModFcgid(app.file)),
  },
  {
    name: 'lighttpd bin-path',
    processes: 1,
    needs: ['lighttpd'],
    start: async (app) => runningAs(await startLighttpd({ path: join(app.folder, 'app.sock') }, app.file)),
  },
  {
    name: 'h2o fastcgi.spawn',
    processes: 1,
    needs: ['h2o'],
    start: async (app) => runningAs(await startH2o({ socket: { path: 'unused' }, program: app.file })),
  },
  {
    name: 'systemd socket activation',
    processes: 1,
    needs: ['systemd', 'nginx'],
    async start(app) {
      const socket = join(app.folder, 'app.sock');
      const systemd = new Program('systemd-socket-activate', ['-l', socket, app.file], temporaryFolder());
      await exists(socket);
      return behindNginx(socket, () => systemd.stop());
    },
  },
  {
    name: 'systemd socket activation with a socket named http',
    processes: 1,
    needs: ['systemd'],
    async start(app) {
      const port = await freePort();
      const [activate, args] = command('systemd-socket-activate', app);
      const here = args.map((arg) => arg.replace('8080', `${port}`));
      const systemd = new Program(activate, here, temporaryFolder());
      await systemd.accepts(port);
      return { port, logger: systemd, stop: () => systemd.stop() };
    },
  },
  {
    name: 'Apache mod_cgid',
    needs: ['apache'],
    start: async (app) => runningAs(await startCgi(app, 'cgid', 'ScriptSock cgid.sock')),
  },
  {
    name: 'Apache mod_cgi',
    needs: ['apache'],
    start: async (app) => runningAs(await startCgi(app, 'cgi')),
  },
  {
    name: 'a person at a shell',
    processes: 1,
    async start(app) {
      const port = await freePort();
      const shell = new Program('sh', ['-c', `PORT=${port} exec node ${app.file}`], temporaryFolder());
      await shell.accepts(port);
      return { port, logger: shell, stop: () => shell.stop() };
    },
  },
];

function runningAs({ port, program }: { port: number; program: Program }): Running {
  return { port, logger: program, stop: () => program.stop() };
}

async function exists(path: string): Promise<void> {
  while (!existsSync(path)) await setTimeout(10);
}

afterAll(() => Started.uninstall());

for (const { name, needs = [], processes, start } of WAYS) {
  describeWith(needs, `a program started by ${name}`, () => {
    let app: Started;
    let running: Running;
    beforeAll(async () => {
      app = new Started(name);
      running = await start(app);
    });
    afterAll(() => app.kill());

    it('answers a GET', async () => {
      expect(await exchange(running.port, { path: '/hello' })).toMatchObject({ status: 200, body: 'Hello World' });
    });

    it('answers a POST with a body', async () => {
      const body = Buffer.alloc(1 << 20, 'large');
      const answer = await exchange(running.port, { method: 'POST', path: '/mirror', body });
      expect(answer).toMatchObject({ status: 200, body: body.toString() });
    });

    it('answers 20 requests at once', async () => {
      const bodies = Array.from({ length: 20 }, (_, index) => `body ${index}`);
      const ask = (body: string) =>
        exchange(running.port, { method: 'POST', path: '/mirror', body: Buffer.from(body) });
      const answers = await Promise.all(bodies.map(ask));
      expect(answers.map((answer) => answer.body)).toEqual(bodies);
    });

    it("has the request's variables", async () => {
      const headers: [string, string][] = [
        ['X-Test', '1'],
        ['Authorization', 'Basic YTpi'],
      ];
      const { body } = await exchange(running.port, { path: '/env?a=%20b', headers });
      expect(JSON.parse(body)).toMatchObject({
        GATEWAY_INTERFACE: 'CGI/1.1',
        REQUEST_METHOD: 'GET',
        REQUEST_URI: '/env?a=%20b',
        QUERY_STRING: 'a=%20b',
        SERVER_PROTOCOL: 'HTTP/1.1',
        REMOTE_ADDR: '127.0.0.1',
        HTTP_HOST: 'site.test:8443',
        HTTP_X_TEST: '1',
        url: '/env?a=%20b',
        authorization: 'Basic YTpi',
      });
    });

    it('writes to the log, and what it prints does not get into the answer', async () => {
      expect((await exchange(running.port, { path: '/log' })).body).toBe('logged');
      await expect.poll(() => running.logger.output).toContain('to the log');
    });

    it('ends with status 0, and nothing of it is left', async () => {
      if (processes !== undefined) await app.serves(processes);
      await running.stop();
      await app.ended();
      expect(new Set(app.processes.values())).toEqual(new Set([0]));
      if (processes !== undefined) expect(app.processes.size).toBe(processes);
    });
  });
}

describeWith(['apache', 'mod_fcgid'], 'Apache mod_fcgid', () => {
  it('starts a process for each request at a time, and ends the idle ones, which exit with status 0', async () => {
    const app = new Started('mod_fcgid idle');
    const { port, program } = await startModFcgid(app.file, { idleTimeout: 1 });
    onTestFinished(async () => {
      await program.stop();
      app.kill();
    });
    const answers = await Promise.all(Array.from({ length: 3 }, () => exchange(port, { path: '/together/3' })));
    const pids = new Set(answers.map(({ body }) => Number(body)));
    expect(pids.size).toBe(3);
    await app.ended();
    for (const pid of pids) {
      expect(app.processes.get(pid)).toBe(0);
      const line = `(${pid}) exit(idle timeout), terminated by calling exit(), return code: 0`;
      await expect.poll(() => program.output, { timeout: 10_000 }).toContain(line);
    }
    expect((await exchange(port, { path: '/hello' })).body).toBe('Hello World');
  });

  it('answers 500 itself to more than 32 MB without a length', async () => {
    const app = new Started('mod_fcgid large');
    const { port, program } = await startModFcgid(app.file);
    onTestFinished(async () => void (await program.stop()));
    const body = Buffer.alloc((32 << 20) + 1);
    expect((await exchange(port, { method: 'POST', path: '/mirror', body, chunked: true })).status).toBe(500);
    await expect.poll(() => program.output).toContain('exceeds MaxRequestLen');
    expect(app.processes.size).toBe(0);
  });
});

describeWith('apache', 'Apache mod_cgid', () => {
  let app: Started;
  let port: number;
  let program: Program;
  beforeAll(async () => {
    app = new Started('mod_cgid exchanges');
    ({ port, program } = await startCgi(app, 'cgid', 'ScriptSock cgid.sock'));
  });
  afterAll(async () => {
    await program?.stop();
    app.kill();
  });

  it('answers 413 while 20 MB are on their way', async () => {
    const answer = await exchange(port, { method: 'POST', path: '/refuse', body: Buffer.alloc(20 << 20) });
    expect(answer).toMatchObject({ status: 413, body: 'too large' });
  });

  it('sends back 20 MB while they come, though it sends all of them before it reads the answer', async () => {
    const body = Buffer.alloc(20 << 20, 'there and back');
    const answer = await exchange(port, { method: 'POST', path: '/pipe', body });
    expect(answer.body === body.toString()).toBe(true);
  });

  it('takes a body without a Content-Length', async () => {
    const answer = await exchange(port, { method: 'POST', path: '/mirror', body: Buffer.from('body'), chunked: true });
    expect(answer).toMatchObject({ status: 200, body: 'body' });
  });

  it('ends the program when the client leaves', async () => {
    const res = await open(port, { path: '/endless' });
    await once(res, 'data');
    res.destroy();
    await app.ended();
  });
});

it('a person who says no port has it on 8080, or is told that somebody else has', async () => {
  const app = new Started('without PORT');
  const { PORT, ...env } = process.env;
  const program = new Program('node', [app.file], temporaryFolder(), { env });
  const told = /^Listening on http:\/\/127\.0\.0\.1:8080$|Somebody else is listening on 127\.0\.0\.1:8080/m;
  await expect.poll(() => program.output, { timeout: 10_000 }).toMatch(told);
  await program.stop();
});

describe('docs/starting.md', () => {
  it('has a program that answers as it stands there', async () => {
    const app = new Started('documented');
    writeFileSync(app.file, documented('#!/usr/bin/env node', app));
    const request = { GATEWAY_INTERFACE: 'CGI/1.1', REQUEST_METHOD: 'GET', REQUEST_URI: '/hello' };
    const env = { PATH: process.env.PATH, ...request };
    const program = new Program(app.file, [], temporaryFolder(), { env });
    await once(program.child, 'close');
    expect(program.output).toMatch(/^Status: 200 OK\r\n.*\r\n\r\nHello World$/s);
    expect(await program.stop()).toBe(0);
  });

  it('has commands that print configurations', () => {
    const lines = [...DOCUMENT.matchAll(/^npx (fcgi config .*)$/gm)].map(([, line]) => line);
    expect(lines).toHaveLength(3);
    for (const line of lines) {
      const fcgi = `fcgi() { node dist/cli/main.js "$@"; }\n${line}`;
      const printed = execFileSync('sh', ['-c', fcgi], { cwd: PROJECT, encoding: 'utf8' });
      expect(printed).toContain('/usr/bin/node /srv/app/app.js');
    }
  });
});

describeWith('systemd', "docs/starting.md's units", () => {
  it('are what systemd understands', async () => {
    const app = new Started('units');
    const units = ['app.socket', 'app.service'].map((name) => join(app.folder, name));
    writeFileSync(units[0]!, documented('[Socket]', app));
    writeFileSync(units[1]!, documented('[Unit]', app).replace('/usr/bin/node', process.execPath));
    const analyze = new Program('systemd-analyze', ['verify', ...units], temporaryFolder());
    await once(analyze.child, 'close');
    expect(analyze.output).toBe('');
    expect(await analyze.stop()).toBe(0);
  });
});
