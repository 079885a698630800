import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeThrough } from '../doors.ts';
import { hosts, require } from '../hosts.ts';

const serveStatic = require('serve-static');
const serveIndex = require('serve-index');
const favicon = require('serve-favicon');

const large = Buffer.alloc(2_000_000, Buffer.from(Array.from({ length: 251 }, (_, byte) => byte)));
const icon = Buffer.from('00000100010001010000010018003000000016000000', 'hex');

describeThrough('files', (through) => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'fcgi-files-'));
    mkdirSync(join(root, 'sub'));
    const files = { 'index.html': '<h1>Index</h1>', 'a b.txt': '0123456789', '.hidden': 'secret', 'sub/x.json': '{}' };
    for (const [name, content] of Object.entries({ ...files, 'large.bin': large, 'favicon.ico': icon })) {
      writeFileSync(join(root, name), content);
      utimesSync(join(root, name), 1e9, 1e9);
    }
    utimesSync(join(root, 'sub'), 1e9, 1e9);
  });
  afterAll(() => rmSync(root, { recursive: true }));

  describe.each(hosts)('in %s', (_name, make) => {
    it('serve-static serves files, folders and nothing else', async () => {
      await through(
        () =>
          make()
            .use('/files', serveStatic(root, { maxAge: '1d' }))
            .use((req, res) => res.end(`nothing: ${req.url}`)),
        async (client) => {
          const file = await client.ask('/files/a%20b.txt');
          expect(file).toMatchObject({ status: 200, body: '0123456789' });
          expect(file.headers).toMatchObject({
            'content-type': ['text/plain; charset=utf-8'],
            'cache-control': ['public, max-age=86400'],
            'last-modified': ['Sun, 09 Sep 2001 01:46:40 GMT'],
            'accept-ranges': ['bytes'],
          });
          expect((await client.ask('/files/large.bin')).body).toBe(large.toString('latin1'));
          expect((await client.ask('/files/')).body).toBe('<h1>Index</h1>');
          const head = await client.ask('/files/large.bin', { method: 'HEAD' });
          expect([head.body, head.headers['content-length']]).toEqual(['', ['2000000']]);
          const redirect = await client.ask('/files/sub');
          expect([redirect.status, redirect.headers.location]).toEqual([301, ['/files/sub/']]);
          for (const path of ['/files/.hidden', '/files/none', '/files/sub/', '/files/a%20b.txt/']) {
            expect(await client.say(path)).toBe(`200 nothing: ${path}`);
          }
          expect(await client.say('/files/a%20b.txt', { method: 'POST' })).toBe('200 nothing: /files/a%20b.txt');
        },
      );
    });

    it('serve-static answers ranges and conditional requests', async () => {
      await through(
        () => make().use(serveStatic(root)),
        async (client) => {
          const ask = (headers: Record<string, string>, path = '/a%20b.txt') => client.ask(path, { headers });
          const { etag = [] } = (await client.ask('/a%20b.txt')).headers;
          const range = await ask({ Range: 'bytes=2-4' });
          expect(range).toMatchObject({ status: 206, body: '234' });
          expect(range.headers['content-range']).toEqual(['bytes 2-4/10']);
          expect(await ask({ Range: 'bytes=-3' })).toMatchObject({ status: 206, body: '789' });
          expect(await ask({ Range: 'bytes=99-' })).toMatchObject({ status: 416 });
          expect(await ask({ Range: 'bytes=0-1,4-5' })).toMatchObject({ status: 200, body: '0123456789' });
          const last = await ask({ Range: 'bytes=-1000000' }, '/large.bin');
          expect(last.body).toBe(large.subarray(-1_000_000).toString('latin1'));
          expect(await ask({ Range: 'bytes=2-4', 'If-Range': etag[0]! })).toMatchObject({ status: 206 });
          expect(await ask({ Range: 'bytes=2-4', 'If-Range': '"other"' })).toMatchObject({ status: 200 });
          expect(await ask({ 'If-None-Match': etag[0]! })).toMatchObject({ status: 304, body: '' });
          expect(await ask({ 'If-Modified-Since': 'Sun, 09 Sep 2001 01:46:40 GMT' })).toMatchObject({ status: 304 });
          expect(await ask({ 'If-Match': '"other"' })).toMatchObject({ status: 412 });
        },
      );
    });

    it('serve-index lists a folder as HTML, JSON and text', async () => {
      await through(
        () => make().use('/list', serveIndex(root, { icons: true })),
        async (client) => {
          const html = await client.ask('/list/', { headers: { Accept: 'text/html' } });
          expect(html.headers['content-type']).toEqual(['text/html; charset=utf-8']);
          expect(html.body).toContain('<a href="/list/a%20b.txt" class="icon icon icon-txt icon-text"');
          const json = await client.ask('/list/', { headers: { Accept: 'application/json' } });
          expect(JSON.parse(json.body)).toEqual(['sub', 'a b.txt', 'favicon.ico', 'index.html', 'large.bin']);
          const text = await client.ask('/list/sub/', { headers: { Accept: 'text/plain' } });
          expect(text.body).toBe('x.json\n');
          expect(await client.ask('/list/', { headers: { Accept: 'image/png' } })).toMatchObject({ status: 406 });
          expect(await client.ask('/list/', { method: 'DELETE' })).toMatchObject({ status: 405 });
          expect(await client.ask('/list/', { method: 'OPTIONS' })).toMatchObject({ status: 200 });
          expect(await client.ask('/list/none')).toMatchObject({ status: 404 });
        },
      );
    });

    it('serve-favicon serves the icon, and knows who has it', async () => {
      await through(
        () => make().use(favicon(join(root, 'favicon.ico'))),
        async (client) => {
          const answer = await client.ask('/favicon.ico');
          expect(answer.body).toBe(icon.toString('latin1'));
          expect(answer.headers['content-type']?.[0]).toMatch(/^image\/(x-icon|vnd\.microsoft\.icon)$/);
          const headers = { 'If-None-Match': answer.headers.etag![0]! };
          expect(await client.ask('/favicon.ico', { headers })).toMatchObject({ status: 304, body: '' });
          expect(await client.ask('/favicon.ico', { method: 'POST' })).toMatchObject({ status: 405 });
          expect(await client.ask('/favicon.ico', { method: 'OPTIONS' })).toMatchObject({ status: 200 });
          expect(await client.ask('/else')).toMatchObject({ status: 404 });
        },
      );
    });
  });
});
