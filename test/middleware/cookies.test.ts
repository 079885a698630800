import { createRequire } from 'node:module';
import { afterAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/core/app.ts';
import { makeSetCookie } from '../../src/core/set-cookie.ts';
import type { Middleware } from '../../src/core/types.ts';
import { type CookiesOptions, cookies } from '../../src/middleware/index.ts';
import { Door } from '../adapters/fastcgi/client.ts';
import { DOORS } from './doors.ts';

const require = createRequire(import.meta.url);

/** A cookie as `res.cookie` has signed it. */
const signed = (name: string, value: unknown, secret: string) =>
  makeSetCookie(name, value, { signed: true, path: '' }, secret);

describe.each(DOORS)('cookies, over %s', (_name, open) => {
  const door = new Door();
  afterAll(() => door.close());

  /** What middleware makes of a Cookie header. */
  async function parsed(cookie: string | undefined, parse: Middleware = cookies()): Promise<unknown> {
    const app = createApp({ env: 'test' });
    app.use(parse);
    app.get('/', (req, res) => res.json([req.cookies, req.signedCookies, req.secret]));
    const ask = await open(app, door);
    return JSON.parse((await ask('/', { headers: cookie === undefined ? {} : { Cookie: cookie } })).text);
  }

  it.each<[header: string | undefined, cookies: object]>([
    [undefined, {}],
    ['', {}],
    ['a=1; b=two', { a: '1', b: 'two' }],
    ['a=1;b=2', { a: '1', b: '2' }],
    ['a=1; a=2', { a: '1' }],
    ['a=x=y', { a: 'x=y' }],
    ['a=%C3%A9%20b', { a: '\u00e9 b' }],
    ['a=%zz', { a: '%zz' }],
    ['a; b=1; =c', { b: '1', '': 'c' }],
    ['a=j:{"b":[1]}', { a: { b: [1] } }],
    ['a=j%3A%5B%5D', { a: [] }],
    ['a=j:{', { a: 'j:{' }],
    ['a=j:null', { a: 'j:null' }],
    ['a=s:b.c', { a: 's:b.c' }],
  ])('%j is %j', async (header, found) => {
    expect(await parsed(header)).toEqual([found, {}, null]);
  });

  it.each([
    ['of the secret', signed('a', 'x', 'new'), 'x'],
    ['of an old secret', signed('a', 'x', 'old'), 'x'],
    ['of JSON', signed('a', { b: 1 }, 'new'), { b: 1 }],
    ['of nothing', signed('a', '', 'new'), ''],
    ['of a secret that is no more', signed('a', 'x', 'lost'), false],
    ['of another value', signed('a', 'x', 'new').replace('x', 'y'), false],
    ['that is cut', signed('a', 'x', 'new').slice(0, -1), false],
    ['that is none', 'a=s:x', false],
  ])('a signature %s', async (_what, header, value) => {
    const found = await parsed(`${header}; plain=1`, cookies({ secret: ['new', 'old'] }));
    expect(found).toEqual([{ plain: '1' }, { a: value }, 'new']);
  });

  it('what was not signed is not among what was', async () => {
    expect(await parsed('a=x', cookies({ secret: 'key' }))).toEqual([{ a: 'x' }, {}, 'key']);
  });

  it('leaves alone what others have parsed', async () => {
    const app = createApp({ env: 'test' });
    app.use((req, _res, next) => {
      req.cookies = { theirs: true };
      next();
    });
    app.use(cookies({ secret: 'key' }));
    app.get('/', (req, res) => res.json([req.cookies, req.secret ?? null]));
    const ask = await open(app, door);
    expect((await ask('/', { headers: { Cookie: 'a=1' } })).text).toBe('[{"theirs":true},null]');
  });

  it('finds what res.cookie has signed and sent, and a changed one is false', async () => {
    const app = createApp({ env: 'test' });
    app.use(cookies({ secret: 'key' }));
    app.post('/', (_req, res) => res.cookie('user', { name: 'Ann' }, { signed: true, httpOnly: true }).end());
    app.get('/', (req, res) => res.json(req.signedCookies.user ?? null));
    const ask = await open(app, door);
    const { headers } = await ask('/', { method: 'POST' });
    const [cookie = ''] = String(headers['set-cookie']).split(';');
    expect((await ask('/', { headers: { Cookie: cookie } })).text).toBe('{"name":"Ann"}');
    expect((await ask('/', { headers: { Cookie: cookie.replace('Ann', 'Bob') } })).text).toBe('false');
    expect((await ask('/')).text).toBe('null');
  });

  it("reads cookie-parser's, and is read by it", async () => {
    const cookieParser = require('cookie-parser') as (secret: string) => Middleware;
    const header = `a=1; b=j:{"c":2}; d=j:; ${signed('e', 'f', 'key')}; g=s:h.i`;
    expect(await parsed(header, cookies({ secret: 'key' }))).toEqual(await parsed(header, cookieParser('key')));
  });
});

describe('cookies', () => {
  it('makes objects without a prototype, of JSON as of anything', () => {
    const req = { headers: { cookie: '__proto__=1; a=j:{"__proto__":{"polluted":1}}' } } as never;
    cookies()(req, {} as never, () => {});
    const { cookies: found, signedCookies } = req as Record<string, Record<string, unknown>>;
    expect([Object.getPrototypeOf(found), Object.getPrototypeOf(signedCookies)]).toEqual([null, null]);
    expect(Object.entries(found!)).toEqual([
      ['__proto__', '1'],
      ['a', 'j:{"__proto__":{"polluted":1}}'],
    ]);
  });

  it.each(['', [''], ['key', undefined], 1, null, {}])('takes no secret %j', (secret) => {
    const options = { secret } as CookiesOptions;
    expect(() => cookies(options)).toThrow(expect.objectContaining({ code: 'FCGI_ERR_OPTION' }));
  });
});
