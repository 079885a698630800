import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createApp } from '../../../src/core/app.ts';
import { type ProxyOptions, proxy } from '../../../src/middleware/index.ts';
import { application } from '../../adapters/client/application.ts';
import { Door } from '../../adapters/fastcgi/client.ts';
import { DOORS } from '../doors.ts';
import { folderOf } from '../programs.ts';
import { gateway, telling } from './gateway.ts';

const door = new Door();
afterEach(() => door.close());

const FILES = {
  'index.php': 'source',
  'admin/index.php': 'source',
  'admin/page.php': 'source',
  'a b/ü.php': 'source',
  'folder.php/in.php': 'source',
  'style.css': 'css',
  'docs/index.html': 'html',
  'docs/a.txt': 'text',
};

describe.each(DOORS)('proxy with a root, over %s', (_name, open) => {
  const start = (files: Record<string, string>, options: ProxyOptions & { mount?: string } = {}) =>
    gateway(open, door, telling, { root: folderOf(files), ...options });

  it.each([
    ['a script', '/admin/page.php', '<root>/admin/page.php | /admin/page.php |  | /admin/page.php | '],
    [
      'a script, with a query',
      '/index.php?a=/b.php',
      '<root>/index.php | /index.php |  | /index.php?a=/b.php | a=/b.php',
    ],
    [
      'a script with a path behind it',
      '/index.php/a%20b//c/',
      '<root>/index.php | /index.php | /a b//c/ | /index.php/a%20b//c/ | ',
    ],
    [
      'a script with a script behind it',
      '/index.php/admin/page.php',
      '<root>/index.php | /index.php | /admin/page.php | /index.php/admin/page.php | ',
    ],
    [
      'a script in a folder that is named as one',
      '/folder.php/in.php/x',
      '<root>/folder.php/in.php | /folder.php/in.php | /x | /folder.php/in.php/x | ',
    ],
    ['a script whose name is encoded', '/a%20b/%C3%BC.php', '<root>/a b/ü.php | /a b/ü.php |  | /a%20b/%C3%BC.php | '],
    ['the index of the root', '/', '<root>/index.php | /index.php |  | / | '],
    ['the index of a folder', '/admin/?a', '<root>/admin/index.php | /admin/index.php |  | /admin/?a | a'],
    ['what is not there', '/posts/7?a', '<root>/index.php | /index.php |  | /posts/7?a | a'],
    ['a script that is not there', '/none.php/x', '<root>/index.php | /index.php |  | /none.php/x | '],
    ['a script behind a file', '/style.css/x.php', '<root>/index.php | /index.php |  | /style.css/x.php | '],
    ['a folder without an index', '/docs/', '<root>/index.php | /index.php |  | /docs/ | '],
    ['a file with a slash behind it', '/style.css/', '<root>/index.php | /index.php |  | /style.css/ | '],
    ['what cannot be decoded', '/%zz/%E4', '<root>/index.php | /index.php |  | /%zz/%E4 | '],
    ['a slash that is encoded', '/a%2Fb', '<root>/index.php | /index.php |  | /a%2Fb | '],
    ['two slashes', '//admin/page.php', '<root>/index.php | /index.php |  | //admin/page.php | '],
    [
      'a path that is longer than any',
      `/${'a/'.repeat(3000)}`,
      `<root>/index.php | /index.php |  | /${'a/'.repeat(3000)} | `,
    ],
  ])('runs for %s', async (_, path, told) => {
    const { ask } = await start(FILES);
    expect((await ask(path)).text).toBe(told);
    expect((await ask(path, { method: 'POST', body: 'x' })).text).toBe(told);
  });

  it('gives a path behind a script whole, however long it is', async () => {
    const { ask } = await start(FILES);
    const path = `/index.php/${'a/'.repeat(3000)}`;
    expect((await ask(path)).text).toBe(
      `<root>/index.php | /index.php | ${path.slice('/index.php'.length)} | ${path} | `,
    );
  });

  it('gives a path that is no UTF-8 byte for byte', async () => {
    const { ask, backend } = await start(FILES);
    await ask('/index.php/%E4%2f%FF');
    const [request] = backend.requests;
    expect(Buffer.concat(request!.packed).includes(Buffer.from('PATH_INFO/\xe4/\xff', 'latin1'))).toBe(true);
  });

  it('sends files to GET and HEAD, and nothing else', async () => {
    const { ask, backend } = await start(FILES);
    const { status, headers, text } = await ask('/style.css?v=1');
    expect([status, headers['content-type'], text]).toEqual([200, 'text/css; charset=utf-8', 'css']);
    expect(await ask('/docs/a.txt', { method: 'HEAD' })).toMatchObject({ status: 200, text: '' });
    expect(await ask('/docs/index.html')).toMatchObject({ status: 200, text: 'html' });
    expect(await ask('/style.css', { method: 'POST', body: 'x' })).toMatchObject({
      status: 405,
      headers: { allow: 'GET, HEAD' },
    });
    const cached = await ask('/style.css', { headers: { 'If-None-Match': headers.etag! } });
    expect(cached.status).toBe(304);
    expect(backend.requests).toEqual([]);
  });

  it('sends a folder with an index to its slash, a form as well', async () => {
    const { ask } = await start(FILES);
    expect(await ask('/admin?a=b')).toMatchObject({ status: 301, headers: { location: '/admin/?a=b' } });
    const posted = await ask('/admin', { method: 'POST', body: 'x' });
    expect([posted.status, posted.headers.location]).toEqual([308, '/admin/']);
  });

  it('mounted at a path, is a site there', async () => {
    const { ask } = await start(FILES, { mount: '/blog' });
    expect(await ask('/blog')).toMatchObject({ status: 301, headers: { location: '/blog/' } });
    expect(await ask('/blog?p=1')).toMatchObject({ status: 301, headers: { location: '/blog/?p=1' } });
    expect((await ask('/blog/')).text).toBe('<root>/index.php | /blog/index.php |  | /blog/ | ');
    expect((await ask('/blog/2026/a?b')).text).toBe('<root>/index.php | /blog/index.php |  | /blog/2026/a?b | b');
    expect((await ask('/blog/admin')).headers.location).toBe('/blog/admin/');
    expect((await ask('/blog/admin/page.php/x')).text).toBe(
      '<root>/admin/page.php | /blog/admin/page.php | /x | /blog/admin/page.php/x | ',
    );
    expect((await ask('/blog/style.css')).text).toBe('css');
    expect((await ask('/style.css')).text).toBe('passed on /style.css');
  });

  it('without an index, passes on what is neither file nor script', async () => {
    const { ask } = await start(FILES, { index: false });
    for (const path of ['/', '/admin/', '/admin', '/none', '/none.php', '/docs/']) {
      expect((await ask(path)).text).toBe(`passed on ${path}`);
    }
    expect((await ask('/admin/page.php')).text).toMatch(/^<root>\/admin\/page.php/);
  });

  it('passes on what is neither, where there is no front controller', async () => {
    const { ask } = await start({ 'a.txt': 'a', 'sub/index.php': '' });
    expect((await ask('/none')).text).toBe('passed on /none');
    expect((await ask('/sub/')).text).toMatch(/^<root>\/sub\/index.php/);
  });

  it('runs scripts of other languages, with their own index', async () => {
    const { ask } = await start({ 'index.pl': '', 'a.cgi': '', 'a.php': '<?php' }, { split: ['.pl', '.cgi'] });
    expect((await ask('/a.cgi/b')).text).toMatch(/^<root>\/a\.cgi \| \/a\.cgi \| \/b/);
    // Nor is PHP's source sent where it is not what is run.
    expect((await ask('/a.php')).text).toMatch(/^<root>\/index\.pl/);
  });

  it('never sends or runs what only looks like a script', async () => {
    const names = [
      ...['x.PHP', 'x.pHp', 'x.php.bak', 'x.php~', 'x.phps', 'x.php5', 'x.php.txt', 'x.phtml', 'x.phar', 'x.pht'],
      ...['.env', '.x.php', '.git/config', '.git/x.php', '#x.php#', 'x.php.swp', '.php', 'sub/.php'],
    ];
    const { ask } = await start({
      'index.php': 'source',
      ...Object.fromEntries(names.map((name) => [name, 'source'])),
    });
    for (const name of names) {
      const path = `/${name.replaceAll('#', '%23')}`;
      expect((await ask(path)).text, name).toBe(`<root>/index.php | /index.php |  | ${path} | `);
    }
  });

  it('follows symbolic links as far as they stay within the root, and do not make a script of a file', async () => {
    const outside = folderOf({ 'secret.txt': 'secret', 'secret.php': 'secret' });
    const root = folderOf({ ...FILES, 'upload.jpg': '<?php', '.hidden/x.php': '' });
    symlinkSync('admin/page.php', join(root, 'link.php'));
    symlinkSync('admin', join(root, 'manage'));
    symlinkSync(join(outside, 'secret.php'), join(root, 'out.php'));
    symlinkSync(join(outside, 'secret.txt'), join(root, 'out.txt'));
    symlinkSync(outside, join(root, 'out'));
    symlinkSync('upload.jpg', join(root, 'upload.php'));
    symlinkSync('admin/page.php', join(root, 'source.txt'));
    symlinkSync('.hidden/x.php', join(root, 'hidden.php'));
    const { ask } = await start({}, { root });
    expect((await ask('/link.php/x')).text).toBe('<root>/link.php | /link.php | /x | /link.php/x | ');
    expect((await ask('/manage/page.php')).text).toMatch(/^<root>\/manage\/page.php/);
    for (const path of ['/out.php', '/out.txt', '/out/secret.php', '/upload.php', '/source.txt', '/hidden.php']) {
      expect((await ask(path)).text, path).toBe(`<root>/index.php | /index.php |  | ${path} | `);
    }
  });

  it('follows the root where a link leads to another release', async () => {
    const folder = folderOf({
      '1/index.php': '',
      '1/a.txt': 'first',
      '2/index.php': '',
      '2/b.php': '',
      '2/a.txt': 'second',
    });
    const root = join(folder, 'current');
    symlinkSync('1', root);
    const backend = await application(telling);
    const app = createApp({ env: 'test' });
    app.use(proxy(backend.address, { root }));
    const ask = await open(app, door);
    expect((await ask('/a.txt')).text).toBe('first');
    symlinkSync('2', join(folder, 'next'));
    renameSync(join(folder, 'next'), root);
    expect((await ask('/a.txt')).text).toBe('second');
    expect((await ask('/b.php')).text).toMatch(/^<root>\/b\.php/);
  });

  it('does not run a folder or what is no regular file', async () => {
    const { ask } = await start({ 'index.php': '' });
    const root = folderOf({ 'index.php': '' });
    mkdirSync(join(root, 'dir.php'));
    symlinkSync('/dev/zero', join(root, 'zero.php'));
    writeFileSync(join(root, 'ok.php'), '');
    const { ask: other } = await start({}, { root });
    for (const path of ['/dir.php', '/dir.php/', '/zero.php']) {
      expect((await other(path)).text, path).toMatch(/^<root>\/index\.php/);
    }
    expect((await ask('/')).status).toBe(200);
  });
});
