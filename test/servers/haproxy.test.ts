import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { connect } from 'node:http2';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { createServer, type Response } from '../../src/index.ts';
import { App } from './app.ts';
import { exchange, open } from './client.ts';
import { type HaproxyOptions, startHaproxy } from './haproxy.ts';
import { describeWith, type Program, replaceOnce, temporaryFolder } from './program.ts';

let app: App;
beforeAll(async () => {
  app = await App.start();
});
afterAll(() => app?.program.stop());

async function start(options?: HaproxyOptions): Promise<{ port: number; program: Program }> {
  const haproxy = await startHaproxy({ path: app.socket }, options);
  onTestFinished(async () => {
    await haproxy.program.stop();
    await expect.poll(() => app.connections()).toBe(0);
  });
  return haproxy;
}

/** Several clients' requests on one connection, which is not what is printed: see there. */
const shared: HaproxyOptions = {
  multiplex: true,
  edit: (config) => replaceOnce(config, 'http-reuse safe', 'http-reuse always'),
};

/** How many connections the app has with so many requests under way, begun one after the other; all are answered. */
async function connectionsWith(count: number, ask: (path: string) => Promise<string>): Promise<number> {
  const ids = Array.from({ length: count }, () => randomUUID());
  const answers: Promise<string>[] = [];
  for (const id of ids) {
    answers.push(ask(`/slow?id=${id}`));
    await app.event(id, 'begun');
  }
  const connections = await app.connections();
  for (const id of ids) app.go(id);
  expect(await Promise.all(answers)).toEqual(Array(count).fill('at last'));
  return connections;
}

describeWith('haproxy', 'HAProxy', () => {
  it.each([
    ['by itself', '', false],
    ['by itself, of a known length', '12', false],
    ['beside some of the answer', '', true],
    ['beside some of the answer, of a known length', '12', true],
  ])('lives through what is said to the error log in the middle of an answer %s', async (_how, length, beside) => {
    let goOn = () => {};
    const server = createServer(async (req, res) => {
      if (req.url === '/other') return res.end('other');
      if (length !== '') res.setHeader('Content-Length', length);
      res.write('first ');
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
      (res as Response).stderr.write('said in the middle\n');
      if (beside) res.write('and ');
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
      return res.end(beside ? 'on' : 'and on');
    });
    const folder = temporaryFolder();
    const socket = join(folder, 'fcgi.sock');
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
      rmSync(folder, { recursive: true });
    });
    const haproxy = await startHaproxy({ path: socket });
    onTestFinished(async () => void (await haproxy.program.stop()));
    const res = await open(haproxy.port, { path: '/' });
    let body = '';
    res.setEncoding('utf8').on('data', (piece) => {
      body += piece;
    });
    const ended = once(res, 'end');
    await expect.poll(() => body).toBe('first ');
    goOn();
    // By now it has come, if it has been sent.
    for (let i = 0; i < 3; i++) expect((await exchange(haproxy.port, { path: '/other' })).body).toBe('other');
    goOn();
    await ended;
    expect(body).toBe('first and on');
    expect((await exchange(haproxy.port, { path: '/other' })).body).toBe('other');
  });

  it('has as many connections as there are requests under way, and keeps them for whoever comes', async () => {
    const { port } = await start();
    const ask = async (path: string) => (await exchange(port, { path })).body;
    expect(await connectionsWith(3, ask)).toBe(3);
    for (let i = 0; i < 5; i++) expect(await ask('/hello')).toBe('Hello World');
    expect(await app.connections()).toBe(3);
  });

  it('with --multiplex has one connection for all requests of a client', async () => {
    const { port } = await start({ multiplex: true });
    const client = connect(`http://127.0.0.1:${port}`);
    onTestFinished(() => client.destroy());
    expect(await connectionsWith(20, (path) => text(client.request({ ':path': path })))).toBe(1);
  });

  it('with --multiplex has no client wait for another that does not read', async () => {
    const { port } = await start({ multiplex: true });
    const idle = await open(port, { path: `/download?bytes=${100 << 20}` });
    await once(idle, 'readable');
    for (let i = 0; i < 5; i++) expect((await exchange(port, { path: '/hello' })).body).toBe('Hello World');
    idle.destroy();
  });

  it('puts as many requests on a connection as the app says that it takes', async () => {
    const { port } = await start(shared);
    expect(await connectionsWith(101, async (path) => (await exchange(port, { path })).body)).toBe(2);
  });

  it('does not tell the app that one client of several on a connection has left, until the others have', async () => {
    const { port } = await start(shared);
    const one = await open(port, { path: '/endless?id=one' });
    const two = await open(port, { path: '/endless?id=two' });
    expect(await app.connections()).toBe(1);
    one.destroy();
    app.go('one');
    app.go('two');
    for (let ticks = 0; ticks < 3; ticks++) await once(two, 'data');
    expect(app.has('one', 'abort')).toBe(false);
    two.destroy();
    await Promise.all([app.event('one', 'abort'), app.event('two', 'abort')]);
  });

  it('does not take the word of a client for who it is', async () => {
    const { port } = await start();
    const { body } = await exchange(port, { path: '/env', headers: [['Authorization', 'Basic YTpi']] });
    const env = JSON.parse(body);
    expect(env).toMatchObject({ HTTP_AUTHORIZATION: 'Basic YTpi' });
    expect(env).not.toHaveProperty('REMOTE_USER');
    expect(env).not.toHaveProperty('AUTH_TYPE');
  });

  it('tells who logged in, with the lines that its configuration has in a comment', async () => {
    const commented = /^ {2}# {3}(http-request .*)$/gm;
    const edit = (config: string) => {
      const rules = [...config.matchAll(commented)].map(([, rule]) => `  ${rule}\n`).join('');
      const users = 'userlist users\n  user anna insecure-password secret\n\n';
      return users + replaceOnce(config, 'listen app\n', `listen app\n${rules}`);
    };
    const { port } = await start({ edit });
    expect((await exchange(port, { path: '/env' })).status).toBe(401);
    const Authorization = `Basic ${Buffer.from('anna:secret').toString('base64')}`;
    const { body } = await exchange(port, { path: '/env', headers: [['Authorization', Authorization]] });
    expect(JSON.parse(body)).toMatchObject({ REMOTE_USER: 'anna', AUTH_TYPE: 'Basic' });
  });

  it('lets a small body without a length through, and says 411 to one that is larger', async () => {
    const { port } = await start();
    const post = (bytes: number) =>
      exchange(port, { method: 'POST', path: '/body', chunked: true, body: Buffer.alloc(bytes) });
    expect((await post(8000)).body).toContain('"bytes":8000');
    expect(await post(10_000)).toMatchObject({ status: 411, body: 'Length Required' });
  });

  it('logs what the app writes to the error log', async () => {
    const { port, program } = await start();
    await exchange(port, { path: '/throw' });
    await expect.poll(() => program.output).toContain('Error: before the head');
  });
});
