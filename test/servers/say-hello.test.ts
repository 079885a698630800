import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { build, PROJECT } from './build.ts';
import { caddyEnv } from './caddy.ts';
import { exchange } from './client.ts';
import { describeWith, freePort, Program, replaceOnce, temporaryFolder } from './program.ts';

const EXAMPLES = join(PROJECT, 'examples/say-hello');

beforeAll(build);

/** Runs a program of the examples in a folder of its own, where its socket is. */
function run(file: string, args: string[] = [], env: NodeJS.ProcessEnv = {}): Program {
  const cwd = temporaryFolder();
  const program = new Program(process.execPath, [file, ...args], cwd, { cwd, env: { ...process.env, ...env } });
  onTestFinished(async () => void (await program.stop()));
  return program;
}

async function listens(program: Program): Promise<void> {
  await expect.poll(() => existsSync(join(program.folder, 'fcgi.sock')) || program.child.exitCode).toBe(true);
}

const ask = { path: '/?q=1', method: 'POST', body: Buffer.from('yourname') };

describeWith('caddy', 'behind examples/say-hello/Caddyfile', () => {
  /** Starts Caddy where the program's socket is, on a port of its own. */
  async function caddyBefore({ folder: cwd }: Program): Promise<number> {
    const port = await freePort();
    const config = readFileSync(join(EXAMPLES, 'Caddyfile'), 'utf8');
    writeFileSync(join(cwd, 'Caddyfile'), replaceOnce(config, 'http://:8000', `http://:${port}`));
    const caddy = new Program('caddy', ['run'], temporaryFolder(), { cwd, env: caddyEnv(cwd) });
    onTestFinished(async () => void (await caddy.stop()));
    await caddy.accepts(port);
    return port;
  }

  it.each([
    ['server.js', 'text/html', /^<html>yourname ; q=1<\/html>\r\n$/],
    ['say-hello-fcgi.js', 'text/plain', /^Hello yourname\n.*\n {2}QUERY_STRING: 'q=1',?\n/s],
    ['say-hello-handler.js', 'text/plain', /^Hello yourname\r\n$/],
  ])('%s says hello', async (file, type, body) => {
    const program = run(join(EXAMPLES, file));
    await listens(program);
    const port = await caddyBefore(program);
    for (let i = 0; i < 2; i++) {
      const answer = await exchange(port, ask);
      expect(answer).toMatchObject({ status: 200, body: expect.stringMatching(body) });
      expect(answer.headers['content-type']).toEqual([type]);
    }
    const exited = once(program.child, 'exit');
    program.child.kill('SIGTERM');
    await exited;
    expect(program.output.replace(/^Listening on unix:.*\n/, '')).toBe('');
  });
});

describe('over HTTP', () => {
  it('say-hello-http.js says hello', async () => {
    const port = await freePort();
    const program = run(join(EXAMPLES, 'say-hello-http.js'), [], { PORT: `${port}` });
    await program.accepts(port);
    expect(await exchange(port, ask)).toMatchObject({ status: 200, body: 'Hello yourname\r\n' });
  });
});

describe('cgi-bin/say-hello.js', () => {
  it('says hello by `fcgi cgi`', async () => {
    const port = await freePort();
    const args = ['cgi', join(EXAMPLES, 'cgi-bin'), '--mount', '/cgi-bin', '--http', `${port}`];
    const program = run(join(PROJECT, 'dist/cli/main.js'), args);
    await program.accepts(port);
    const answer = await exchange(port, { ...ask, path: '/cgi-bin/say-hello.js' });
    expect(answer).toMatchObject({ status: 200, body: 'Hello yourname\r\n' });
    const { body } = await exchange(port, { path: '/cgi-bin/say-hello.js' });
    expect(body).toBe('Hello \r\n');
  });

  it('says hello in a bare environment', () => {
    const env = { PATH: process.env.PATH, REQUEST_METHOD: 'POST', CONTENT_LENGTH: '8' };
    const { stdout } = spawnSync(join(EXAMPLES, 'cgi-bin/say-hello.js'), { env, input: 'yourname', encoding: 'utf8' });
    expect(stdout).toBe('Content-Type: text/plain\r\n\r\nHello yourname\r\n');
  });
});
