import { once } from 'node:events';
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { build, PROJECT } from './build.ts';
import { caddyEnv } from './caddy.ts';
import { exchange } from './client.ts';
import { describeWith, freePort, Program, replaceOnce, temporaryFolder } from './program.ts';

let port: number;
let hello: Program;
let socket: string;

beforeEach(async () => {
  build();
  const { scripts } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8'));
  expect(scripts.start).toBe('node examples/hello/app.js');

  port = await freePort();
  const cwd = temporaryFolder();
  socket = join(cwd, 'fcgi.sock');
  const env = { ...process.env, PORT: `${port}` };
  hello = new Program(process.execPath, [join(PROJECT, 'examples/hello/app.js')], cwd, { cwd, env });
  await hello.accepts(port);
});

afterEach(async () => {
  await hello.stop();
});

describe('npm start', () => {
  it('serves the example over HTTP, and says what to open and what to put into a Caddyfile', async () => {
    expect(await exchange(port, { path: '/' })).toMatchObject({ status: 200, body: '<h1>Hello World</h1>' });
    expect(hello.output).toContain(`http://127.0.0.1:${port}`);
    expect(hello.output).toContain(`reverse_proxy unix/${socket} {\n    transport fastcgi`);
  });

  it('finishes what is in flight at SIGTERM, removes its socket, and exits with 0', async () => {
    const headers = { Expect: '100-continue', 'Content-Length': 9 };
    const post = request({ port, host: '127.0.0.1', path: '/hello', method: 'POST', headers });
    post.flushHeaders();
    await once(post, 'continue');
    expect(existsSync(socket)).toBe(true);

    const exited = once(hello.child, 'exit');
    hello.child.kill('SIGTERM');
    await expect.poll(() => existsSync(socket)).toBe(false);
    post.end('in flight');
    const [res] = await once(post, 'response');
    expect(await text(res)).toBe('Hello in flight');
    expect(await exited).toEqual([0, null]);
  });
});

/** Starts a web server on a copy of the example's configuration, as it is but for the port. */
async function startWith(command: string, args: (folder: string) => string[], file: string, listens: string) {
  const folder = temporaryFolder();
  cpSync(join(PROJECT, 'examples/hello'), folder, { recursive: true });
  const own = await freePort();
  const config = replaceOnce(readFileSync(join(folder, file), 'utf8'), listens, listens.replace(/\d+$/, `${own}`));
  writeFileSync(join(folder, file), config);
  // Where a person would start it: the example names the socket by itself.
  const options = { cwd: dirname(socket), env: caddyEnv(folder) };
  const program = new Program(command, args(folder), folder, options);
  onTestFinished(async () => void (await program.stop()));
  await program.accepts(own);
  return own;
}

describeWith('nginx', 'examples/hello/nginx.conf', () => {
  it('serves the example as it is over HTTP', async () => {
    const root = process.getuid?.() === 0 ? ['-g', 'user root;'] : [];
    const args = (folder: string) => ['-e', 'stderr', '-p', folder, '-c', join(folder, 'nginx.conf'), ...root];
    const nginx = await startWith('nginx', args, 'site.conf', '127.0.0.1:8082');
    const ask = { path: '/hello/nginx%20%3Cb%3E' };
    expect(await exchange(nginx, ask)).toEqual(await exchange(port, ask));
  });
});

describeWith('caddy', 'examples/hello/Caddyfile', () => {
  it('serves the example as it is over HTTP', async () => {
    const args = (folder: string) => ['run', '--config', join(folder, 'Caddyfile')];
    const caddy = await startWith('caddy', args, 'Caddyfile', 'http://:8081');
    const ask = { path: '/hello/Caddy%20%3Cb%3E' };
    expect(await exchange(caddy, ask)).toEqual(await exchange(port, ask));
  });
});
