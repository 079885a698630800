import { once } from 'node:events';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { createServer } from '../../src/adapters/create-server.ts';
import { createApp } from '../../src/core/app.ts';
import { Request } from '../../src/core/request.ts';
import { Response } from '../../src/core/response.ts';
import { pages } from '../../src/middleware/index.ts';
import { writePage } from '../middleware/pages/site.ts';
import { startApache } from './apache.ts';
import { startCaddy } from './caddy.ts';
import { type Ask, exchange, open } from './client.ts';
import { startLighttpd } from './lighttpd.ts';
import { startNginx } from './nginx.ts';
import { describeWith, type Program, type Server, temporaryFolder } from './program.ts';

const SELF = '<?- [$_SERVER.SCRIPT_NAME, $_SERVER.PATH_INFO ?? "", $_SERVER.QUERY_STRING].join(" ") ?>';

/** What leads web servers to a page of /admin, though it is another path. */
const AROUND = [
  '//admin/page.jhtml',
  '//admin/page',
  '/blog//../admin/page.jhtml',
  '/blog/../admin/page.jhtml',
  '/./admin/page.jhtml',
  '/%2e/admin/page.jhtml',
  '/%61dmin/page.jhtml',
  '/%61dmin/page',
  '/admin%2Fpage.jhtml',
  '/admin%5Cpage.jhtml',
  '/admin\\page.jhtml',
  '/ADMIN/page.jhtml',
  '/admin/page%2Ejhtml',
  '/about.jhtml/../admin/page.jhtml',
  '/about.jhtml/%2e%2E/admin/page.jhtml',
  '/about.jhtml/..%2fadmin/page.jhtml',
  '/about.jhtml%2f..%2fadmin/page.jhtml',
  '/about.jhtml/./../admin/page',
  '/about.jhtml/..\\admin/page.jhtml',
];

const FILES = {
  'index.jhtml': SELF,
  'about.jhtml': SELF,
  'blog/index.jhtml': SELF,
  'a b/ü ö.jhtml': SELF,
  '100%.jhtml': SELF,
  'a%20b.jhtml': SELF,
  'users/[id].jhtml': 'user <?= req.params.id ?>',
  'admin/page.jhtml': 'for admins',
  'form.jhtml': '<?= $_POST.name ?> <?= $_POST["list"].length ?>',
  'stream.jhtml': '<? res.set("X-Accel-Buffering", "no") ?>first <? await flush(); await globalThis.wait() ?>second',
  'fail.jhtml': '<? header("Content-Type", "text/csv") ?>text<?\n\n throw new Error("on purpose") ?>',
  'login.jhtml': '<?= $_SERVER.HTTP_AUTHORIZATION ?>|<?= $_SERVER.HTTP_PROXY ?? "none" ?>',
  '404.jhtml': 'nothing there',
  // What must never be sent as the file that it is.
  '_inc.jhtml': 'source',
  '_private/notes.txt': 'source',
  '.env': 'source',
  '.git/config': 'source',
  'about.JHTML': 'source',
  'about.jhtml.bak': 'source',
  'about.jhtml~': 'source',
  '#about.jhtml#': 'source',
  'about.jhtml ': 'source',
  'folder.jhtml/page.jhtml.bak': 'source',
  // What may.
  'style.css': 'body {}',
  'st ü.txt': 'text',
  'docs/index.html': '<p>docs</p>',
};

const folder = temporaryFolder();
const site = join(folder, 'site');
const socket = { path: join(folder, 'the app.sock') };
/** What the page that streams waits for. */
let go = () => {};

for (const [name, text] of Object.entries(FILES)) writePage(site, name, text);
// Apache is somebody else.
chmodSync(folder, 0o755);

const app = createApp({ env: 'test' });
app.use('/admin', (_req, res) => res.status(403).send('guarded'));
app.use(pages(site, { revalidate: 0 }));
const overHttp = http.createServer({ IncomingMessage: Request, ServerResponse: Response }, app);
const overFastcgi = createServer(app);
beforeAll(async () => {
  const wait = () =>
    new Promise<void>((resolve) => {
      go = resolve;
    });
  Object.assign(globalThis, { wait });
  await once(overHttp.listen(0, '127.0.0.1'), 'listening');
  await once(overFastcgi.listen(socket.path, { mode: 0o666 }), 'listening');
});
afterAll(() => {
  overHttp.close();
  overFastcgi.close();
  rmSync(folder, { recursive: true });
});
afterEach(() => void vi.restoreAllMocks());

interface Way {
  name: string;
  server?: Server;
  /** How it tells `a%2Fb` behind a page; where the page is found by the URL, that names nothing. */
  slash?: string;
  /** Whether it answers 400 itself to a control character in a path. */
  refusesControls?: boolean;
  open(): Promise<{ port: number; program?: Program }>;
}

/** Everything passed on, and as `fcgi config --pages` prints it. */
const WAYS: Way[] = [
  { name: 'straight over HTTP', open: async () => ({ port: (overHttp.address() as AddressInfo).port }) },
  { name: 'nginx', server: 'nginx', open: () => startNginx(socket, { keepAlive: true }) },
  {
    name: 'nginx --pages',
    server: 'nginx',
    slash: '/a/b',
    open: () => startNginx(socket, { keepAlive: true, pages: site }),
  },
  { name: 'Caddy', server: 'caddy', open: () => startCaddy(socket) },
  { name: 'Caddy --pages', server: 'caddy', open: () => startCaddy(socket, undefined, undefined, site) },
  { name: 'Apache', server: 'apache', open: () => startApache(socket) },
  { name: 'Apache --pages', server: 'apache', slash: '/a%2Fb', open: () => startApache(socket, { pages: site }) },
  { name: 'lighttpd', server: 'lighttpd', refusesControls: true, open: () => startLighttpd(socket) },
  {
    name: 'lighttpd --pages',
    server: 'lighttpd',
    refusesControls: true,
    open: () => startLighttpd(socket, undefined, undefined, site),
  },
];

for (const way of WAYS) {
  describeWith(way.server, `pages behind ${way.name}`, () => {
    let port: number;
    let program: Program | undefined;
    beforeAll(async () => {
      ({ port, program } = await way.open());
    });
    afterAll(async () => {
      await program?.stop();
    });

    async function told(ask: Ask): Promise<string> {
      const { status, body } = await exchange(port, ask);
      return `${status} ${Buffer.from(body, 'latin1')}`.trimEnd();
    }

    it.each([
      ['a page', '/about.jhtml', '/about.jhtml'],
      ['a page without its extension', '/about', '/about.jhtml'],
      ['an index page', '/', '/index.jhtml'],
      ['an index page by its name', '/index.jhtml', '/index.jhtml'],
      ['an index page in a folder', '/blog/', '/blog/index.jhtml'],
      ['a page in a folder', '/blog/index', '/blog/index.jhtml'],
      ['a query', '/about.jhtml?q=1&r', '/about.jhtml  q=1&r'],
      ['a query behind a short name', '/about?q=1&x=.jhtml', '/about.jhtml  q=1&x=.jhtml'],
      ['PATH_INFO', '/about.jhtml/more/x?q=1', '/about.jhtml /more/x q=1'],
      ['PATH_INFO of a slash', '/index.jhtml/x/', '/index.jhtml /x/'],
      ['PATH_INFO that is encoded', '/about.jhtml/a%20%C3%BC%3F', '/about.jhtml /a ü?'],
      ['PATH_INFO that looks hidden', '/about.jhtml/_a/.b', '/about.jhtml /_a/.b'],
      ['PATH_INFO that looks as a page', '/about.jhtml/index.jhtml', '/about.jhtml /index.jhtml'],
      ['spaces and UTF-8', '/a%20b/%C3%BC%20%C3%B6.jhtml', '/a b/ü ö.jhtml'],
      ['spaces and UTF-8 without the extension', '/a%20b/%C3%BC%20%C3%B6', '/a b/ü ö.jhtml'],
      ['spaces and UTF-8 before PATH_INFO', '/a%20b/%C3%BC%20%C3%B6.jhtml/x%20y', '/a b/ü ö.jhtml /x y'],
      ['a percent sign', '/100%25.jhtml', '/100%.jhtml'],
      ['what decodes twice', '/a%2520b.jhtml', '/a%20b.jhtml'],
    ])('%s', async (_what, path, shown) => {
      expect(await told({ path })).toBe(`200 ${shown}`);
    });

    it('a slash in disguise behind a page', async () => {
      const answer = way.slash === undefined ? '404 nothing there' : `200 /about.jhtml ${way.slash}`;
      expect(await told({ path: '/about.jhtml/a%2Fb' })).toBe(answer);
    });

    it('[id] is a parameter', async () => {
      expect(await told({ path: '/users/a%20%3Cb%3E' })).toBe('200 user a &lt;b&gt;');
    });

    it('a form that is posted', async () => {
      const headers: Ask['headers'] = [['Content-Type', 'application/x-www-form-urlencoded']];
      const body = Buffer.from('name=%C3%A9&list[]=a&list[]=b');
      for (const path of ['/form.jhtml', '/form']) {
        expect(await told({ method: 'POST', path, headers, body }), path).toBe('200 é 2');
      }
    });

    it('a page that is asked for by HEAD', async () => {
      expect(await exchange(port, { method: 'HEAD', path: '/about' })).toMatchObject({
        status: 200,
        headers: { 'content-type': ['text/html; charset=utf-8'] },
        body: '',
      });
    });

    it('a folder without its slash is redirected', async () => {
      for (const [path, location] of [
        ['/blog?q=1', '/blog/?q=1'],
        ['/docs', '/docs/'],
      ] as const) {
        const { status, headers } = await exchange(port, { path });
        expect([status, headers.location]).toEqual([301, [location]]);
      }
    });

    it('what a page writes arrives before it ends', async () => {
      const res = await open(port, { path: '/stream.jhtml' });
      const [first] = await once(res, 'data');
      expect(`${first}`).toBe('first ');
      go();
      expect(`${await buffer(res)}`).toBe('second');
    });

    it('a page that throws is a 500 without a word, and its trace in the error log', async () => {
      const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
      writeFileSync(join(site, '500.jhtml'), 'failed');
      const { status, headers, body } = await exchange(port, { path: '/fail.jhtml' });
      rmSync(join(site, '500.jhtml'));
      expect([status, body, headers['content-type']]).toEqual([500, 'failed', ['text/html; charset=utf-8']]);
      const log = () => program?.output ?? write.mock.calls.map(([text]) => text).join('');
      // Caddy logs it only where its configuration says `capture_stderr`, from 2.7 on.
      if (way.server !== 'caddy') await expect.poll(log).toMatch(/on purpose.*fail\.jhtml:3:8/s);
    });

    it.each([
      ['a page that is not there', '/none.jhtml'],
      ['a name that is not there', '/none'],
      ['a name in a folder that is not there', '/none/none.css'],
      ['a page below a file', '/style.css/x.jhtml'],
      ['404.jhtml itself', '/404.jhtml'],
    ])('404.jhtml for %s', async (_what, path) => {
      expect(await told({ path })).toBe('404 nothing there');
    });

    it.each([
      ['a file', '/style.css', 'body {}'],
      ['a file with spaces and UTF-8', '/st%20%C3%BC.txt', 'text'],
      ['a file with a query', '/style.css?x.jhtml', 'body {}'],
      ['index.html of a folder', '/docs/', '<p>docs</p>'],
    ])('%s beside the pages', async (_what, path, text) => {
      expect(await told({ path })).toBe(`200 ${text}`);
    });

    it.each([
      '/_inc.jhtml',
      '/_inc',
      '/%5Finc.jhtml',
      '/_private/notes.txt',
      '/%5Fprivate/notes.txt',
      '/.env',
      '/%2Eenv',
      '/.git/config',
      '/about.JHTML',
      '/about.JHTML/x.jhtml',
      '/about%2EJHTML',
      '/about%2Ejhtml',
      '/about.jhtml.bak',
      '/about.jhtml%2Ebak',
      '/about.jhtm%6c.bak',
      '/about.jhtml.bak/',
      '/about.jhtml~',
      '/about.jhtml%7E',
      '/%23about.jhtml%23',
      '/folder.jhtml/page.jhtml.bak',
      '/users/%5Bid%5D.jhtml',
    ])('%s is not there', async (path) => {
      expect(await told({ path })).toBe('404 nothing there');
    });

    it.each([
      '/about.jhtml.bak/x.jhtml',
      '/.env/x.jhtml',
      '/x/..%2f.env',
      '/about.jhtml%00.css',
      '/about.jhtml::$DATA',
    ])('%s shows no source', async (path) => {
      expect(await told({ path })).not.toContain('source');
    });

    it.each(AROUND)('%s does not get past a guard of /admin', async (path) => {
      expect(await told({ path })).not.toContain('for admins');
    });

    it('CVE-2019-11043: a newline in PATH_INFO is PATH_INFO', async () => {
      const answer = await told({ path: '/about.jhtml/a%0Ab' });
      if (way.refusesControls) expect(answer).toMatch(/^400/);
      else expect(answer).toBe('200 /about.jhtml /a\nb');
    });

    it('CVE-2016-5385: no HTTP_PROXY, but what the client says to prove who it is', async () => {
      const headers: Ask['headers'] = [
        ['Proxy', 'http://evil.test'],
        ['Authorization', 'Bearer token'],
      ];
      for (const path of ['/login.jhtml', '/login']) {
        expect(await told({ path, headers }), path).toBe('200 Bearer token|none');
      }
    });
  });
}
