import { describe, expect, it } from 'vitest';
import { Response } from '../../../src/core/response.ts';
import { describeThrough } from '../doors.ts';
import {
  type Failure,
  type ForeignRequest,
  type ForeignResponse,
  hosts,
  type Next,
  require,
  routingHosts,
} from '../hosts.ts';

describeThrough('security', (through) => {
  describe.each(hosts)('in %s', (_name, make) => {
    it('helmet sets its headers, and none twice', async () => {
      const helmet = require('helmet');
      await through(
        () =>
          make()
            .use(helmet({ contentSecurityPolicy: { directives: { scriptSrc: ["'self'", 'example.com'] } } }))
            .use((_req, res) => res.end('safe')),
        async (client) => {
          const { headers } = await client.ask('/');
          expect(headers).toMatchObject({
            'strict-transport-security': ['max-age=31536000; includeSubDomains'],
            'x-content-type-options': ['nosniff'],
            'x-frame-options': ['SAMEORIGIN'],
            'cross-origin-opener-policy': ['same-origin'],
          });
          expect(headers['content-security-policy']?.[0]).toContain("script-src 'self' example.com");
          expect(headers).not.toHaveProperty('x-powered-by');
        },
      );
    });

    it('cors answers a preflight, allows who is named and exposes what it should', async () => {
      const cors = require('cors');
      await through(
        () =>
          make()
            .use(
              cors({ origin: [/\.good\.test$/, 'https://one.test'], credentials: true, exposedHeaders: ['X-Total'] }),
            )
            .use((_req, res) => res.end('shared')),
        async (client) => {
          const ask = (Origin: string, method = 'GET') =>
            client.ask('/', {
              method,
              headers: {
                Origin,
                'Access-Control-Request-Method': 'DELETE',
                'Access-Control-Request-Headers': 'x-a, x-b',
              },
            });
          const preflight = await ask('https://app.good.test', 'OPTIONS');
          expect(preflight).toMatchObject({
            status: 204,
            body: '',
            headers: {
              'access-control-allow-origin': ['https://app.good.test'],
              'access-control-allow-methods': ['GET,HEAD,PUT,PATCH,POST,DELETE'],
              'access-control-allow-headers': ['x-a, x-b'],
              'access-control-allow-credentials': ['true'],
            },
          });
          const allowed = await ask('https://one.test');
          expect(allowed.headers['access-control-expose-headers']).toEqual(['X-Total']);
          expect((await ask('https://bad.test')).headers).not.toHaveProperty('access-control-allow-origin');
        },
      );
    });

    it('vhost tells sites apart by their host', async () => {
      const vhost = require('vhost');
      await through(
        () => {
          const site = make().use((req, res) => res.end(`${req.vhost.host}: ${req.vhost[0]}`));
          return make()
            .use(vhost('*.example.test', site))
            .use((_req, res) => res.end('no such site'));
        },
        async (client) => {
          const ask = (Host: string) => client.say('/', { headers: { Host } });
          expect(await ask('blog.example.test:8443')).toBe('200 blog.example.test:8443: blog');
          expect(await ask('example.test')).toBe('200 no such site');
        },
      );
    });
  });

  describe.each(routingHosts)('in %s', (name, make) => {
    // It calls `res.cookie`.
    it.skipIf(name === 'createApp' && !('cookie' in Response.prototype))(
      'csrf-csrf refuses a forged post, and lets through one with the token',
      async () => {
        await through(
          () => {
            const { doubleCsrf } = require('csrf-csrf');
            const { generateCsrfToken, doubleCsrfProtection } = doubleCsrf({
              getSecret: () => 'secret',
              getSessionIdentifier: () => 'the session',
              cookieName: 'csrf',
              cookieOptions: { secure: false },
            });
            const app = make();
            app.use(require('cookie-parser')());
            app.get('/form', (req, res) => res.end(generateCsrfToken(req, res)));
            app.post('/transfer', doubleCsrfProtection, (_req, res) => res.end('transferred'));
            app.use((error: Failure, _req: ForeignRequest, res: ForeignResponse, _next: Next) => {
              res.statusCode = error.status;
              res.end(error.code);
            });
            return app;
          },
          async (client) => {
            const transfer = async (headers = {}) => client.say('/transfer', { method: 'POST', headers });
            expect(await transfer()).toBe('403 EBADCSRFTOKEN');
            const token = (await client.ask('/form')).body;
            expect(await transfer()).toBe('403 EBADCSRFTOKEN');
            expect(await transfer({ 'X-CSRF-Token': `${token}x` })).toBe('403 EBADCSRFTOKEN');
            expect(await transfer({ 'X-CSRF-Token': token })).toBe('200 transferred');
            client.cookies.clear();
            expect(await transfer({ 'X-CSRF-Token': token })).toBe('403 EBADCSRFTOKEN');
          },
          // A token is an HMAC and a random value.
          { except: [/[0-9a-f]{64}\.[0-9a-f]{64}/, /[0-9a-f]{64}%\w\w[0-9a-f]{64}/] },
        );
      },
    );

    it('express-rate-limit counts by address, behind proxies by the one that they tell of', async () => {
      const { rateLimit } = require('express-rate-limit');
      await through(
        () => {
          const app = make();
          app.set('trust proxy', 'loopback');
          app.use(rateLimit({ windowMs: 60_000, limit: 2, standardHeaders: 'draft-8', legacyHeaders: true }));
          app.get('/', (req, res) => res.end(`${req.ip} ${req.rateLimit.used}`));
          return app;
        },
        async (client) => {
          const ask = (ip: string) => client.ask('/', { headers: { 'X-Forwarded-For': ip } });
          expect((await ask('192.0.2.1')).body).toBe('192.0.2.1 1');
          const second = await ask('192.0.2.1');
          expect(second.body).toBe('192.0.2.1 2');
          expect(second.headers['x-ratelimit-remaining']).toEqual(['0']);
          const third = await ask('192.0.2.1');
          expect(third).toMatchObject({ status: 429, body: 'Too many requests, please try again later.' });
          expect(third.headers).toHaveProperty('retry-after');
          expect((await ask('192.0.2.2')).body).toBe('192.0.2.2 1');
          expect(await client.say('/')).toBe('200 127.0.0.1 1');
        },
        { except: [/\b1\d{9}\b/, /(?<=[tw]=)\d+/, /^(60|59|58)$/] },
      );
    });
  });
});
