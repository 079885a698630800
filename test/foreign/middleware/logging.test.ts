import { once } from 'node:events';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { until } from '../client.ts';
import type { Door } from '../doors.ts';
import { describeThrough } from '../doors.ts';
import { type Failure, type ForeignRequest, type ForeignResponse, hosts, type Next, require } from '../hosts.ts';

const morgan = require('morgan');

/** What a logger takes for its output. */
function into(log: string[]) {
  return { write: (line: string) => log.push(line.trimEnd()) };
}

describeThrough('logging', (through) => {
  describe.each(hosts)('in %s', (_name, make) => {
    it.each([
      ['combined', /^127\.0\.0\.1 - ada \[.+\] "GET \/x\?y=1 HTTP\/1\.1" 201 2 "http:\/\/from\.test\/" "tester\/1"$/],
      ['common', /^127\.0\.0\.1 - ada \[.+\] "GET \/x\?y=1 HTTP\/1\.1" 201 2$/],
      ['dev', /GET \/x\?y=1 .*201.* \d\.\d{3} ms - 2/],
      ['short', /^127\.0\.0\.1 ada GET \/x\?y=1 HTTP\/1\.1 201 2 - \d\.\d{3} ms$/],
      ['tiny', /^GET \/x\?y=1 201 2 - \d\.\d{3} ms$/],
      [':req[host] :res[x-a] :pid :referrer', /^site\.test:8443 a \d+ http:\/\/from\.test\/$/],
    ])('morgan logs a line of the format %s', async (format, line) => {
      await through(
        ({ log }) =>
          make()
            .use(morgan(format, { stream: into(log) }))
            .use((_req, res) => {
              res.writeHead(201, { 'Content-Length': 2, 'X-A': 'a' });
              res.end('ok');
            }),
        async (client) => {
          const Authorization = `Basic ${Buffer.from('ada:secret').toString('base64')}`;
          const headers = { Authorization, Referer: 'http://from.test/', 'User-Agent': 'tester/1' };
          await client.ask('/x?y=1', { headers });
          expect(await client.logged(1)).toEqual([expect.stringMatching(line)]);
        },
        { except: [/\[[^\]]+\d{4}\]/, /\d+\.\d{3} ms/] },
      );
    });

    it('morgan logs at once when told to, and what a client has left behind', async () => {
      await through(
        ({ log }) =>
          make()
            .use(morgan('begin :url', { immediate: true, stream: into(log) }))
            .use(morgan('end :url :status', { stream: into(log) }))
            .use((_req, res) => {
              res.setHeader('X-Accel-Buffering', 'no');
              res.write('begun');
            }),
        async (client) => {
          const res = await client.open('/slow');
          res.destroy();
          expect(await client.logged(2)).toEqual(['begin /slow', 'end /slow 200']);
        },
      );
    });

    it('pino-http logs requests, answers and errors', async () => {
      const pinoHttp = require('pino-http');
      await through(
        ({ log }: Door) => {
          const serializers = { err: (error: Error) => ({ message: error.message }) };
          return make()
            .use(pinoHttp({ genReqId: () => 'id', serializers }, into(log)))
            .use((req, res, next) => {
              req.log.info('something else');
              if (req.url === '/fail') next(new Error('on purpose'));
              else res.end('ok');
            })
            .use((error: Failure, _req: ForeignRequest, res: ForeignResponse, _next: Next) => {
              res.err = error;
              res.statusCode = 500;
              res.end('failed');
            });
        },
        async (client) => {
          expect(await client.say('/ok?a=1', { headers: { 'User-Agent': 'tester/1' } })).toBe('200 ok');
          expect(await client.say('/fail')).toBe('500 failed');
          const lines = (await client.logged(4)).map((line) => JSON.parse(line));
          expect(lines[0]).toMatchObject({ msg: 'something else', req: { id: 'id', method: 'GET', url: '/ok?a=1' } });
          expect(lines[0].req).toMatchObject({ remoteAddress: '127.0.0.1', headers: { 'user-agent': 'tester/1' } });
          expect(lines[1]).toMatchObject({ msg: 'request completed', res: { statusCode: 200 } });
          expect(lines[3]).toMatchObject({
            msg: 'request errored',
            res: { statusCode: 500 },
            err: { message: 'on purpose' },
          });
        },
        {
          except: [
            /"(time|pid|remotePort|responseTime)":\d+/g,
            // The web server's business: docs/serving.md
            /,?"connection":"keep-alive"/g,
          ],
        },
      );
    });

    it('response-time sets its header, and tells who asks', async () => {
      const responseTime = require('response-time');
      await through(
        ({ log }) =>
          make()
            .use(responseTime())
            .use(responseTime((_req: unknown, _res: unknown, time: number) => log.push(typeof time)))
            .use((_req, res) => res.end('ok')),
        async (client) => {
          expect((await client.ask('/')).headers['x-response-time']).toEqual([expect.stringMatching(/^\d+\.\d{3}ms$/)]);
          expect(client.log).toEqual(['number']);
        },
        { except: [/\d+\.\d{3}ms/] },
      );
    });

    it('errorhandler shows an error as HTML, JSON and text, and logs it', async () => {
      const errorHandler = require('errorhandler');
      const error = Object.assign(new Error('on <purpose>'), { status: 503, stack: 'Error: on <purpose>\n  at home' });
      await through(
        ({ log }) =>
          make()
            .use((_req, _res, next: Next) => next(error))
            .use(errorHandler({ log: (_error: Error, text: string) => log.push(text) })),
        async (client) => {
          const ask = (Accept: string) => client.ask('/', { headers: { Accept } });
          const html = await ask('text/html');
          expect(html.status).toBe(503);
          expect(html.body).toContain('<h2><em>503</em> Error: on &lt;purpose&gt;</h2>');
          expect(JSON.parse((await ask('application/json')).body).error.message).toBe('on <purpose>');
          expect((await ask('text/plain')).body).toBe(error.stack);
          await client.logged(3);
        },
      );
    });

    it('errorhandler breaks off an answer that has begun', async () => {
      const errorHandler = require('errorhandler');
      vi.spyOn(console, 'error').mockReturnValue();
      onTestFinished(() => void vi.restoreAllMocks());
      let fail: () => void;
      await through(
        () =>
          make()
            .use((_req, res, next: Next) => {
              res.setHeader('X-Accel-Buffering', 'no');
              res.write('half');
              fail = () => next(new Error('on purpose'));
            })
            .use(errorHandler()),
        async (client) => {
          const res = await client.open('/');
          await until(res, 'half');
          const broken = once(res, 'error');
          fail();
          expect(await broken).toEqual([expect.objectContaining({ code: 'ECONNRESET' })]);
        },
      );
    });
  });
});
