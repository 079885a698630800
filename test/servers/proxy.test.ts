import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { createApp } from '../../src/core/app.ts';
import { proxy } from '../../src/middleware/index.ts';
import { served } from '../core/served.ts';
import { PROJECT } from './build.ts';
import { exchange } from './client.ts';
import { DOKUWIKI } from './dokuwiki.ts';
import { openPhpFpm, type PhpFpm } from './php-fpm.ts';
import { type Front, PhpFronts, type Request } from './php-fronts.ts';
import { parts, send } from './php-requests.ts';
import { describeWith } from './program.ts';

type Row = [name: string, path: string, request?: Request];

const HEAD = { method: 'HEAD' };
const header = (name: string, value: string): Request => ({ headers: [[name, value]] });
const BIG = randomBytes(5_000_000);

/** In the order in which they are sent, each front's cookies kept. */
const ROWS: Row[] = [
  ['the first visit', '/'],
  ['the second', '/'],
  ['its head', '/', HEAD],
  ['the script by its name', '/index.php'],
  ['a pretty URL', '/posts/7'],
  ['a pretty URL with a query', '/posts/7?q=a%20%3Cb%3E&q2=%C3%A9'],
  ['a pretty URL in UTF-8', '/tags/%C3%BCber%20%E5%B1%B1'],
  ['a pretty URL with a slash that is encoded', '/tags/a%2Fb'],
  ['a pretty URL that ends as a script', '/tags/x.php'],
  ['what is no route', '/none'],
  ['what is no method of a route', '/posts/7', send('DELETE', 'x')],
  ['a page for users', '/me'],
  ['a wrong password', '/login', send('POST', 'user=ann&password=wrong')],
  ['the right one', '/login', send('POST', 'user=ann&password=secret')],
  ['the page for users, again', '/me'],
  ['what came with it, and cookies', '/server?a=b', header('X-One', '1')],
  ['the end of the session', '/logout', send('POST')],
  ['the page for users, once more', '/me'],
  [
    'an upload',
    '/upload',
    parts([
      ['title', 'Ünï'],
      ['one', 'content', 'a "b".txt', 'text/plain'],
    ]),
  ],
  [
    'a large upload of several',
    '/upload',
    parts([
      ['big', BIG, 'big.bin', 'a/b'],
      ['list[]', 'x', 'x.txt'],
      ['list[]', 'y', 'y.txt'],
    ]),
  ],
  ['an upload without a file', '/upload', parts([['none', '', '']])],
  ['a large body', '/echo', send('PUT', BIG, 'application/octet-stream')],
  ['a body without a length', '/echo', { ...send('POST', BIG.subarray(0, 300_000), 'text/plain'), chunked: true }],
  ['an empty body', '/echo', send('POST')],
  ['a body of PATCH', '/echo', send('PATCH', '{"a":1}', 'application/json')],
  ['OPTIONS', '/echo', { method: 'OPTIONS' }],
  ['parameters', '/server'],
  ['parameters of a pretty path', '/server?x=1&x=2&y[]=%20+'],
  [
    'what passes for a setting, and for another header',
    '/server',
    {
      headers: [
        ['Proxy', 'http://evil'],
        ['X_Two', 'no'],
        ['X-One', '1'],
        ['X-Two', '2'],
      ],
    },
  ],
  ['a password of HTTP', '/server', header('Authorization', `Basic ${btoa('ann:secret')}`)],
  ['what may be kept', '/cached'],
  ['what is kept', '/cached', header('If-None-Match', '"v1"')],
  ['3 MB in pieces', '/large'],
  ['no content', '/empty'],
  ['a status of its own, and two headers of a name', '/teapot'],
  ['a warning', '/warn'],
  ['a folder', '/admin/'],
  ['a script with a path', '/legacy.php/a%20b/c?d=e'],
  ['a script with a path that is no UTF-8', '/legacy.php/%E4/%ff'],
  ['a script with a path that ends as a script', '/legacy.php/index.php/x'],
  ['a script without one', '/legacy.php'],
  ['a script that is not there', '/none.php'],
  ['a script that is not there, with a path', '/none.php/x'],
  ['a script behind a file', '/style.css/x.php'],
  ['a hidden file', '/.env'],
  ['a script by another case', '/LEGACY.php'],
  ['a file that the application names', '/protected/a.txt'],
  ['a part of it', '/protected/a.txt', header('Range', 'bytes=2-4')],
  ['a file that it names and that is not there', '/protected/none.txt'],
];

describeWith(['nginx', 'php-fpm'], 'a site of PHP, compared answer by answer with nginx and PHP-FPM', () => {
  let php: PhpFronts;
  beforeAll(async () => {
    php = await PhpFronts.open({
      folder: join(PROJECT, 'test/servers/php-app'),
      root: 'public',
      index: 'index.php',
      prepare(copy) {
        mkdirSync(join(copy, 'public/.protected'));
        writeFileSync(join(copy, 'public/.protected/a.txt'), 'protected');
        writeFileSync(join(copy, 'public/.env'), 'password');
      },
    });
  });
  afterAll(async () => {
    await php?.close();
  });

  it.each(ROWS)('%s', async (_, path, request) => {
    await php.ask(path, request);
    php.expectTheSame();
  });

  it('a script that fails is a 500 that says nothing', async () => {
    await php.ask('/fail');
    php.expectTheSame();
    expect(php.fronts.map(({ last }) => [last?.status, last?.body])).toEqual(php.fronts.map(() => [500, '']));
  });

  it.each([
    ['a folder without its slash', '/admin?a=b'],
    ['a file', '/style.css'],
  ])('%s', async (_, path) => {
    const answers = await php.ask(path);
    const told = answers.map(({ status, headers: { location, 'content-type': type }, body }) => {
      return [status, location, status === 200 && [type?.[0]?.split(';')[0], body]];
    });
    for (const each of told) expect(each).toEqual(told[0]);
    expect([200, 301]).toContain(told[0]![0]);
  });

  it.each(['/style.css', '/legacy.phps', '/.protected/a.txt'])('what nobody gets: POST %s', async (path) => {
    const answers = await php.ask(path, send('POST', 'a=b'));
    for (const { status, body } of answers) {
      expect(status).toBe(answers[0]!.status);
      expect(body).not.toMatch(/<\?php|protected$|color/);
    }
  });
});

describeWith('php-fpm', 'proxy to PHP-FPM', () => {
  let fpm: PhpFpm;
  beforeAll(async () => {
    fpm = await openPhpFpm({}, [`php_admin_value[session.save_path] = ${tmpdir()}`]);
  });
  afterAll(async () => {
    await fpm?.program.stop();
  });
  const root = join(PROJECT, 'test/servers/php-app/public');

  it('mounts a site at a path', async () => {
    const app = createApp({ env: 'test' });
    app.use('/blog', proxy(fpm.socket, { root }));
    app.use((_req, res) => res.send('ours'));
    const port = Number(new URL(await served(app)).port);
    const ask = (path: string, request: Request = {}) => exchange(port, { path, ...request });
    expect((await ask('/blog')).headers.location).toEqual(['/blog/']);
    expect((await ask('/blog/')).body).toContain('<p>Visit 1</p><a href="/blog/posts/1">');
    expect((await ask('/blog/posts/1?q=a')).body).toContain('<h1>Post 1</h1>\n<p>a</p>');
    expect((await ask('/blog/admin/')).body).toBe('admin, by /blog/admin/index.php, asked for /blog/admin/');
    expect((await ask('/blog/legacy.php/a')).body).toMatch(/^\/blog\/legacy\.php \/a \/blog\/legacy\.php\/a /);
    expect((await ask('/blog/style.css')).headers['content-type']).toEqual(['text/css; charset=utf-8']);
    const { status, headers } = await ask('/blog/login', send('POST', 'user=ann&password=secret'));
    expect([status, headers.location, headers['set-cookie']]).toEqual([
      302,
      ['/blog/me'],
      expect.arrayContaining([expect.stringMatching(/^app=\w+; path=\/blog\/; HttpOnly$/), 'theme=dark']),
    ]);
    expect((await ask('/posts/1')).body).toBe('ours');
  });

  it('gives warnings of PHP to the error log', async () => {
    const app = createApp({ env: 'test' });
    app.use(proxy(fpm.socket, { root }));
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    onTestFinished(() => write.mockRestore());
    const port = Number(new URL(await served(app)).port);
    expect((await exchange(port, { path: '/warn' })).body).toBe('warned');
    const said = write.mock.calls.map(([bytes]) => String(bytes)).join('');
    expect(said).toMatch(/PHP Warning: {2}this is for the log in \S+index\.php on line \d+/);
  });

  it('passes 100 MB up, and their hash down', async () => {
    const app = createApp({ env: 'test' });
    app.use(proxy(fpm.socket, { root }));
    const port = Number(new URL(await served(app)).port);
    const body = Buffer.alloc(100 * 1024 ** 2, 'a line of it\n');
    const sha1 = createHash('sha1').update(body).digest('hex');
    for (const chunked of [false, true]) {
      const answer = await exchange(port, { path: '/echo', ...send('PUT', body, 'application/octet-stream'), chunked });
      expect(JSON.parse(answer.body)).toMatchObject({ length: body.length, told: `${body.length}`, sha1 });
    }
  });
});

describeWith(['nginx', 'php-fpm', 'dokuwiki'], 'DokuWiki, compared answer by answer with nginx and PHP-FPM', () => {
  let php: PhpFronts;
  beforeAll(async () => {
    php = await PhpFronts.open(DOKUWIKI);
  }, 60_000);
  afterAll(async () => {
    await php?.close();
  });

  const form = (fields: Record<string, string>) => send('POST', `${new URLSearchParams(fields)}`);
  /** A form as it came, with what somebody fills in. */
  const filled =
    (id: string, fields: Record<string, string>) =>
    ({ last }: Front) => {
      const [, inner = ''] = new RegExp(`<form[^>]* id="${id}"(.*?)</form>`, 's').exec(last!.body)!;
      const hidden = inner.matchAll(/<input type="hidden" name="(.*?)" value="(.*?)"/g);
      return form({ ...Object.fromEntries(Array.from(hidden, ([, name, value]) => [name, value])), ...fields });
    };
  const token = ({ last }: Front) => /name="sectok" value="(\w+)"/.exec(last!.body)![1]!;
  const PNG = Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
    'base64',
  );

  it.each<[name: string, path: string, status: number, request?: Request | ((front: Front) => Request)]>([
    ['the start page', '/', 200],
    ['its script', '/doku.php', 200],
    ['a page that is not there', '/doku.php/wiki:notes', 200],
    ['its form, of nobody', '/doku.php/wiki:notes?do=edit', 200],
    ['its styles', '/lib/exe/css.php?t=dokuwiki', 200],
    ['its scripts', '/lib/exe/js.php?t=dokuwiki', 200],
    ['jQuery', '/lib/exe/jquery.php', 200],
    ['an image', '/lib/tpl/dokuwiki/images/logo.png', 200],
    ['a description for browsers', '/lib/exe/opensearch.php', 200],
    ['a manifest', '/lib/exe/manifest.php', 200],
    ['a feed', '/feed.php', 200],
    ['the form to log in', '/doku.php/start?do=login', 200],
    ['a wrong password', '/doku.php/start', 403, filled('dw__login', { u: 'admin', p: 'wrong' })],
    ['the right one', '/doku.php/start', 302, filled('dw__login', { u: 'admin', p: 'secret', r: '1' })],
    ['the page after that', '/doku.php/start', 200],
    ['the form of a new page', '/doku.php/wiki:notes?do=edit', 200],
    ['a preview', '/doku.php/wiki:notes', 200, filled('dw__editform', { wikitext: '== Ünï ==', 'do[preview]': '1' })],
    [
      'what is saved',
      '/doku.php/wiki:notes',
      302,
      filled('dw__editform', { wikitext: '====== Ünï ======\n  * [[start]] <b>\n', summary: 'first', 'do[save]': '1' }),
    ],
    ['the page', '/doku.php/wiki:notes', 200],
    ['its head', '/doku.php/wiki:notes', 200, { method: 'HEAD' }],
    ['its source', '/doku.php/wiki:notes?do=export_raw', 200],
    ['it alone', '/doku.php/wiki:notes?do=export_xhtml', 200],
    ['its versions', '/doku.php/wiki:notes?do=revisions', 200],
    ['what links to it', '/doku.php/wiki:notes?do=backlink', 200],
    ['what is done in the background', '/lib/exe/taskrunner.php?id=wiki:notes', 200],
    ['what is found', '/doku.php/start?do=search&id=start&q=%C3%9Cn%C3%AF', 200],
    ['what is found as one types', '/lib/exe/ajax.php', 200, form({ call: 'qsearch', q: 'notes' })],
    ['all pages', '/doku.php/start?do=index', 200],
    ['what is new', '/doku.php/start?do=recent', 200],
    ['files', '/lib/exe/mediamanager.php?ns=wiki', 200],
    [
      'an upload',
      '/lib/exe/mediamanager.php?ns=wiki',
      200,
      (front) =>
        parts([
          ['sectok', token(front)],
          ['ns', 'wiki'],
          ['mediaid', 'dot.png'],
          ['upload', PNG, 'dot.png', 'image/png'],
        ]),
    ],
    ['the file, by X-Accel-Redirect', '/lib/exe/fetch.php/wiki:dot.png', 200],
    ['the same by its name', '/lib/exe/fetch.php?media=wiki:dot.png', 200],
    ['a part of it', '/lib/exe/fetch.php?media=wiki:dot.png', 206, { headers: [['Range', 'bytes=1-3']] }],
    ['a file that is not there', '/lib/exe/fetch.php/none.png', 404],
    ['what is told of it', '/lib/exe/detail.php/wiki:dot.png', 200],
    ['settings', '/doku.php/start?do=admin', 200],
    ['settings, all of them', '/doku.php/start?do=admin&page=config', 200],
    ['who may do what', '/doku.php/start?do=admin&page=acl', 200],
    ['the own profile', '/doku.php/start?do=profile', 200],
    ['the way out', '/doku.php/start', 302, (front) => form({ do: 'logout', sectok: token(front) })],
    ['the page after that', '/doku.php/start', 200],
    ['a remote procedure, for nobody', '/lib/exe/xmlrpc.php', 200, send('POST', '<methodCall/>', 'text/xml')],
    ['a script of its own that is none for clients', '/inc/init.php', 200],
    ['a hidden file', '/.htaccess', 200],
    ['a pretty URL that is none of its own', '/wiki/notes?a=b', 200],
  ])('%s', async (_name, path, status, request) => {
    await php.ask(path, request);
    expect(php.fronts[0]!.last!.status).toBe(status);
    php.expectTheSame();
  });
});
