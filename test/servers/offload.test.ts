import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createServer } from '../../src/adapters/create-server.ts';
import { createApp } from '../../src/core/app.ts';
import type { Offload } from '../../src/core/offload.ts';
import { files } from '../../src/middleware/index.ts';
import { startApache } from './apache.ts';
import { startCaddy } from './caddy.ts';
import { exchange, open } from './client.ts';
import { startLighttpd } from './lighttpd.ts';
import { startNginx } from './nginx.ts';
import { describeWith, type Program, type Server, temporaryFolder } from './program.ts';
import { type Site, WAYS } from './proxies.ts';

interface Sending {
  name: string;
  server?: Server | Server[];
  /** The header by which the web server is handed files; without one, the app sends them itself. */
  header?: Offload['header'];
  open(site: Site, root: string, pages?: string): Promise<{ port: number; program?: Program }>;
}

const senders: Sending[] = [
  {
    name: 'nginx',
    server: 'nginx',
    header: 'X-Accel-Redirect',
    open: ({ socket }, files, pages) => startNginx({ path: socket }, { keepAlive: true, files, pages }),
  },
  {
    name: 'Caddy',
    server: 'caddy',
    header: 'X-Sendfile',
    open: ({ socket }, files, pages) => startCaddy({ path: socket }, undefined, files, pages),
  },
  {
    name: 'lighttpd',
    server: 'lighttpd',
    header: 'X-Sendfile',
    open: ({ socket }, files, pages) => startLighttpd({ path: socket }, undefined, files, pages),
  },
  {
    name: 'Apache',
    server: ['apache', 'mod_xsendfile'],
    header: 'X-Sendfile',
    open: ({ socket }, files, pages) => startApache({ path: socket }, { modules: ['xsendfile'], files, pages }),
  },
];

const sendings: Sending[] = [
  ...WAYS.filter(({ name }) => !name.includes('fastcgi')),
  ...senders,
  // Of a site beside them, in which nothing is.
  ...senders.map((sender) => ({
    ...sender,
    name: `${sender.name}, for pages`,
    open: (site: Site, root: string) => sender.open(site, root, join(root, '../site')),
  })),
];

const ODD_NAMES = [
  'sp ace.txt',
  '100%.txt',
  'a%41.txt',
  'q?m.txt',
  'h#h.txt',
  'ü€.txt',
  "p+p&s;'(1)[2]{3}.txt",
  'b\\s"q.txt',
];

const BIG = 200 * 1024 ** 2;

for (const { name, server, header, open: openSite } of sendings) {
  describeWith(server, `files: ${name}`, () => {
    let folder: string;
    let root: string;
    let port: number;
    let program: Program | undefined;
    let close: () => void;
    /** The names of what the app has handed over in a test. */
    const handed: string[] = [];

    const get = (path: string, headers: [string, string][] = [], method = 'GET') =>
      exchange(port, { path, headers, method });
    /** What a file that can be handed over is told to be. */
    const byServer = (file: string) => (header === undefined ? [] : [file]);

    beforeAll(async () => {
      folder = temporaryFolder();
      // Apache and lighttpd may be other users.
      chmodSync(folder, 0o755);
      root = join(folder, 'public');
      mkdirSync(root);
      mkdirSync(join(folder, 'site'));
      writeFileSync(join(root, 'a.txt'), '0123456789');
      // A date that is younger than a minute tells no file from another for Apache (RFC 9110, section 8.8.2.2).
      utimesSync(join(root, 'a.txt'), 1e9, 1e9);
      writeFileSync(join(root, 'app.js'), 'let a = 1;');
      writeFileSync(join(root, 'app.js.br'), brotliCompressSync('let a = 1;'));
      writeFileSync(join(root, 'index.html'), '<p>home</p>');
      for (const odd of ODD_NAMES) writeFileSync(join(root, odd), `this is ${odd}`);
      // Where a name is taken for what it is not.
      for (const wrong of ['aA.txt', 'q', 'h', 'p p&s']) writeFileSync(join(root, wrong), 'wrong');
      writeFileSync(join(root, 'big.bin'), '');
      truncateSync(join(root, 'big.bin'), BIG);
      writeFileSync(join(folder, 'secret.txt'), 'secret');

      const offload = { header: header ?? 'X-Sendfile', prefix: '/_files', root } as Offload;
      const app = createApp({ env: 'test', offload });
      app.use((_req, res, next) => {
        res.on('finish', () => {
          const value = res.getHeader('X-Accel-Redirect') ?? res.getHeader('X-Sendfile');
          if (value !== undefined) handed.push(String(value).replace(/^.*(?:_files|public)\//, ''));
        });
        res.set({ Vary: 'X-Test', 'X-Content-Type-Options': 'nosniff' }).append('Set-Cookie', 'a=1');
        next();
      });
      app.use('/static', files(root, { maxAge: '1h', precompressed: true }));
      app.get('/download', (req, res) => res.download(join(root, req.query.name as string), 'Ünter lagen.txt'));
      app.get('/secret', (_req, res) => res.sendFile(join(folder, 'secret.txt')));
      app.get('/missing', (_req, res) => res.status(404).sendFile(join(root, 'a.txt')));

      const socket = join(folder, 'fcgi.sock');
      const fastcgi = createServer(app).listen(socket, { mode: 0o666 });
      const http = app.listen(0, '127.0.0.1');
      await Promise.all([once(fastcgi, 'listening'), once(http, 'listening')]);
      close = () => {
        for (const each of [fastcgi, http]) {
          each.close();
          each.closeAllConnections();
        }
      };
      ({ port, program } = await openSite({ socket, http: (http.address() as AddressInfo).port }, root));
    });

    afterAll(async () => {
      await program?.stop();
      close();
    });

    beforeEach(() => {
      handed.length = 0;
    });

    it('come as the app says, and nobody sees how', async () => {
      const { status, headers, body } = await get('/static/a.txt');
      expect([status, body]).toEqual([200, '0123456789']);
      expect(headers).toMatchObject({
        'content-type': ['text/plain; charset=utf-8'],
        'content-length': ['10'],
        'cache-control': ['public, max-age=3600'],
        'last-modified': [statSync(join(root, 'a.txt')).mtime.toUTCString()],
        etag: [expect.any(String)],
        // Apache joins them without the space.
        vary: [expect.stringMatching(/^X-Test, ?Accept-Encoding$/)],
        'x-content-type-options': ['nosniff'],
        'set-cookie': ['a=1'],
        'accept-ranges': ['bytes'],
      });
      expect(headers).not.toHaveProperty('x-accel-redirect');
      expect(headers).not.toHaveProperty('x-sendfile');
      expect(headers).not.toHaveProperty('status');
      expect(handed).toEqual(byServer('a.txt'));
    });

    it('are saved under the name that the app says', async () => {
      const { headers, body } = await get('/download?name=a.txt');
      expect(body).toBe('0123456789');
      expect(headers).toMatchObject({
        'content-type': ['text/plain; charset=utf-8'],
        'content-disposition': [`attachment; filename="?nter lagen.txt"; filename*=UTF-8''%C3%9Cnter%20lagen.txt`],
        'cache-control': ['public, max-age=0'],
      });
      expect(handed).toEqual(byServer('a.txt'));
    });

    it.each([
      ['bytes=0-3', 206, '0123', 'bytes 0-3/10'],
      ['bytes=-3', 206, '789', 'bytes 7-9/10'],
      ['bytes=8-', 206, '89', 'bytes 8-9/10'],
      ['bytes=99-', 416, undefined, 'bytes */10'],
    ])('are sent in part: %s', async (range, status, body, contentRange) => {
      const answer = await get('/static/a.txt', [['Range', range]]);
      expect(answer.status).toBe(status);
      if (body !== undefined) expect([answer.body, answer.headers['content-range']]).toEqual([body, [contentRange]]);
      expect(handed).toEqual(byServer('a.txt'));
    });

    it('are sent in part only if they are still the same', async () => {
      const modified = statSync(join(root, 'a.txt')).mtime.toUTCString();
      const range: [string, string] = ['Range', 'bytes=0-3'];
      expect((await get('/static/a.txt', [range, ['If-Range', modified]])).status).toBe(206);
      expect((await get('/static/a.txt', [range, ['If-Range', '"other"']])).status).toBe(200);
    });

    it('are not sent to whom has them, until they change', async () => {
      const file = join(root, 'changing.txt');
      writeFileSync(file, 'before');
      const { etag: [etag = ''] = [], 'last-modified': [modified = ''] = [] } = (await get('/static/changing.txt'))
        .headers;
      for (const condition of [
        ['If-None-Match', etag],
        ['If-None-Match', `"x", ${etag}`],
        ['If-Modified-Since', modified],
      ] as [string, string][]) {
        const answer = await get('/static/changing.txt', [condition]);
        expect([condition, answer.status, answer.body]).toEqual([condition, 304, '']);
      }
      appendFileSync(file, ' and after');
      const answer = await get('/static/changing.txt', [['If-None-Match', etag]]);
      expect([answer.status, answer.body]).toEqual([200, 'before and after']);
    });

    it('have a head', async () => {
      const { status, headers, body } = await get('/static/a.txt', [], 'HEAD');
      expect([status, body, headers['content-length']]).toEqual([200, '', ['10']]);
      expect(headers['content-type']).toEqual(['text/plain; charset=utf-8']);
    });

    it.each(ODD_NAMES)('may be called %s', async (odd) => {
      const { status, body } = await get(`/download?name=${encodeURIComponent(odd)}`);
      expect([status, body]).toEqual([200, Buffer.from(`this is ${odd}`).toString('latin1')]);
    });

    it('come encoded to whom accepts that, from the app itself', async () => {
      const { headers, body } = await get('/static/app.js', [['Accept-Encoding', 'br']]);
      expect(Buffer.from(body, 'latin1')).toEqual(readFileSync(join(root, 'app.js.br')));
      expect(headers).toMatchObject({ 'content-encoding': ['br'], 'content-type': ['text/javascript; charset=utf-8'] });
      expect(handed).toEqual([]);
      expect((await get('/static/app.js')).body).toBe('let a = 1;');
    });

    it('are a folder’s index', async () => {
      expect(await get('/static/')).toMatchObject({ status: 200, body: '<p>home</p>' });
      expect(await get('/static')).toMatchObject({ status: 301, headers: { location: ['/static/'] } });
    });

    it('are 404 where they are not', async () => {
      expect((await get('/static/none.txt')).status).toBe(404);
      expect((await get('/download?name=none.txt')).status).toBe(404);
      expect(handed).toEqual([]);
    });

    it('keep the status that the app gives them', async () => {
      expect(await get('/missing')).toMatchObject({ status: 404, body: '0123456789' });
    });

    it('that lie elsewhere are sent by the app', async () => {
      expect(await get('/secret')).toMatchObject({ status: 200, body: 'secret' });
      expect(handed).toEqual([]);
    });

    it('cannot be asked for past the app, by a path or by a header', async () => {
      for (const path of ['/_files/a.txt', '/_files/', '/_files/../_files/a.txt', `${root}/a.txt`]) {
        const { status, body } = await get(path);
        expect([path, status]).toEqual([path, 404]);
        expect(body).not.toContain('0123456789');
      }
      for (const name of ['X-Accel-Redirect', 'X-Sendfile', 'X-Sendfile2', 'X-LIGHTTPD-send-file', 'X-Sendfile-Type']) {
        const value = `${root}/a.txt`;
        expect(await get('/secret', [[name, value]])).toMatchObject({ status: 200, body: 'secret' });
      }
    });

    it('of 200 MB come whole', async () => {
      const res = await open(port, { path: '/static/big.bin' });
      expect(res.headers['content-length']).toBe(String(BIG));
      let received = 0;
      for await (const chunk of res) received += chunk.length;
      expect(received).toBe(BIG);
      const part = await get('/static/big.bin', [['Range', `bytes=${BIG - 5}-`]]);
      expect([part.status, part.body]).toEqual([206, '\0'.repeat(5)]);
    });
  });
}
