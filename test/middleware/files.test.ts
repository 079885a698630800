import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { createApp } from '../../src/core/app.ts';
import { Router } from '../../src/core/router.ts';
import type { ErrorHandler, Handler } from '../../src/core/types.ts';
import { type FilesOptions, files } from '../../src/middleware/index.ts';
import { Door, encodeRequest, eventually } from '../adapters/fastcgi/client.ts';
import { ask as askHttp, listen, served } from '../core/served.ts';
import { DOORS, type TestRequest } from './doors.ts';
import { folderOf } from './programs.ts';

const door = new Door();
afterEach(() => door.close());

const FILES = {
  'a.txt': 'the content',
  'index.html': '<p>home</p>',
  'about.html': '<p>about</p>',
  'docs/index.html': '<p>docs</p>',
  'empty/.keep': '',
  '.env': 'SECRET=1',
  'ä #?%.css': 'a {}',
};

const onError: ErrorHandler = (error, _req, res, _next) => {
  const { status = 500, code } = error as { status?: number; code?: string };
  res.status(status).send(`error ${code}`);
};

const passedOn: Handler = (req, res) => res.send(`passed on ${req.method} ${req.url}`);

describe.each(DOORS)('files over %s', (_name, open) => {
  /** The files of a folder at /static; what they pass on is told. */
  async function serve(content: Record<string, string> | string = FILES, options?: FilesOptions) {
    const folder = typeof content === 'string' ? content : folderOf(content);
    const app = createApp({ env: 'test' });
    app.use('/static', files(folder, options));
    app.use(passedOn, onError);
    const send = await open(app, door);
    const ask = (path: string, request?: TestRequest) => send(`/static${path}`, request);
    /** The answer in a line. */
    const told = async (path: string, request?: TestRequest) => {
      const { status, text, headers } = await ask(path, request);
      return `${status} ${headers.location ?? text}`;
    };
    return { folder, ask, told };
  }

  it('sends a file with its type and what caches need', async () => {
    const { ask, folder } = await serve();
    expect(await ask('/a.txt?v=1')).toMatchObject({
      status: 200,
      text: 'the content',
      headers: {
        'content-type': 'text/plain; charset=utf-8',
        'content-length': '11',
        'cache-control': 'public, max-age=0',
        'last-modified': statSync(join(folder, 'a.txt')).mtime.toUTCString(),
        etag: expect.stringMatching(/^W\/"b-/),
        'accept-ranges': 'bytes',
      },
    });
    expect(await ask('/%C3%A4%20%23%3F%25.css')).toMatchObject({
      text: 'a {}',
      headers: { 'content-type': 'text/css; charset=utf-8' },
    });
  });

  it('answers HEAD, ranges and conditions', async () => {
    const { ask } = await serve();
    const { headers } = await ask('/a.txt', { method: 'HEAD' });
    expect(headers['content-length']).toBe('11');
    const asking = (name: string, value: string) => ask('/a.txt', { headers: { [name]: value } });
    expect(await asking('Range', 'bytes=4-6')).toMatchObject({ status: 206, text: 'con' });
    expect(await asking('Range', 'bytes=99-')).toMatchObject({ status: 416 });
    expect(await asking('If-None-Match', headers.etag!)).toMatchObject({ status: 304, text: '' });
    expect(await asking('If-Match', '"x"')).toMatchObject({ status: 412 });
  });

  it('sends the index of a folder, and redirects to it where its slash is missing', async () => {
    const { told } = await serve();
    expect(await told('/')).toBe('200 <p>home</p>');
    expect(await told('')).toBe('301 /static/');
    expect(await told('?a=/')).toBe('301 /static/?a=/');
    expect(await told('/docs/')).toBe('200 <p>docs</p>');
    expect(await told('/docs?a=b')).toBe('301 /static/docs/?a=b');
    expect(await told('/empty/')).toBe('200 passed on GET /static/empty/');
    expect(await told('/a.txt/')).toBe('200 passed on GET /static/a.txt/');
  });

  it.each<[FilesOptions, string, string]>([
    [{ index: false }, '/', '200 passed on GET /static/'],
    [{ index: ['none', 'about.html'] }, '/', '200 <p>about</p>'],
    [{ index: 'a.txt' }, '/', '200 the content'],
    [{ redirect: false }, '/docs', '200 passed on GET /static/docs'],
    [{ extensions: ['htm', 'html'] }, '/about', '200 <p>about</p>'],
    [{ extensions: ['html'] }, '/docs', '301 /static/docs/'],
    [{ extensions: ['html'] }, '/about.x', '200 passed on GET /static/about.x'],
    [{ extensions: ['html'] }, '/about/', '200 passed on GET /static/about/'],
    [{}, '/.env', '200 passed on GET /static/.env'],
    [{ dotfiles: 'deny' }, '/.env', '200 passed on GET /static/.env'],
    [{ dotfiles: 'deny', fallthrough: false }, '/.env', '403 error FCGI_ERR_FILE_FORBIDDEN'],
    [{ dotfiles: 'allow' }, '/.env', '200 SECRET=1'],
    [{ dotfiles: 'allow' }, '/empty/.keep', '200 '],
  ])('with %j answers %s with %s', async (options, path, answer) => {
    const { told } = await serve(FILES, options);
    expect(await told(path)).toBe(answer);
  });

  it('passes on what is no file, what can be none, and every other method', async () => {
    const { told } = await serve();
    for (const path of ['/none', '/a.txt/b', `/${'x'.repeat(300)}`, '/../a.txt', '/nul', '/a%2Fb', '/%zz', '//a.txt']) {
      expect(await told(path)).toBe(`200 passed on GET /static${path}`);
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      expect(await told('/a.txt', { method })).toBe(`200 passed on ${method} /static/a.txt`);
    }
  });

  it('answers all of that itself without fallthrough', async () => {
    const { told, ask } = await serve(FILES, { fallthrough: false });
    expect(await told('/none')).toBe('404 error FCGI_ERR_FILE_NOT_FOUND');
    expect(await told('/empty/')).toBe('404 error FCGI_ERR_FILE_NOT_FOUND');
    expect(await told('/nul')).toBe('400 error FCGI_ERR_FILE_PATH');
    expect(await ask('/a.txt', { method: 'POST' })).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
  });

  it('refuses a NUL in any case', async () => {
    const { told } = await serve();
    expect(await told('/a.txt%00.png')).toBe('400 error FCGI_ERR_FILE_PATH');
    expect(await told('/a.txt?%00')).toBe('200 the content');
  });

  it.each<[FilesOptions, string | undefined]>([
    [{ maxAge: 20_500 }, 'public, max-age=20'],
    [{ maxAge: '1d', immutable: true }, 'public, max-age=86400, immutable'],
    [{ cacheControl: false }, undefined],
  ])('with %j says Cache-Control: %s', async (options, value) => {
    const { ask } = await serve(FILES, options);
    expect((await ask('/a.txt')).headers['cache-control']).toBe(value);
  });

  it('leaves out what it is told to', async () => {
    const { ask } = await serve(FILES, { etag: false, lastModified: false, acceptRanges: false });
    const { headers, status } = await ask('/a.txt', { headers: { Range: 'bytes=0-1' } });
    expect(status).toBe(200);
    for (const name of ['etag', 'last-modified', 'accept-ranges']) expect(headers).not.toHaveProperty(name);
  });

  it('has setHeaders decide about a file that is sent, and about no other answer', async () => {
    const { ask, folder } = await serve(FILES, {
      setHeaders(res, path, stats) {
        if (path.endsWith('about.html')) throw Object.assign(new Error('no'), { code: 'E_NO' });
        res.setHeader('Cache-Control', 'no-store');
        res.setHeader('Content-Type', 'text/x');
        res.setHeader('X-File', `${path.replace(folder, '')} ${stats.size}`);
      },
    });
    expect((await ask('/a.txt')).headers).toMatchObject({
      'cache-control': 'no-store',
      'content-type': 'text/x',
      'x-file': '/a.txt 11',
    });
    expect((await ask('/none')).headers).not.toHaveProperty('x-file');
    expect((await ask('/a.txt', { headers: { Range: 'bytes=99-' } })).headers).not.toHaveProperty('x-file');
    expect(await ask('/about.html')).toMatchObject({ status: 500, text: 'error E_NO' });
  });

  it('answers 412 and 416 with the headers of middleware before it, whatever setHeaders says of the file', async () => {
    const app = createApp({ env: 'test' });
    app.use((_req, res, next) => {
      res.set('Cache-Control', 'no-store').cookie('a', '1').cookie('b', '2');
      next();
    });
    app.use(
      files(folderOf({ 'a.txt': 'text' }), {
        setHeaders(res) {
          res.setHeader('Cache-Control', 'public, max-age=31536000').appendHeader('Set-Cookie', 'c=3');
        },
      }),
    );
    const send = await open(app, door);
    for (const [headers, status] of [
      [{ 'If-Match': '"x"' }, 412],
      [{ Range: 'bytes=99-' }, 416],
    ] as const) {
      const answer = await send('/a.txt', { headers });
      expect([answer.status, answer.headers['cache-control']]).toEqual([status, 'no-store']);
      expect(String(answer.headers['set-cookie'])).not.toContain('c=3');
    }
  });

  describe('symbolic links', () => {
    function linked(): string {
      const folder = folderOf({ 'root/a.txt': 'inside', 'root/docs/index.html': 'docs', 'root-2/b.txt': 'outside' });
      const root = join(folder, 'root');
      symlinkSync('a.txt', join(root, 'within.html'));
      symlinkSync('docs', join(root, 'within'));
      symlinkSync('../root-2/b.txt', join(root, 'out.txt'));
      symlinkSync('../root-2', join(root, 'out'));
      symlinkSync('loop', join(root, 'loop'));
      symlinkSync('nowhere', join(root, 'dangling'));
      symlinkSync(root, join(folder, 'link'));
      return folder;
    }

    it.each([
      [undefined, ['within.html', 'within/']],
      ['within', ['within.html', 'within/']],
      ['follow', ['within.html', 'within/', 'out.txt', 'out/b.txt']],
      ['deny', []],
    ] as const)('%s: those followed are %j', async (symlinks, followed) => {
      // To the folder itself, one may come by a link.
      const { told } = await serve(join(linked(), 'link'), { symlinks, redirect: false });
      expect(await told('/a.txt')).toBe('200 inside');
      const seen: string[] = [];
      for (const path of ['within.html', 'within/', 'out.txt', 'out', 'out/', 'out/b.txt', 'loop', 'dangling']) {
        if (!(await told(`/${path}`)).includes('passed on')) seen.push(path);
      }
      expect(seen).toEqual(followed);
    });

    it('do not tell that there is a folder outside', async () => {
      const { told } = await serve(join(linked(), 'root'));
      expect(await told('/out')).toBe('200 passed on GET /static/out');
      expect(await told('/within')).toBe('301 /static/within/');
    });

    it('leave a file the type that its URL has', async () => {
      const { ask } = await serve(join(linked(), 'root'));
      expect((await ask('/within.html')).headers['content-type']).toBe('text/html; charset=utf-8');
    });
  });

  it('takes neither a device nor a pipe for a file', async () => {
    const { folder, told } = await serve(FILES, { symlinks: 'follow' });
    symlinkSync('/dev/zero', join(folder, 'zero'));
    expect(await told('/zero')).toBe('200 passed on GET /static/zero');
  });

  describe('precompressed', () => {
    const text = 'let a = 1;'.repeat(100);

    function compressed(): string {
      const folder = folderOf({ 'app.js': text, 'only-gzip.css': text, 'plain.svg': text, 'docs/index.html': text });
      for (const name of ['app.js', 'docs/index.html'])
        writeFileSync(join(folder, `${name}.br`), brotliCompressSync(text));
      for (const name of ['app.js', 'only-gzip.css']) writeFileSync(join(folder, `${name}.gz`), gzipSync(text));
      mkdirSync(join(folder, 'plain.svg.br'));
      return folder;
    }

    it.each([
      ['/app.js', 'gzip, deflate, br', 'br'],
      ['/app.js', 'gzip', 'gzip'],
      ['/app.js', 'br;q=0.1, gzip;q=0.2', 'gzip'],
      ['/app.js', 'br;q=0, *', 'gzip'],
      ['/app.js', '*', 'br'],
      ['/app.js', 'identity, br;q=0.5', undefined],
      ['/app.js', 'identity;q=0, gzip;q=0.1', 'gzip'],
      ['/app.js', 'br;q=0, gzip;q=0', undefined],
      ['/app.js', 'zstd', undefined],
      ['/app.js', '', undefined],
      ['/app.js', undefined, undefined],
      ['/only-gzip.css', 'br, gzip;q=0.1', 'gzip'],
      ['/only-gzip.css', 'br', undefined],
      ['/plain.svg', 'br', undefined],
      ['/docs/', 'br', 'br'],
    ])('%s is sent to whom accepts %s as %s', async (path, accepts, encoding) => {
      const { ask } = await serve(compressed(), { precompressed: true });
      const headers: Record<string, string> = accepts === undefined ? {} : { 'Accept-Encoding': accepts };
      const answer = await ask(path, { headers });
      const decode = { br: brotliDecompressSync, gzip: gunzipSync }[encoding ?? ''] ?? ((body: Buffer) => body);
      expect(decode(answer.body).toString()).toBe(text);
      expect(answer.headers['content-encoding']).toBe(encoding);
      expect(answer.headers.vary).toBe('Accept-Encoding');
      expect(answer.headers['content-length']).toBe(String(answer.body.length));
    });

    it('has the type of the file, and an ETag and ranges of its own', async () => {
      const { ask, folder } = await serve(compressed(), { precompressed: true });
      const plain = await ask('/app.js');
      const accept = { 'Accept-Encoding': 'br' };
      const encoded = await ask('/app.js', { headers: accept });
      expect(encoded.headers['content-type']).toBe(plain.headers['content-type']);
      expect(encoded.headers.etag).not.toBe(plain.headers.etag);
      const part = await ask('/app.js', { headers: { ...accept, Range: 'bytes=1-3' } });
      const { size } = statSync(join(folder, 'app.js.br'));
      expect(part).toMatchObject({
        status: 206,
        body: brotliCompressSync(text).subarray(1, 4),
        headers: { 'content-range': `bytes 1-3/${size}`, 'content-encoding': 'br' },
      });
      for (const [etag, status] of [
        [encoded.headers.etag!, 304],
        [plain.headers.etag!, 200],
      ] as const) {
        expect((await ask('/app.js', { headers: { ...accept, 'If-None-Match': etag } })).status).toBe(status);
      }
      const failed = await ask('/app.js', { headers: { ...accept, Range: 'bytes=99999-' } });
      expect(failed).toMatchObject({ status: 416, headers: { vary: 'Accept-Encoding' } });
      expect(failed.headers).not.toHaveProperty('content-encoding');
    });

    it('follows no link that the file itself may not be', async () => {
      const folder = folderOf({ 'root/app.js': text, outside: 'secret' });
      symlinkSync('../outside', join(folder, 'root/app.js.br'));
      const { ask } = await serve(join(folder, 'root'), { precompressed: true });
      expect((await ask('/app.js', { headers: { 'Accept-Encoding': 'br' } })).text).toBe(text);
    });

    it('is off unless told', async () => {
      const { ask } = await serve(compressed());
      const { headers } = await ask('/app.js', { headers: { 'Accept-Encoding': 'br' } });
      expect(headers).not.toHaveProperty('content-encoding');
      expect(headers).not.toHaveProperty('vary');
    });
  });

  it('redirects within a mounted router, and never to another host', async () => {
    const folder = folderOf({ 'docs/index.html': '' });
    const app = createApp();
    app.use('/a', Router().use('/b', files(folder)));
    app.use(files(folder));
    const ask = await open(app, door);
    expect((await ask('/a/b/docs')).headers.location).toBe('/a/b/docs/');
    expect((await ask('/docs?next=//other.test')).headers.location).toBe('/docs/?next=//other.test');
    expect((await ask('//docs')).status).toBe(404);
    expect((await ask('//other.test/..%2fdocs')).status).toBe(404);
  });

  it('serves what the URL was rewritten to', async () => {
    const app = createApp();
    app.use((req, _res, next) => {
      req.url = '/index.html';
      next();
    });
    app.use(files(folderOf(FILES)));
    const ask = await open(app, door);
    expect((await ask('/any/where')).text).toBe('<p>home</p>');
  });

  // Root may read everything.
  it.skipIf(process.getuid?.() === 0)('gives the system’s refusal to the error handlers', async () => {
    const { told, folder } = await serve();
    chmodSync(join(folder, 'docs'), 0o000);
    expect(await told('/docs/index.html')).toBe('500 error EACCES');
    chmodSync(join(folder, 'docs'), 0o755);
  });
});

/** The descriptors of this process that a file is open under. */
function descriptorsOf(file: string): string[] {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === file;
    } catch {
      return false;
    }
  });
}

/** How far a descriptor has been read. */
function positionOf(fd: string): number {
  try {
    return Number(/^pos:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]);
  } catch {
    return 0;
  }
}

describe('a file of 200 MB', () => {
  const SIZE = 200 * 1024 ** 2;

  /** Asks for it on a socket, of each door. */
  const ASKING: [string, (folder: string) => Promise<Socket>][] = [
    [
      'HTTP',
      async (folder) => {
        const { port } = new URL(await served(createApp().use(files(folder))));
        return connect(Number(port), '127.0.0.1').on('connect', function (this: Socket) {
          this.write('GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
        });
      },
    ],
    [
      'FastCGI',
      async (folder) => {
        const server = await door.open(createApp().use(files(folder)));
        const { port } = server.address() as AddressInfo;
        const request = encodeRequest({ flags: 0, params: { REQUEST_URI: '/big' } });
        return connect(port, '127.0.0.1').on('connect', function (this: Socket) {
          this.write(request);
        });
      },
    ],
  ];

  function big(): { folder: string; file: string } {
    const folder = folderOf({ big: '' });
    truncateSync(join(folder, 'big'), SIZE);
    return { folder, file: join(folder, 'big') };
  }

  it.each(ASKING)('is read as fast as the client takes it, over %s', async (_name, asking) => {
    const { folder, file } = big();
    const socket = await asking(folder);
    let received = 0;
    let ahead = 0;
    for await (const chunk of socket) {
      received += chunk.length;
      const [fd] = descriptorsOf(file);
      if (fd !== undefined) ahead = Math.max(ahead, positionOf(fd) - received);
    }
    expect(received).toBeGreaterThan(SIZE);
    // What the sockets hold.
    expect(ahead).toBeLessThan(16 * 1024 ** 2);
    await eventually(() => expect(descriptorsOf(file)).toEqual([]));
  });

  it.each(ASKING)('is closed when the client leaves in the middle of it, over %s', async (_name, asking) => {
    const { folder, file } = big();
    const socket = await asking(folder);
    await once(socket, 'readable');
    await eventually(() => expect(descriptorsOf(file)).toHaveLength(1));
    socket.destroy();
    await eventually(() => expect(descriptorsOf(file)).toEqual([]));
  });

  it.each(ASKING)('is not opened for HEAD, 304 and 416, over %s', async (name, _asking) => {
    const { folder, file } = big();
    const [, open] = DOORS.find(([door]) => door === name)!;
    const ask = await open(createApp().use(files(folder), onError), door);
    const { etag = '' } = (await ask('/big', { method: 'HEAD' })).headers;
    expect((await ask('/big', { headers: { 'If-None-Match': etag } })).status).toBe(304);
    expect((await ask('/big', { headers: { Range: `bytes=${SIZE}-` } })).status).toBe(416);
    expect(descriptorsOf(file)).toEqual([]);
  });
});

describe('files', () => {
  it('serves in any chain of Connect’s kind', async () => {
    const serve = files(folderOf(FILES));
    const server = createServer((req, res) => serve(req, res, (error) => res.end(error ? 'error' : 'passed on')));
    const origin = await listen(server);
    expect(await askHttp(origin, '/a.txt')).toBe('200 the content');
    expect(await askHttp(origin, '/docs')).toBe('301');
    expect(await askHttp(origin, '/none')).toBe('200 passed on');
    expect(await askHttp(origin, '/%00')).toBe('200 error');
    expect(await askHttp(origin, 'http://other.test/a.txt')).toBe('200 the content');
  });

  it('hands files over as the app does, as it is told itself, or not at all', async () => {
    const root = folderOf(FILES);
    const app = createApp({ offload: { header: 'X-Sendfile', root } });
    app.use('/app', files(root));
    app.use('/own', files(root, { offload: { header: 'X-Accel-Redirect', prefix: '/_files' } }));
    app.use('/not', files(root, { offload: false }));
    app.use('/whole', files(root, { acceptRanges: false }));
    const [, [, overFastcgi]] = DOORS;
    const ask = await overFastcgi(app, door);
    expect(await ask('/app/a.txt')).toMatchObject({ text: '', headers: { 'x-sendfile': join(root, 'a.txt') } });
    expect((await ask('/own/docs/')).headers).toMatchObject({
      'x-accel-redirect': '/_files/docs/index.html',
      'content-type': 'text/html; charset=utf-8',
    });
    for (const path of ['/not/a.txt', '/whole/a.txt']) expect((await ask(path)).text).toBe('the content');
    expect((await ask('/app/none')).status).toBe(404);
  });

  it('sends an encoded file itself', async () => {
    const root = folderOf({ 'a.js': 'plain', 'a.js.br': 'encoded' });
    const app = createApp({ offload: { header: 'X-Sendfile', root } });
    app.use(files(root, { precompressed: true }));
    const ask = await DOORS[1]![1](app, door);
    const encoded = await ask('/a.js', { headers: { 'Accept-Encoding': 'br' } });
    expect(encoded).toMatchObject({ text: 'encoded', headers: { 'content-encoding': 'br' } });
    expect((await ask('/a.js')).headers).toMatchObject({
      'x-sendfile': join(root, 'a.js'),
      vary: 'Accept-Encoding',
    });
  });

  it.each<[string, unknown, unknown]>([
    ['no folder', '', {}],
    ['a folder that is none', 7, {}],
    ['dotfiles', '.', { dotfiles: 'yes' }],
    ['symlinks', '.', { symlinks: true }],
    ['setHeaders', '.', { setHeaders: {} }],
    ['an offload without prefix', '.', { offload: { header: 'X-Accel-Redirect' } }],
    ['an offload by another header', '.', { offload: { header: 'X-Lighttpd-Send-File' } }],
  ])('refuses %s', (_name, root, options) => {
    expect(() => files(root as string, options as FilesOptions)).toThrow(
      expect.objectContaining({ code: 'FCGI_ERR_OPTION' }),
    );
  });
});
