import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { FCGI_AUTHORIZER } from '../../src/adapters/fastcgi/constants.ts';
import { createApp } from '../../src/core/app.ts';
import { compileOffload, type Offload } from '../../src/core/offload.ts';
import type { Response } from '../../src/core/response.ts';
import type { SendFileOptions } from '../../src/core/send-file.ts';
import type { Handler } from '../../src/core/types.ts';
import { Door } from '../adapters/fastcgi/client.ts';
import { DOORS } from '../middleware/doors.ts';
import { folderOf } from '../middleware/programs.ts';

// Has no types.
const compression = createRequire(import.meta.url)('compression');

const door = new Door();
afterEach(() => door.close());

const accel = (root: string): Offload => ({ header: 'X-Accel-Redirect', prefix: '/_files', root });
const sendfile = (root: string): Offload => ({ header: 'X-Sendfile', root });

/** What a file of this name is named to the web server, without the folder that it lies in. */
async function named(offload: (root: string) => Offload, name: string): Promise<string | undefined> {
  const root = folderOf({ [name]: 'content' });
  const field = await compileOffload(offload(root))!(join(root, name));
  return field && Buffer.from(field[1], 'latin1').toString().replace(`${root}/`, '');
}

describe('an offload', () => {
  it.each([
    ['a.txt', '/_files/a.txt'],
    ['deep/er/a.txt', '/_files/deep/er/a.txt'],
    ['100% ä?#+&;.txt', '/_files/100%25%20%C3%A4%3F%23%2B%26%3B.txt'],
    ['a%2e%2eb', '/_files/a%252e%252eb'],
    ['back\\slash', '/_files/back%5Cslash'],
    ['a\nb', undefined],
    ['a\u0085b', undefined],
  ])('names %j to nginx as %s', async (name, path) => {
    expect(await named(accel, name)).toBe(path);
  });

  it.each([
    ['a.txt', 'a.txt'],
    ['deep/er/a.txt', 'deep/er/a.txt'],
    ['ä #+&;.txt', 'ä #+&;.txt'],
    ['a%41', undefined],
    ['a?b', undefined],
    ['a\nb', undefined],
  ])('names %j to others as it is: %s', async (name, path) => {
    expect(await named(sendfile, name)).toBe(path);
  });

  it('takes a prefix with a slash at its end', async () => {
    const root = folderOf({ a: '' });
    const name = compileOffload({ header: 'X-Accel-Redirect', prefix: '/deep/files/', root })!;
    expect(await name(join(root, 'a'))).toEqual(['X-Accel-Redirect', '/deep/files/a']);
  });

  it('names what lies in its folder, whichever way one came, and nothing else', async () => {
    const folder = folderOf({ 'root/a': '', 'root-2/a': '', outside: '' });
    const root = join(folder, 'root');
    symlinkSync(join(folder, 'outside'), join(root, 'out'));
    symlinkSync(join(root, 'a'), join(root, 'b'));
    symlinkSync(root, join(folder, 'link'));
    const name = compileOffload(sendfile(root))!;
    expect(await name(join(root, 'b'))).toEqual(['X-Sendfile', join(root, 'a')]);
    expect(await name(join(folder, 'link/a'))).toEqual(['X-Sendfile', join(root, 'a')]);
    for (const path of ['root/out', 'root-2/a', 'outside', 'root', 'root/none']) {
      expect(await name(join(folder, path)), path).toBeUndefined();
    }
  });

  it('tells the folder as the web server knows it, whatever that leads to now', async () => {
    const folder = folderOf({ 'v1/a': '', 'v2/a': '' });
    const root = join(folder, 'current');
    symlinkSync('v1', root);
    const name = compileOffload(sendfile(root))!;
    expect(await name(join(root, 'a'))).toEqual(['X-Sendfile', join(root, 'a')]);
    symlinkSync('v2', join(folder, 'next'));
    renameSync(join(folder, 'next'), root);
    expect(await name(join(folder, 'v2/a'))).toEqual(['X-Sendfile', join(root, 'a')]);
    expect(await name(join(folder, 'v1/a'))).toBeUndefined();
  });

  it.each([
    [true, 'not undefined'],
    [{}, 'not undefined'],
    [{ header: 'X-Sendfile2', root: '/srv' }, 'not X-Sendfile2'],
    [{ header: 'X-Sendfile' }, 'root'],
    [{ header: 'X-Sendfile', root: '' }, 'root'],
    [{ header: 'X-Sendfile', root: '/srv/100%' }, '/srv/100%'],
    [{ header: 'X-Accel-Redirect', root: '/srv' }, 'prefix'],
    [{ header: 'X-Accel-Redirect', root: '/srv', prefix: '/' }, 'prefix'],
    [{ header: 'X-Accel-Redirect', root: '/srv', prefix: 'files' }, 'prefix'],
    [{ header: 'X-Accel-Redirect', root: '/srv', prefix: '/a b\r\n' }, 'prefix'],
  ])('is not %j', (value, message) => {
    const error = expect.objectContaining({ code: 'FCGI_ERR_OPTION', message: expect.stringContaining(message) });
    expect(() => createApp().set('offload', value)).toThrow(error);
    expect(() => createApp({ offload: value })).toThrow(error);
  });

  it('may be none', () => {
    expect(createApp({ offload: false }).get('offload')).toBe(false);
  });
});

const notFound: Handler = (_req, res, next) => {
  res.status(404);
  next();
};

describe('res.sendFile with the setting offload', () => {
  const files = { 'a.txt': 'the content', 'b.txt': 'b' };

  async function serve(
    open: (typeof DOORS)[0][1],
    { options, before }: { options?: SendFileOptions; before?: Handler } = {},
  ) {
    const folder = folderOf(files);
    const root = join(folder, 'root');
    mkdirSync(root);
    writeFileSync(join(root, 'a.txt'), 'the content');
    const app = createApp({ env: 'test', offload: accel(root) });
    if (before !== undefined) app.use(before);
    app.all('/*path', (req, res) => res.sendFile(join(folder, req.path), options as SendFileOptions));
    return open(app, door);
  }

  const fastcgi = DOORS[1]![1];

  it('hands the file over, with what the app says of it and no bytes', async () => {
    const ask = await serve(fastcgi, { options: { maxAge: '1h', headers: { 'X-Foo': 'bar' } } });
    for (const method of ['GET', 'HEAD']) {
      expect(await ask('/root/a.txt', { method })).toMatchObject({
        status: 200,
        text: '',
        headers: {
          'x-accel-redirect': '/_files/a.txt',
          'content-type': 'text/plain; charset=utf-8',
          'cache-control': 'public, max-age=3600',
          'content-length': '0',
          etag: expect.any(String),
          'x-foo': 'bar',
        },
      });
    }
  });

  it('leaves ranges and conditions to the web server', async () => {
    const ask = await serve(fastcgi);
    const conditions: [string, string][] = [
      ['Range', 'bytes=0-2'],
      ['Range', 'bytes=99-'],
      ['If-None-Match', '*'],
      ['If-Match', '"x"'],
    ];
    for (const [name, value] of conditions) {
      const answer = await ask('/root/a.txt', { headers: { [name]: value } });
      expect(answer).toMatchObject({ status: 200, headers: { 'x-accel-redirect': '/_files/a.txt' } });
      expect(answer.headers).not.toHaveProperty('content-range');
    }
  });

  it('has no compression say that the empty body is compressed', async () => {
    const ask = await serve(fastcgi, { before: compression({ threshold: 1 }) });
    const { headers } = await ask('/root/a.txt', { headers: { 'Accept-Encoding': 'gzip' } });
    expect(headers).toMatchObject({ 'x-accel-redirect': '/_files/a.txt', 'content-length': '0' });
    expect(headers).not.toHaveProperty('content-encoding');
  });

  it.each<[string, string, Parameters<typeof serve>[1]?, object?]>([
    ['lies elsewhere', '/a.txt'],
    ['is to be sent in part', '/root/a.txt', { options: { start: 0 } }],
    ['may not be asked for in ranges', '/root/a.txt', { options: { acceptRanges: false } }],
    ['is kept from it', '/root/a.txt', { options: { offload: false } }],
    ['has another status', '/root/a.txt', { before: notFound }],
    ['is encoded', '/root/a.txt', { options: { headers: { 'Content-Encoding': 'x' } } }],
    ['is the answer to POST', '/root/a.txt', {}, { method: 'POST' }],
  ])('sends the file itself where it %s', async (_why, path, options, request) => {
    const ask = await serve(fastcgi, options);
    const { headers, text } = await ask(path, request);
    expect(headers).not.toHaveProperty('x-accel-redirect');
    expect(text).toBe('the content');
  });

  it('sends the file itself over HTTP, whatever headers the client sends', async () => {
    const ask = await serve(DOORS[0]![1]);
    const { headers, text } = await ask('/root/a.txt', {
      headers: { 'X-Accel-Redirect': '/x', 'X-Sendfile': '/x', 'X-Sendfile-Type': 'X-Accel-Redirect' },
    });
    expect(text).toBe('the content');
    expect(headers).not.toHaveProperty('x-accel-redirect');
  });

  it('hands an Authorizer nothing', async () => {
    const folder = folderOf(files);
    const app = createApp({ offload: accel(folder) });
    app.authorize((_req, res) => res.status(200).sendFile(join(folder, 'a.txt')));
    const { client } = await door.serve(app);
    const exchange = await client.get({ role: FCGI_AUTHORIZER });
    expect(exchange.head.join()).not.toContain('X-Accel-Redirect');
    expect(exchange.text).toBe('the content');
  });

  it('calls back when it has handed the file over', async () => {
    const folder = folderOf(files);
    const called: unknown[] = [];
    const app = createApp({ offload: accel(folder) });
    app.use((_req, res) => (res as Response).sendFile(join(folder, 'a.txt'), (error) => called.push(error)));
    const { client } = await door.serve(app);
    await client.get();
    expect(called).toEqual([undefined]);
  });

  it('has a mounted app do as its parent, unless it says otherwise', async () => {
    const folder = folderOf(files);
    const app = createApp({ offload: accel(folder) });
    const handler: Handler = (_req, res) => res.sendFile(join(folder, 'a.txt'));
    app.use('/inherits', createApp().use(handler));
    app.use('/not', createApp({ offload: false }).use(handler));
    const ask = await fastcgi(app, door);
    expect((await ask('/inherits')).headers).toHaveProperty('x-accel-redirect');
    expect((await ask('/not')).headers).not.toHaveProperty('x-accel-redirect');
  });
});
