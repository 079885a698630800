import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Answerer, application } from '../adapters/client/application.ts';
import { folderOf } from '../middleware/programs.ts';
import { build, PROJECT } from '../servers/build.ts';
import { exchange } from '../servers/client.ts';
import { freePort, Program, temporaryFolder } from '../servers/program.ts';

beforeAll(build);

const MAIN = join(PROJECT, 'dist/cli/main.js');

const telling: Answerer = (request) => {
  const { SCRIPT_FILENAME = '-', SCRIPT_NAME, PATH_INFO, A = '-' } = request.params;
  request.stderr('seen').answer([SCRIPT_FILENAME, SCRIPT_NAME, PATH_INFO, A].join(' '));
};

/** A gateway with these arguments behind the address, and how it is asked. */
async function start(...args: string[]) {
  const port = await freePort();
  const gateway = new Program(process.execPath, [MAIN, 'gateway', ...args, '--http', `${port}`], temporaryFolder());
  onTestFinished(async () => void (await gateway.stop()));
  await gateway.accepts(port);
  return { gateway, port, ask: async (path: string) => (await exchange(port, { path })).body };
}

describe('fcgi gateway', () => {
  it('passes everything on, says where it listens, and what the application says on stderr', async () => {
    const app = await application(telling);
    const { gateway, port, ask } = await start(app.address, '--env', 'A=b=c');
    expect(await ask('/a%20b.php/c?d')).toBe('-  /a b.php/c b=c');
    expect(gateway.output).toContain(`Listening on http://127.0.0.1:${port}`);
    expect(gateway.output).toContain('seen');
    expect(await gateway.stop()).toBe(0);
  });

  it('serves a folder of scripts', async () => {
    const root = folderOf({ 'start.cgi': '', 'a.cgi': '', 'a.txt': 'text' });
    const app = await application(telling);
    const { ask } = await start(app.address, '--root', root, '--split', '.cgi', '--index', 'start.cgi');
    expect(await ask('/a.cgi/b')).toBe(`${root}/a.cgi /a.cgi /b -`);
    expect(await ask('/none')).toBe(`${root}/start.cgi /start.cgi  -`);
    expect(await ask('/a.txt')).toBe('text');
  });

  it('shares the requests among several applications', async () => {
    const app = await application(telling);
    const { ask } = await start('./nobody.sock', app.address);
    for (let i = 0; i < 3; i++) expect(await ask('/a')).toBe('-  /a -');
  });

  it('answers 502 where nobody listens, and 504 where nobody answers', async () => {
    const silent = await application(() => {});
    const { port } = await start('./nobody.sock');
    expect((await exchange(port, { path: '/' })).status).toBe(502);
    const other = await start(silent.address, '--timeout', '0.1');
    expect((await exchange(other.port, { path: '/' })).status).toBe(504);
  });

  it.each([
    ['no address', [], 'expected the address of an application'],
    ['an address that is none', ['http://x'], 'http:// is no address'],
    ['a root that is none', ['./a.sock', '--root', '/none'], '/none is no folder'],
    ['an index without a root', ['./a.sock', '--index', 'a.php'], 'there is none'],
    ['a variable without a value', ['./a.sock', '--env', 'A'], '--env takes NAME=VALUE'],
    ['a timeout that is none', ['./a.sock', '--timeout', 'soon'], 'headersTimeout takes a number'],
  ])('refuses %s', async (_, args, why) => {
    const [status, stderr] = await new Promise<[unknown, string]>((resolve) => {
      execFile(process.execPath, [MAIN, 'gateway', ...args], (error, _stdout, text) => resolve([error?.code, text]));
    });
    expect([status, stderr]).toEqual([2, expect.stringContaining(why)]);
    expect(stderr).not.toContain('    at ');
  });
});
