import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { mkdirSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createApp } from '../../src/core/app.ts';
import type { Response } from '../../src/core/response.ts';
import type { FileCallback, SendFileOptions } from '../../src/core/send-file.ts';
import type { Settings } from '../../src/core/settings.ts';
import { transfer } from '../../src/core/transfer.ts';
import type { ErrorHandler } from '../../src/core/types.ts';
import { Door } from '../adapters/fastcgi/client.ts';
import { DOORS } from '../middleware/doors.ts';
import { folderOf } from '../middleware/programs.ts';
import { deferred, serve as serveBare } from './pair.ts';

const door = new Door();
afterEach(() => door.close());

const FILES = {
  'name.txt': 'tobi',
  'nums.txt': '123456789',
  'user.html': '<p>{{user.name}}</p>',
  '100% of dogs ü#?.txt': '20%',
  '.name': 'tobi',
  'pets/names.txt': 'tobi,loki',
};

const onError: ErrorHandler = (error, _req, res, _next) => {
  const { status = 500, code } = error as { status?: number; code?: string };
  res.status(status).send(`error ${code}`);
};

describe.each(DOORS)('over %s', (_, open) => {
  /** An application whose every request is answered by the listener, with its errors' status, code and headers. */
  async function serve(listener: (res: Response) => unknown, settings: Settings = {}) {
    const app = createApp({ env: 'test', ...settings });
    app.use((_req, res) => listener(res));
    app.use(onError);
    return open(app, door);
  }

  const sending = (path: string, options?: SendFileOptions, settings?: Settings) =>
    serve((res) => res.sendFile(path, options as SendFileOptions), settings);

  describe('res.sendFile', () => {
    it('sends a file with its type, its length and what caches need', async () => {
      const folder = folderOf(FILES);
      const ask = await sending(join(folder, 'name.txt'));
      expect(await ask('/')).toMatchObject({
        status: 200,
        text: 'tobi',
        headers: {
          'content-type': 'text/plain; charset=utf-8',
          'content-length': '4',
          'cache-control': 'public, max-age=0',
          'last-modified': statSync(join(folder, 'name.txt')).mtime.toUTCString(),
          etag: expect.stringMatching(/^W\/"4-/),
          'accept-ranges': 'bytes',
        },
      });
    });

    it('takes the name as it is, whatever a URL would make of it', async () => {
      const ask = await sending(join(folderOf(FILES), '100% of dogs ü#?.txt'));
      expect(await ask('/')).toMatchObject({ status: 200, text: '20%' });
    });

    it('answers HEAD with the head, and a client that has the file with 304', async () => {
      const ask = await sending(join(folderOf(FILES), 'name.txt'));
      const head = await ask('/', { method: 'HEAD' });
      expect(head).toMatchObject({ status: 200, text: '', headers: { 'content-length': '4' } });
      const { etag = '', 'last-modified': date = '' } = head.headers;
      expect(await ask('/', { headers: { 'If-None-Match': etag } })).toMatchObject({ status: 304, text: '' });
      expect(await ask('/', { headers: { 'If-Modified-Since': date } })).toMatchObject({ status: 304, text: '' });
      expect(await ask('/', { headers: { 'If-None-Match': '"other"' } })).toMatchObject({ status: 200 });
    });

    it('answers 412 and 416 with nothing of the file in the head', async () => {
      const ask = await sending(join(folderOf(FILES), 'nums.txt'), { maxAge: '1y', headers: { 'X-Of-File': 'yes' } });
      for (const [headers, status] of [
        [{ 'If-Match': '"other"' }, 412],
        [{ Range: 'bytes=99-' }, 416],
      ] as const) {
        const answer = await ask('/', { headers });
        expect(answer).toMatchObject({ status, headers: { 'content-type': 'text/html; charset=utf-8' } });
        for (const name of ['cache-control', 'last-modified', 'x-of-file', 'accept-ranges', 'content-range']) {
          expect(answer.headers, name).not.toHaveProperty(name);
        }
      }
    });

    it('answers 416 with what was set before, though the file has other values, more of them, or none', async () => {
      const file = join(folderOf(FILES), 'nums.txt');
      const app = createApp({ env: 'test' });
      app.use((req, res) => {
        res.setHeader('Cache-Control', 'no-store').setHeader('X-Gone', 'kept').setHeader('Vary', ['Accept']);
        const setHeaders = () => {
          res.setHeader('Cache-Control', 'public, max-age=31536000').appendHeader('Vary', 'Cookie');
          res.removeHeader('X-Gone');
        };
        transfer(req, res, encodeURI(file), { setHeaders }, (error) => error && res.status(416).send('error'));
      });
      const { status, headers } = await (await open(app, door))('/', { headers: { Range: 'bytes=99-' } });
      expect(status).toBe(416);
      expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-gone': 'kept', vary: 'Accept' });
    });

    it.each([
      ['bytes=0-4', 206, '12345', 'bytes 0-4/9'],
      ['bytes=-2', 206, '89', 'bytes 7-8/9'],
      ['bytes=7-', 206, '89', 'bytes 7-8/9'],
      ['bytes=0-0,8-8', 200, '123456789', undefined],
      ['lines=1-2', 200, '123456789', undefined],
    ])('answers the range %s with %d', async (Range, status, text, range) => {
      const ask = await sending(join(folderOf(FILES), 'nums.txt'));
      const answer = await ask('/', { headers: { Range } });
      expect(answer).toMatchObject({ status, text });
      expect(answer.headers['content-range']).toBe(range);
    });

    it('sends a range only of the file that the client has part of', async () => {
      const ask = await sending(join(folderOf(FILES), 'nums.txt'));
      const { etag = '' } = (await ask('/')).headers;
      expect(await ask('/', { headers: { Range: 'bytes=0-1', 'If-Range': etag } })).toMatchObject({ status: 206 });
      expect(await ask('/', { headers: { Range: 'bytes=0-1', 'If-Range': '"old"' } })).toMatchObject({ status: 200 });
    });

    it('leaves a type alone that is set', async () => {
      const folder = folderOf(FILES);
      const ask = await serve((res) => res.type('application/x-bogus').sendFile(join(folder, 'name.txt')));
      expect((await ask('/')).headers['content-type']).toBe('application/x-bogus');
    });

    it('passes a folder on, and answers 404 for what is not there or no file', async () => {
      const folder = folderOf(FILES);
      symlinkSync('/dev/zero', join(folder, 'zero'));
      const app = createApp();
      app.use((req, res) => res.sendFile(join(folder, req.query.path as string)));
      app.use((_req, res) => res.send('passed on'));
      app.use(onError);
      const ask = await open(app, door);
      expect(await ask('/?path=pets')).toMatchObject({ status: 200, text: 'passed on' });
      expect(await ask('/?path=none')).toMatchObject({ status: 404 });
      expect(await ask('/?path=zero')).toMatchObject({ status: 404 });
      expect(await ask('/?path=name.txt/')).toMatchObject({ status: 404 });
      expect(await ask('/?path=a%00b')).toMatchObject({ status: 400 });
    });

    it.each<[string, Partial<SendFileOptions>, Record<string, string | undefined>]>([
      ['maxAge in milliseconds', { maxAge: 20_500 }, { 'cache-control': 'public, max-age=20' }],
      ['maxAge in words', { maxAge: '1d' }, { 'cache-control': 'public, max-age=86400' }],
      [
        'maxAge of a year at most',
        { maxAge: Number.POSITIVE_INFINITY },
        { 'cache-control': 'public, max-age=31536000' },
      ],
      ['immutable', { immutable: true, maxAge: '1h' }, { 'cache-control': 'public, max-age=3600, immutable' }],
      ['no cacheControl', { cacheControl: false, maxAge: '1h' }, { 'cache-control': undefined }],
      ['no lastModified', { lastModified: false }, { 'last-modified': undefined }],
      ['no etag', { etag: false }, { etag: undefined }],
      ['no acceptRanges', { acceptRanges: false }, { 'accept-ranges': undefined }],
      [
        'headers',
        { headers: { 'X-Foo': 'Bar', 'Content-Type': 'text/x' } },
        { 'x-foo': 'Bar', 'content-type': 'text/x' },
      ],
    ])('takes %s', async (_name, options, headers) => {
      const ask = await sending(join(folderOf(FILES), 'name.txt'), options);
      const answer = await ask('/');
      expect(answer).toMatchObject({ status: 200, text: 'tobi' });
      for (const [name, value] of Object.entries(headers)) expect(answer.headers[name]).toBe(value);
    });

    it('takes start and end, and counts ranges from there', async () => {
      const ask = await sending(join(folderOf(FILES), 'nums.txt'), { start: 2, end: 5 });
      expect(await ask('/')).toMatchObject({ text: '3456' });
      expect(await ask('/', { headers: { Range: 'bytes=1-2' } })).toMatchObject({ status: 206, text: '45' });
    });

    it('sends no ETag where the setting says so', async () => {
      const ask = await sending(join(folderOf(FILES), 'name.txt'), {}, { etag: false });
      expect((await ask('/')).headers).not.toHaveProperty('etag');
    });

    it('sets no headers for what is not there', async () => {
      const ask = await sending(join(folderOf(FILES), 'none.txt'), { headers: { 'X-Foo': 'bar' } });
      const answer = await ask('/');
      expect(answer).toMatchObject({ status: 404, text: 'error ENOENT' });
      expect(answer.headers).not.toHaveProperty('x-foo');
    });

    it('gives the error of a header that cannot be sent to the error handlers', async () => {
      const ask = await sending(join(folderOf(FILES), 'name.txt'), { headers: { 'X-Foo': 'a\nb' } });
      expect(await ask('/')).toMatchObject({ status: 500, text: 'error ERR_INVALID_CHAR' });
    });

    it.each([
      [undefined, 404],
      ['ignore', 404],
      ['deny', 403],
      ['allow', 200],
    ] as const)('answers for a dotfile, with dotfiles %s, %d', async (dotfiles, status) => {
      const ask = await sending(join(folderOf(FILES), '.name'), { dotfiles });
      expect((await ask('/')).status).toBe(status);
    });

    it.each([
      ['name.txt', 200],
      ['pets/../name.txt', 200],
      ['/name.txt', 200],
      ['pets/../../secret.txt', 403],
      ['../secret.txt', 403],
      ['pets/../../', 403],
    ])('answers for %s below a root %d', async (path, status) => {
      const folder = folderOf({ 'secret.txt': 'secret' });
      mkdirSync(join(folder, 'root/pets'), { recursive: true });
      writeFileSync(join(folder, 'root/name.txt'), 'tobi');
      const ask = await sending(path, { root: join(folder, 'root') });
      expect((await ask('/')).status).toBe(status);
    });

    it('has .. in an absolute path for an attack', async () => {
      const ask = await sending(`${folderOf(FILES)}/pets/../name.txt`);
      expect((await ask('/')).status).toBe(403);
    });

    it.each([
      ['', undefined, 'path argument is required to res.sendFile'],
      [42, undefined, 'path must be a string to res.sendFile'],
      ['name.txt', undefined, 'path must be absolute or specify root to res.sendFile'],
      ['name.txt', {}, 'path must be absolute or specify root to res.sendFile'],
    ])('throws for the path %j with options %j', async (path, options, message) => {
      const ask = await serve((res) => {
        expect(() => res.sendFile(path as string, options as SendFileOptions)).toThrow(new TypeError(message));
        res.end('thrown');
      });
      expect((await ask('/')).text).toBe('thrown');
    });

    it.each([{ start: 4, end: 2 }, { start: 4, end: 3 }, { end: -1 }])(
      'throws for a part that ends before it begins: %j',
      async (options) => {
        const file = join(folderOf(FILES), 'nums.txt');
        const ask = await serve((res) => {
          expect(() => res.sendFile(file, options)).toThrow(expect.objectContaining({ code: 'FCGI_ERR_OPTION' }));
          res.end('thrown');
        });
        expect((await ask('/')).text).toBe('thrown');
      },
    );

    it('calls back once the answer is out, be it HEAD or 304', async () => {
      const folder = folderOf(FILES);
      const called: unknown[] = [];
      const ask = await serve((res) => res.sendFile(join(folder, 'name.txt'), (...args) => called.push(args)));
      const { etag = '' } = (await ask('/')).headers;
      await ask('/', { method: 'HEAD' });
      await ask('/', { headers: { 'If-None-Match': etag } });
      expect(called).toEqual([[undefined], [undefined], [undefined]]);
    });

    it('calls back with what went wrong, and leaves the answer to the callback', async () => {
      const folder = folderOf(FILES);
      const answer = (res: Response) => (error?: Error) => res.send(`got ${(error as { status?: number }).status}`);
      const ask = await serve((res) => res.sendFile(join(folder, 'none'), {}, answer(res)));
      expect(await ask('/')).toMatchObject({ status: 200, text: 'got 404' });
    });

    it('calls back in the context in which it was called', async () => {
      const folder = folderOf(FILES);
      const storage = new AsyncLocalStorage<string>();
      const seen: (string | undefined)[] = [];
      const ask = await serve((res) =>
        storage.run('kept', () =>
          res.sendFile(join(folder, res.req.path), (error) => {
            seen.push(storage.getStore());
            if (error) res.end();
          }),
        ),
      );
      await ask('/name.txt');
      await ask('/none');
      expect(seen).toEqual(['kept', 'kept']);
    });

    it('takes back what it has set where the file is gone when it is opened', async () => {
      const file = join(folderOf(FILES), 'nums.txt');
      const headers = lookedAt(() => rmSync(file));
      const ask = await serve((res) => {
        res.sendFile(file, { headers }, (error) => res.send(`${(error as NodeJS.ErrnoException).code}`));
      });
      const answer = await ask('/', { headers: { Range: 'bytes=0-1' } });
      expect(answer).toMatchObject({ status: 200, text: 'ENOENT' });
      for (const name of ['x-looked-at', 'content-range', 'last-modified'])
        expect(answer.headers).not.toHaveProperty(name);
    });

    it('breaks the answer off where the file has become shorter', async () => {
      const folder = folderOf({ 'big.bin': 'x'.repeat(100_000) });
      const file = join(folder, 'big.bin');
      const errors: unknown[] = [];
      const ask = await serve((res) => {
        res.sendFile(file, { headers: lookedAt(() => truncateSync(file, 1000)) }, (error) => errors.push(error));
      });
      await expect(ask('/')).rejects.toThrow();
      expect(errors).toMatchObject([{ code: 'EIO' }]);
    });
  });

  describe('res.download', () => {
    const file = () => join(folderOf(FILES), 'user.html');

    it('sends a file to be saved under its name', async () => {
      const path = file();
      const ask = await serve((res) => res.download(path));
      expect(await ask('/', { headers: { Range: 'bytes=0-2' } })).toMatchObject({
        status: 206,
        text: '<p>',
        headers: {
          'content-type': 'text/html; charset=utf-8',
          'content-disposition': 'attachment; filename=user.html',
        },
      });
    });

    it('sends it under another name, whatever folders that has', async () => {
      const path = file();
      const ask = await serve((res) => res.download(path, '../../document'));
      expect((await ask('/')).headers['content-disposition']).toBe('attachment; filename=document');
    });

    it('takes every form of its arguments', async () => {
      const path = file();
      const called: string[] = [];
      const done =
        (form: string): FileCallback =>
        (error) =>
          called.push(`${form} ${error}`);
      const options = { headers: { 'X-Foo': 'bar', 'content-DISPOSITION': 'inline' }, maxAge: '4h' };
      const forms: Record<string, (res: Response) => void> = {
        '/a': (res) => res.download(path, done('a')),
        '/b': (res) => res.download(path, 'b.html', done('b')),
        '/c': (res) => res.download(path, 'c.html', options),
        '/d': (res) => res.download(path, 'd.html', options, done('d')),
        '/e': (res) => res.download(path, options),
        '/f': (res) => res.download(path, options, done('f')),
        '/g': (res) => res.download('user.html', null, { root: join(path, '..') }, done('g')),
      };
      const ask = await serve((res) => forms[res.req.path]!(res));
      for (const form of Object.keys(forms)) {
        const { status, text, headers } = await ask(form);
        const name = 'bcd'.includes(form[1]!) ? `${form[1]}.html` : 'user.html';
        expect([form, status, text]).toEqual([form, 200, '<p>{{user.name}}</p>']);
        expect(headers['content-disposition']).toBe(`attachment; filename=${name}`);
        const hasOptions = 'cdef'.includes(form[1]!);
        expect(headers['x-foo']).toBe(hasOptions ? 'bar' : undefined);
        expect(headers['cache-control']).toBe(`public, max-age=${hasOptions ? 14_400 : 0}`);
      }
      expect(called).toEqual(['a undefined', 'b undefined', 'd undefined', 'f undefined', 'g undefined']);
    });

    it('takes back that it is to be saved where there is nothing', async () => {
      const ask = await serve((res) =>
        res.download('/none/user.html', (error) => {
          res.send(`failed: ${res.get('Content-Disposition')} ${(error as { status?: number }).status}`);
        }),
      );
      expect((await ask('/')).text).toBe('failed: undefined 404');
    });
  });

  describe('res.attachment', () => {
    it.each([
      [undefined, 'attachment', undefined],
      ['', 'attachment; filename=""', undefined],
      ['image.png', 'attachment; filename=image.png', 'image/png'],
      ['/path/to/image.png', 'attachment; filename=image.png', 'image/png'],
      [
        'locales/日本語.txt',
        `attachment; filename="???.txt"; filename*=UTF-8''${encodeURIComponent('日本語')}.txt`,
        'text/plain; charset=utf-8',
      ],
      [
        '/locales/café.txt',
        `attachment; filename="caf?.txt"; filename*=UTF-8''caf%C3%A9.txt`,
        'text/plain; charset=utf-8',
      ],
      ['a"b.txt', 'attachment; filename="a\\"b.txt"', 'text/plain; charset=utf-8'],
    ])('of %j says %s', async (name, disposition, type) => {
      const ask = await serve((res) => res.attachment(name).end('body'));
      const { headers } = await ask('/');
      expect([headers['content-disposition'], headers['content-type']]).toEqual([disposition, type]);
    });

    it('cannot be made two headers', async () => {
      const ask = await serve((res) => res.attachment('a\r\nX-Injected: yes').end());
      const { headers } = await ask('/');
      expect(headers).not.toHaveProperty('x-injected');
      expect(headers['content-disposition']).toContain("filename*=UTF-8''a%0D%0AX-Injected%3A%20yes");
    });
  });
});

/** Headers that do something when they are looked at: after the file was found, and before it is opened. */
function lookedAt(act: () => void): Record<string, string> {
  return Object.defineProperty({}, 'X-Looked-At', {
    enumerable: true,
    get() {
      act();
      return 'yes';
    },
  });
}

describe('res.sendFile', () => {
  it('calls back with ECONNABORTED, and tells nobody else, when the client leaves before', async () => {
    const folder = folderOf(FILES);
    const result = deferred<Error | undefined>();
    const app = createApp({ env: 'test' });
    const errors: unknown[] = [];
    app.get('/plain', async (_req, res) => {
      res.socket!.destroy();
      await once(res, 'close');
      res.sendFile(join(folder, 'name.txt'));
      res.sendFile(join(folder, 'name.txt'), result.resolve);
    });
    const note: ErrorHandler = (error, _req, _res, next) => {
      errors.push(error);
      next();
    };
    app.use(note);
    const { client } = await door.serve(app);
    await expect(client.get({ params: { REQUEST_URI: '/plain' } })).rejects.toThrow();
    expect(await result.promise).toMatchObject({ code: 'ECONNABORTED' });
    expect(errors).toEqual([]);
  });

  it('answers errors itself where there is no app to', async () => {
    const folder = folderOf(FILES);
    const { client } = await door.serve((_req, res) => (res as Response).sendFile(join(folder, 'none.txt')));
    expect((await client.get()).status).toBe(404);
  });

  it('works in a listener of its own, with req.next as it is', async () => {
    const folder = folderOf(FILES);
    const { ask } = await serveBare((_req, res) => res.sendFile(join(folder, 'name.txt')));
    expect(await ask()).toMatchObject({ status: 200, body: 'tobi' });
  });
});
