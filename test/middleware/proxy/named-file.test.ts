import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createApp } from '../../../src/core/app.ts';
import { proxy } from '../../../src/middleware/index.ts';
import { type Answerer, application } from '../../adapters/client/application.ts';
import { Door } from '../../adapters/fastcgi/client.ts';
import { DOORS } from '../doors.ts';
import { folderOf } from '../programs.ts';
import { gateway } from './gateway.ts';

const door = new Door();
afterEach(() => door.close());

const naming =
  (header: string, more = ''): Answerer =>
  (request) =>
    request.stdout(`${header}\r\nContent-Type: a/b\r\n${more}\r\n`).end();

describe.each(DOORS)('a file that an application names, over %s', (_name, open) => {
  function site() {
    const folder = folderOf({
      'root/index.php': 'source',
      'root/.private/ä b.txt': 'private',
      'secret.txt': 'secret',
      'root-2/secret.txt': 'secret',
    });
    symlinkSync('../secret.txt', join(folder, 'root/link.txt'));
    return join(folder, 'root');
  }

  it.each([
    ['X-Sendfile', (root: string) => `X-Sendfile: ${root}/.private/ä b.txt`],
    ['X-Sendfile, from the root', () => 'X-Sendfile: .private/ä b.txt'],
    ['X-Accel-Redirect', () => 'X-Accel-Redirect: /.private/%C3%A4%20b.txt?a'],
    ['X-Accel-Redirect, not encoded', () => 'X-Accel-Redirect: /.private/ä b.txt'],
  ])('by %s, is sent in the place of the body, with its headers', async (_, headerFor) => {
    const root = site();
    const more = 'Content-Disposition: attachment\r\nSet-Cookie: a=1\r\nX-A: b\r\nContent-Length: 0\r\n';
    const { ask, errors } = await gateway(open, door, naming(headerFor(root), more), { root });
    const { status, headers, text } = await ask('/download');
    expect([status, text, errors]).toEqual([200, 'private', []]);
    expect(headers).toMatchObject({
      ...{ 'content-type': 'a/b', 'content-disposition': 'attachment', 'x-a': 'b', 'content-length': '7' },
      'accept-ranges': 'bytes',
    });
    expect([headers['set-cookie']].flat()).toEqual(['a=1']);
    for (const name of ['x-sendfile', 'x-accel-redirect']) expect(headers).not.toHaveProperty(name);
    const part = await ask('/download', { headers: { Range: 'bytes=1-3' } });
    expect([part.status, part.text, part.headers['content-range']]).toEqual([206, 'riv', 'bytes 1-3/7']);
    const head = await ask('/download', { method: 'HEAD' });
    expect([head.status, head.text, head.headers['content-length']]).toEqual([200, '', '7']);
    expect((await ask('/download', { method: 'POST', body: 'x' })).text).toBe('private');
  });

  it.each([
    ['outside, from the root', 'X-Sendfile: /etc/passwd'],
    ['outside, by the way up', 'X-Sendfile: ../secret.txt'],
    ['outside, beside the root', 'X-Sendfile: ../root-2/secret.txt'],
    ['outside, by a symbolic link', 'X-Sendfile: link.txt'],
    ['outside, that is not there', 'X-Sendfile: /none'],
    ['outside, by the way up of a URL', 'X-Accel-Redirect: /../secret.txt'],
    ['outside, by an encoded way up', 'X-Accel-Redirect: /%2e%2e/secret.txt'],
    ['outside, by an encoded slash', 'X-Accel-Redirect: /..%2Fsecret.txt'],
    ['outside, by a link in a URL', 'X-Accel-Redirect: /link.txt'],
    ['a place of the web server’s configuration', 'X-Accel-Redirect: @named'],
    ['a NUL', 'X-Accel-Redirect: /a%00.txt'],
    ["a script's source", 'X-Sendfile: index.php'],
    ["a script's source, by its URL", 'X-Accel-Redirect: /index.php'],
  ])('%s, is a 500', async (_, header) => {
    const { ask, errors } = await gateway(open, door, naming(header, 'X-A: b\r\n'), { root: site() });
    const { status, headers, text } = await ask('/');
    expect([status, text]).toEqual([500, 'FCGI_ERR_PROXY_FILE']);
    expect(headers).not.toHaveProperty('x-a');
    expect(errors[0]?.message).toMatch(/^The application named a file that/);
  });

  it.each([
    ['is not there', 'X-Sendfile: none.txt', 'FCGI_ERR_FILE_NOT_FOUND'],
    ['is a folder', 'X-Sendfile: .private', 'FCGI_ERR_FILE_NOT_FOUND'],
  ])('which %s, is a 404', async (_, header) => {
    const { ask, errors } = await gateway(open, door, naming(header), { root: site() });
    expect((await ask('/')).status).toBe(404);
    expect(errors.length).toBe(1);
  });

  it('gives its error page the headers of middleware alone', async () => {
    const backend = await application(
      naming('X-Sendfile: .private/ä b.txt', 'Cache-Control: public\r\nSet-Cookie: c=3\r\n'),
    );
    const app = createApp({ env: 'test' });
    app.use((_req, res, next) => {
      res.set('Cache-Control', 'no-store').cookie('a', '1').cookie('b', '2');
      next();
    });
    app.use(proxy(backend.address, { root: site() }));
    const { status, headers } = await (await open(app, door))('/', { headers: { Range: 'bytes=99-' } });
    expect([status, headers['cache-control']]).toEqual([416, 'no-store']);
    expect(String(headers['set-cookie'])).not.toContain('c=3');
  });

  it('is left to the web server where there is no root', async () => {
    const { ask } = await gateway(open, door, naming('X-Accel-Redirect: /files/a'));
    expect((await ask('/')).headers['x-accel-redirect']).toBe('/files/a');
  });
});
