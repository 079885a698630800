import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { describe, expect, it } from 'vitest';
import { createApp } from '../../src/core/app.ts';
import { type Client, headersOf, until } from './client.ts';
import { type Door, describeThrough, type Made } from './doors.ts';
import { gate } from './frameworks/site.ts';
import { frameworks } from './frameworks.ts';
import { require } from './hosts.ts';

const large = Buffer.alloc(2_000_000, Buffer.from(Array.from({ length: 251 }, (_, byte) => byte)));

describeThrough('whole applications', (through) => {
  const ways = frameworks.flatMap(({ name, make, mounted }) => {
    const alone = { name, at: '', make };
    if (!mounted) return [alone];
    const inside = async (door: Door): Promise<Made> => createApp().use('/legacy', (await mounted(door)) as never);
    return [alone, { name: `${name}, mounted`, at: '/legacy', make: inside }];
  });

  describe.each(ways)('$name', ({ at, make }) => {
    it('answers everyday requests', async () => {
      await through(make, async (client: Client) => {
        const hello = await client.ask(`${at}/hello/you?x=1`);
        expect(hello.status).toBe(200);
        expect(hello.headers['content-type']?.[0]).toMatch(/^application\/json/);
        expect(JSON.parse(hello.body)).toEqual({ name: 'you', x: '1', ip: '127.0.0.1' });
        const [etag] = hello.headers.etag ?? [];
        if (etag) {
          const again = await client.ask(`${at}/hello/you?x=1`, { headers: { 'If-None-Match': etag } });
          expect(again).toMatchObject({ status: 304, body: '' });
        }
        expect((await client.ask(`${at}/hello/you`, { method: 'HEAD' })).body).toBe('');
        await client.ask(`${at}/hello/you`, { method: 'OPTIONS' });

        const cookies = (await client.ask(`${at}/cookies`)).headers['set-cookie']!;
        expect(cookies.map((cookie) => cookie.split(';')[0])).toEqual(['a=1', 'b=%C3%BC']);
        const redirect = await client.ask(`${at}/redirect`);
        expect(redirect).toMatchObject({ status: 302, headers: { location: ['/hello/you'] } });
        expect(await client.say(`${at}/empty`)).toBe('204 ');
        expect(await client.ask(`${at}/missing`)).toMatchObject({ status: 404 });
        expect(await client.ask(`${at}/fail`)).toMatchObject({ status: 500 });
        expect(await client.ask(`${at}/hello/${encodeURIComponent('ü/?')}`)).toMatchObject({ status: 200 });
      });
    });

    it('takes bodies', async () => {
      await through(make, async (client) => {
        const echoed = await client.post(`${at}/echo`, { a: ['ü', 1, null] });
        expect(echoed.status).toBe(201);
        expect(JSON.parse(Buffer.from(echoed.body, 'latin1').toString())).toEqual({ a: ['ü', 1, null] });
        const sha = `${large.length} ${createHash('sha256').update(large).digest('hex')}`;
        const headers = { 'Content-Type': 'application/octet-stream' };
        for (const chunked of [false, true]) {
          const told = await client.ask(`${at}/upload`, { method: 'POST', body: large, headers, chunked });
          expect(told).toMatchObject({ status: 200, body: sha });
        }
      });
    });

    it('is told the same of a request', async () => {
      await through(make, async (client) => {
        const headers = {
          'X-Twice': ['a', 'b'],
          Accept: 'text/html;q=0.5, */*',
          'User-Agent': 'tester/1',
          Cookie: 'a=1; b=2',
          Referer: 'http://from.test/',
        };
        for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
          const asked = await client.ask(`${at}/request?a=1&a=%20b&c`, { method, headers });
          expect(asked.status).toBe(200);
          expect(JSON.parse(asked.body)).toMatchObject({ method, headers: { 'x-twice': 'a, b' } });
          expect(JSON.parse(asked.body).url).toMatch(/\/request\?a=1&a=%20b&c$/);
        }
        const json = { 'Content-Type': 'application/json' };
        await client.ask(`${at}/request`, { method: 'PUT', body: '{"a":1}', headers: json });
      });
    });

    it('streams piece by piece', async () => {
      await through(make, async (client) => {
        const res = await client.open(`${at}/events`);
        client.note(headersOf(res));
        for (const word of ['one', 'two', 'three']) {
          await until(res, `data: ${word}\n\n`);
          gate.emit('go');
        }
        await once(res.resume(), 'end');
      });
    });

    it('hears that the client has left', async () => {
      await through(make, async (client) => {
        const res = await client.open(`${at}/events`);
        await until(res, 'data: one\n\n');
        res.destroy();
        expect(await client.logged(1)).toEqual([expect.stringMatching(/^(abort|close, left)$/)]);
        for (let pieces = 0; pieces < 3; pieces++) gate.emit('go');
      });
    });
  });

  it('Fastify closes the server that it was given, with its hooks, and while a connection is kept', async () => {
    const fastify = require('fastify');
    let app: ReturnType<typeof fastify>;
    await through(
      async (door) => {
        app = fastify({ serverFactory: (handler: RequestListener) => door.createServer(handler) });
        app.get('/', async () => ({ listening: app.server.listening }));
        for (const hook of ['onReady', 'onListen', 'preClose', 'onClose']) {
          app.addHook(hook, async () => void door.log.push(hook));
        }
        await app.listen(door.address);
        return app.server;
      },
      async (client) => {
        expect(await client.say('/')).toBe('200 {"listening":true}');
        await app.close();
        expect(client.log).toEqual(['onReady', 'onListen', 'preClose', 'onClose']);
        expect(app.server.listening).toBe(false);
      },
    );
  });
});
