import { EventEmitter, once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { headersOf, until } from '../client.ts';
import { describeThrough } from '../doors.ts';
import { hosts, require } from '../hosts.ts';

const { createProxyMiddleware, fixRequestBody } = require('http-proxy-middleware');

describeThrough('proxies', (through) => {
  /** What is behind the proxy, and what it tells of or waits for. */
  const backend = new EventEmitter();
  let server: http.Server;
  let target: string;
  beforeAll(async () => {
    server = http.createServer(async (req, res) => {
      if (req.url === '/stream') {
        res.writeHead(200, { 'X-Accel-Buffering': 'no', 'Content-Type': 'text/plain' });
        res.on('close', () => backend.emit('close', res.writableFinished));
        for (const piece of ['one', 'two', 'three']) {
          res.write(piece);
          await once(backend, 'go');
        }
        res.end('end');
      } else {
        const chunks = await req.toArray();
        res.writeHead(203, 'From behind', { 'Set-Cookie': ['a=1; Domain=old.test', 'b=2'], 'X-Method': req.method });
        // CGI has no order of headers.
        const headers = Object.fromEntries(Object.entries(req.headers).sort());
        res.end(JSON.stringify({ url: req.url, headers, body: Buffer.concat(chunks).toString() }));
      }
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    target = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => server.close().closeAllConnections());

  describe.each(hosts)('http-proxy-middleware in %s', (_name, make) => {
    it('passes on requests with their bodies, and answers with their headers', async () => {
      await through(
        () =>
          make()
            .use('/api', createProxyMiddleware({ target, xfwd: true, cookieDomainRewrite: 'new.test' }))
            .use('/moved', createProxyMiddleware({ target, changeOrigin: true, pathRewrite: { '^/': '/elsewhere/' } })),
        async (client) => {
          const body = Buffer.alloc(800_000, 'Lorem ipsum ');
          const posted = await client.ask('/api/x%20y?a=1', { method: 'POST', body, headers: { 'X-A': 'a' } });
          expect(posted).toMatchObject({ status: 203, statusMessage: 'From behind' });
          expect(posted.headers['set-cookie']).toEqual(['a=1; Domain=new.test', 'b=2']);
          const seen = JSON.parse(posted.body);
          expect(seen.url).toBe('/x%20y?a=1');
          expect(seen.headers).toMatchObject({ 'x-a': 'a', 'x-forwarded-for': '127.0.0.1', host: 'site.test:8443' });
          expect(seen.headers).toMatchObject({ 'x-forwarded-proto': 'http', 'content-length': '800000' });
          expect(seen.body).toBe(body.toString());
          const moved = await client.ask('/moved/page', { method: 'DELETE' });
          expect(JSON.parse(moved.body)).toMatchObject({ url: '/elsewhere/page', headers: { host: target.slice(7) } });
          expect((await client.ask('/api/', { method: 'HEAD' })).headers['x-method']).toEqual(['HEAD']);
        },
        { except: [/"x-forwarded-port":"\d+",?/] },
      );
    });

    it('writes a body again that has been parsed', async () => {
      await through(
        () =>
          make()
            .use(require('body-parser').json())
            .use(createProxyMiddleware({ target, on: { proxyReq: fixRequestBody } })),
        async (client) => {
          expect(JSON.parse((await client.post('/', { a: [1, 2] })).body).body).toBe('{"a":[1,2]}');
        },
      );
    });

    it('streams piece by piece', async () => {
      await through(
        () => make().use(createProxyMiddleware({ target })),
        async (client) => {
          const res = await client.open('/stream');
          client.note(headersOf(res));
          for (const piece of ['one', 'two', 'three']) {
            await until(res, piece);
            backend.emit('go');
          }
          await until(res, 'end');
        },
      );
    });

    it('gives the answer up when the client leaves', async () => {
      await through(
        () => make().use(createProxyMiddleware({ target })),
        async (client) => {
          const res = await client.open('/stream');
          await until(res, 'one');
          const closed = once(backend, 'close');
          res.destroy();
          expect(await closed).toEqual([false]);
          backend.emit('go');
          backend.emit('go');
          backend.emit('go');
        },
      );
    });

    it('answers 504 where nobody is there', async () => {
      await through(
        () => make().use('/gone', createProxyMiddleware({ target: 'http://127.0.0.1:1' })),
        async (client) => {
          expect(await client.say('/gone/x')).toMatch(/^504 Error occurred while trying to proxy/);
          expect(await client.say('/gone/x', { method: 'POST', body: 'x'.repeat(100_000) })).toMatch(/^504 /);
        },
      );
    });
  });
});
