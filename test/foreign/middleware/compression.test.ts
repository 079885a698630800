import { EventEmitter, once } from 'node:events';
import { brotliDecompressSync, createGunzip, gunzipSync, inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { headersOf, until } from '../client.ts';
import { describeThrough } from '../doors.ts';
import { hosts, require } from '../hosts.ts';

const compression = require('compression');

const page = '<p>Lorem ipsum dolor sit amet</p>\n'.repeat(3000);

describeThrough('compression', (through) => {
  describe.each(hosts)('in %s', (_name, make) => {
    const whole = () =>
      make()
        .use(compression())
        .use((req, res) => {
          res.setHeader('Content-Type', req.url === '/image' ? 'image/png' : 'text/html');
          if (req.url === '/small') return res.end('small');
          if (req.url === '/length') res.setHeader('Content-Length', page.length);
          if (req.url === '/etag') res.setHeader('ETag', '"strong"');
          if (req.url === '/no-transform') res.setHeader('Cache-Control', 'no-transform');
          if (req.url === '/head') res.writeHead(201, 'Made', { 'X-Written': 'yes' });
          if (req.url === '/pieces')
            for (let at = 0; at < page.length; at += 1000) res.write(page.slice(at, at + 1000));
          return res.end(req.url === '/pieces' ? '' : page);
        });

    it.each([
      ['gzip', gunzipSync],
      ['br', brotliDecompressSync],
      ['deflate', inflateSync],
    ])('compresses with %s', async (coding, decompress) => {
      await through(whole, async (client) => {
        const headers = { 'Accept-Encoding': coding };
        for (const path of ['/', '/length', '/head', '/pieces', '/etag']) {
          const answer = await client.ask(path, { headers });
          expect(answer.headers['content-encoding']).toEqual([coding]);
          expect(answer.headers.vary).toEqual(['Accept-Encoding']);
          expect(answer.headers).not.toHaveProperty('content-length');
          expect(decompress(Buffer.from(answer.body, 'latin1')).toString()).toBe(page);
        }
      });
    });

    it('leaves alone what is small, compressed, not to be transformed or not wanted', async () => {
      await through(whole, async (client) => {
        const headers = { 'Accept-Encoding': 'gzip' };
        expect((await client.ask('/small', { headers })).body).toBe('small');
        for (const path of ['/image', '/no-transform']) expect((await client.ask(path, { headers })).body).toBe(page);
        expect((await client.ask('/')).body).toBe(page);
        expect((await client.ask('/', { method: 'HEAD', headers })).body).toBe('');
      });
    });

    it('passes on each event of a stream as it is flushed', async () => {
      const gate = new EventEmitter();
      await through(
        () =>
          make()
            .use(compression())
            .use(async (_req, res) => {
              // Else nginx collects: docs/web-servers.md
              res.writeHead(200, { 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' });
              for (const word of ['one', 'two', 'three']) {
                res.write(`data: ${word}\n\n`);
                res.flush();
                await once(gate, 'go');
              }
              res.end('data: end\n\n');
            }),
        async (client) => {
          const res = await client.open('/', { headers: { 'Accept-Encoding': 'gzip' } });
          client.note(headersOf(res));
          expect(res.headers['content-encoding']).toBe('gzip');
          const events = res.pipe(createGunzip());
          for (const word of ['one', 'two', 'three']) {
            await until(events, `data: ${word}\n\n`);
            gate.emit('go');
          }
          await until(events, 'data: end\n\n');
          await once(events.resume(), 'end');
        },
      );
    });
  });
});
