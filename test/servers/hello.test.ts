import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { build, PROJECT } from './build.ts';
import { startCaddy } from './caddy.ts';
import { exchange } from './client.ts';
import { startNginx } from './nginx.ts';
import { describeWith, freePort, Program, temporaryFolder } from './program.ts';

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

describeWith('nginx', 'examples/hello/nginx.conf', () => {
  it('serves the example as it is over HTTP', async () => {
    const nginx = await startNginx({ fastcgi: `unix:${socket}`, keepAlive: true });
    onTestFinished(async () => void (await nginx.program.stop()));
    const ask = { path: '/hello/nginx%20%3Cb%3E' };
    expect(await exchange(nginx.port, ask)).toEqual(await exchange(port, ask));
  });
});

describeWith('caddy', 'examples/hello/Caddyfile', () => {
  it('serves the example as it is over HTTP', async () => {
    const caddy = await startCaddy(`unix/${socket}`);
    onTestFinished(async () => void (await caddy.program.stop()));
    const ask = { path: '/hello/Caddy%20%3Cb%3E' };
    expect(await exchange(caddy.port, ask)).toEqual(await exchange(port, ask));
  });
});
