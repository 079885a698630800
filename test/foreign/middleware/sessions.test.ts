import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeThrough } from '../doors.ts';
import { type ForeignRequest, type ForeignResponse, hosts, require } from '../hosts.ts';
import { hasRedis, startRedis } from '../redis.ts';

const session = require('express-session');

/** Counts the views of a session, and begins or ends one. */
function count(req: ForeignRequest, res: ForeignResponse): void {
  if (req.url === '/end') {
    req.session.destroy(() => {
      res.setHeader('X-Session', String(req.session));
      res.end('ended');
    });
  } else if (req.url === '/again') {
    req.session.regenerate(() => {
      req.session.user = 'Ada';
      req.session.save(() => res.end(`${req.sessionID}: ${req.session.views}, ${req.session.user}`));
    });
  } else {
    req.session.views = (req.session.views ?? 0) + 1;
    res.end(`${req.sessionID}: ${req.session.views}, ${req.session.user}`);
  }
}

/** Session ids that are the same at both doors. */
function counter(): () => string {
  let made = 0;
  return () => `session-${++made}`;
}

describeThrough('sessions', (through) => {
  describe.each(hosts)('in %s', (_name, make) => {
    it('express-session counts by its cookie, renews a session and ends it', async () => {
      await through(
        () => {
          const options = { secret: 'keyboard cat', resave: false, saveUninitialized: true, genid: counter() };
          return make().use(session(options)).use(count);
        },
        async (client) => {
          for (const view of [1, 2, 3]) expect(await client.say('/')).toBe(`200 session-1: ${view}, undefined`);
          expect(client.cookies.get('connect.sid')).toMatch(/^s%3Asession-1\./);
          expect(await client.say('/again')).toBe('200 session-2: undefined, Ada');
          expect(await client.say('/')).toBe('200 session-2: 1, Ada');
          expect((await client.ask('/end')).headers['x-session']).toEqual(['undefined']);
          expect(await client.say('/')).toBe('200 session-3: 1, undefined');
          client.cookies.set('connect.sid', 's%3Asession-3.forged');
          expect(await client.say('/')).toBe('200 session-4: 1, undefined');
        },
      );
    });

    it('express-session sets a Secure cookie over HTTPS only, and rolls its expiry', async () => {
      await through(
        () => {
          const cookie = { secure: true, maxAge: 60_000, sameSite: 'lax' };
          const options = { secret: ['new', 'old'], resave: false, saveUninitialized: false, rolling: true, cookie };
          return make()
            .use(session({ ...options, genid: counter(), proxy: true }))
            .use(count);
        },
        async (client) => {
          expect((await client.ask('/')).headers).not.toHaveProperty('set-cookie');
          const headers = { 'X-Forwarded-Proto': 'https' };
          const first = await client.ask('/', { headers });
          expect(first.headers['set-cookie']?.[0]).toMatch(/^connect\.sid=s%3A.*HttpOnly; Secure; SameSite=Lax$/);
          const second = await client.ask('/', { headers });
          expect(second.body).toMatch(/: 2,/);
          expect(second.headers).toHaveProperty('set-cookie');
        },
        { except: [/(?<=Expires=)[^;]+/] },
      );
    });

    it('cookie-session keeps a session in its cookie', async () => {
      const cookieSession = require('cookie-session');
      await through(
        () =>
          make()
            .use(cookieSession({ name: 'kept', keys: ['key2', 'key1'] }))
            .use((req, res) => {
              if (req.url === '/end') req.session = null;
              else req.session.views = (req.session.views ?? 0) + 1;
              res.end(`${req.session?.views} ${req.session?.isNew}`);
            }),
        async (client) => {
          expect(await client.say('/')).toBe('200 1 true');
          expect([...client.cookies.keys()]).toEqual(['kept', 'kept.sig']);
          expect(await client.say('/')).toBe('200 2 false');
          expect(await client.say('/')).toBe('200 3 false');
          expect(await client.say('/end')).toBe('200 undefined undefined');
          expect(client.cookies.has('kept')).toBe(false);
          expect(await client.say('/')).toBe('200 1 true');
        },
      );
    });

    it('cookie-parser reads cookies, JSON cookies and signed ones', async () => {
      const cookieParser = require('cookie-parser');
      const sign = (value: string, secret: string) =>
        `${value}.${createHmac('sha256', secret).update(value).digest('base64').replace(/=+$/, '')}`;
      await through(
        () =>
          make()
            .use(cookieParser('secret'))
            .use((req, res) => res.end(JSON.stringify({ plain: req.cookies, signed: req.signedCookies }))),
        async (client) => {
          const good = encodeURIComponent(`s:${sign('Ada', 'secret')}`);
          const forged = encodeURIComponent(`s:${sign('Ada', 'other')}`);
          const Cookie = `a=1; b=%20x; good=${good}; forged=${forged}; list=j:${encodeURIComponent('[1,2]')}`;
          const { body } = await client.ask('/', { headers: { Cookie } });
          expect(JSON.parse(body)).toEqual({
            plain: { a: '1', b: ' x', list: [1, 2] },
            signed: { good: 'Ada', forged: false },
          });
        },
      );
    });
  });

  describe.skipIf(!hasRedis)('in redis', () => {
    let redis: Awaited<ReturnType<typeof startRedis>>;
    beforeAll(async () => {
      redis = await startRedis();
    });
    afterAll(() => redis?.stop());

    it.each(hosts)('connect-redis keeps the sessions of %s', async (_name, make) => {
      const { RedisStore } = require('connect-redis');
      await through(
        async () => {
          await redis.client.flushAll();
          const store = new RedisStore({ client: redis.client, prefix: 'app:' });
          const options = { store, secret: 'keyboard cat', resave: false, saveUninitialized: false, genid: counter() };
          return make().use(session(options)).use(count);
        },
        async (client) => {
          for (const view of [1, 2, 3]) expect(await client.say('/')).toBe(`200 session-1: ${view}, undefined`);
          expect(JSON.parse(await redis.client.get('app:session-1'))).toMatchObject({ views: 3 });
          expect(await client.say('/again')).toBe('200 session-2: undefined, Ada');
          expect(await redis.client.keys('*')).toEqual(['app:session-2']);
          expect(await client.say('/end')).toBe('200 ended');
          expect(await redis.client.keys('*')).toEqual([]);
        },
      );
    });
  });
});
