import { describe, expect, expectTypeOf, it } from 'vitest';
import type { Request } from '../../src/core/request.ts';
import type { Response } from '../../src/core/response.ts';
import { type CookieOptions, clearing, makeSetCookie } from '../../src/core/set-cookie.ts';
import { serve } from './pair.ts';

const set = (name: string, value: unknown, options: object = {}, secret?: string) =>
  makeSetCookie(name, value, options as CookieOptions, secret);

/** The lines of Set-Cookie that a listener has set. */
async function lines(listen: (res: Response) => unknown): Promise<string[] | undefined> {
  const site = await serve((req, res) => {
    req.secret = 'secret';
    listen(res);
    res.end();
  });
  return (await site.ask()).headers['set-cookie'];
}

describe('res.cookie', () => {
  it('adds one line a call, beside what was set before', async () => {
    const found = await lines((res) =>
      res.set('Set-Cookie', 'a=1').cookie('b', 2).cookie('c', '?').cookie('c', 'again'),
    );
    expect(found).toEqual(['a=1', 'b=2; Path=/', 'c=%3F; Path=/', 'c=again; Path=/']);
  });

  it('signs with the secret of the request', async () => {
    expect(await lines((res) => res.cookie('a', 'b', { signed: true }))).toEqual([
      set('a', 'b', { signed: true }, 'secret'),
    ]);
  });

  it('changes no options that it is given', async () => {
    const options = Object.freeze({ maxAge: 1000 });
    await lines((res) => res.cookie('a', 'b', options).clearCookie('a', options));
    expect(options).toEqual({ maxAge: 1000 });
  });

  it('says in its type which middleware sets what', () => {
    expectTypeOf<Request['cookies']>().toEqualTypeOf<Record<string, unknown>>();
    expectTypeOf<Request['signedCookies']>().toEqualTypeOf<Record<string, unknown>>();
    expectTypeOf<Request['secret']>().toEqualTypeOf<string | undefined>();
    expectTypeOf<Response['cookie']>().toBeCallableWith('a', { b: 1 }, { maxAge: null, sameSite: true });
  });
});

describe('the line', () => {
  it.each<[value: unknown, options: object, line: string]>([
    ['tobi', {}, 'name=tobi; Path=/'],
    ['', {}, 'name=; Path=/'],
    [1, {}, 'name=1; Path=/'],
    [false, {}, 'name=false; Path=/'],
    [{ a: 'b' }, {}, 'name=j%3A%7B%22a%22%3A%22b%22%7D; Path=/'],
    [[1], {}, 'name=j%3A%5B1%5D; Path=/'],
    [null, {}, 'name=j%3Anull; Path=/'],
    ['a b;\r\n', {}, 'name=a%20b%3B%0D%0A; Path=/'],
    ['a b', { encode: (value: string) => value.replace(' ', '+') }, 'name=a+b; Path=/'],
    ['x', { path: '/admin' }, 'name=x; Path=/admin'],
    ['x', { path: '' }, 'name=x'],
    ['x', { path: null }, 'name=x; Path=/'],
    ['x', { domain: 'example.org' }, 'name=x; Domain=example.org; Path=/'],
    ['x', { httpOnly: true, secure: true }, 'name=x; Path=/; HttpOnly; Secure'],
    ['x', { expires: new Date(1) }, 'name=x; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT'],
    ['x', { maxAge: null }, 'name=x; Path=/'],
    ['x', { maxAge: undefined }, 'name=x; Path=/'],
    ['x', { sameSite: true }, 'name=x; Path=/; SameSite=Strict'],
    ['x', { sameSite: 'Lax' }, 'name=x; Path=/; SameSite=Lax'],
    ['x', { sameSite: false }, 'name=x; Path=/'],
    ['x', { sameSite: 'none', secure: true }, 'name=x; Path=/; Secure; SameSite=None'],
    ['x', { partitioned: true, secure: true }, 'name=x; Path=/; Secure; Partitioned'],
    ['x', { priority: 'high' }, 'name=x; Path=/; Priority=High'],
    ['x', { name: 'other', value: 'y' }, 'name=x; Path=/'],
  ])('of %j with %j is %s', (value, options, line) => {
    expect(set('name', value, options)).toBe(line);
  });

  it.each([
    [1000, 1, 1000],
    [1999, 1, 1999],
    [0, 0, 0],
    [-1000, -1, -1000],
    ['2000', 2, 2000],
  ])('of maxAge %j has Max-Age=%i, and Expires for who does not know it', (maxAge, seconds, ms) => {
    const before = Date.now();
    const [, age, expires] = /^a=b; Max-Age=(-?\d+); Path=\/; Expires=(.*)$/.exec(set('a', 'b', { maxAge })) ?? [];
    expect(age).toBe(String(seconds));
    // A date in HTTP has whole seconds.
    expect(Date.parse(expires!)).toBeGreaterThan(before + ms - 1000);
    expect(Date.parse(expires!)).toBeLessThanOrEqual(Date.now() + ms);
  });

  it("has Express's signature", () => {
    const line = 'name=s%3Atobi.xJjV2iZ6EI7C8E5kzwbfA9PVLl1ZR07UTnuTgQQ4EnQ; Path=/';
    expect(set('name', 'tobi', { signed: true }, 'foo bar baz')).toBe(line);
  });

  it.each<[why: string, name: string, value: unknown, options: object]>([
    ['secret\\S+ required for signed cookies', 'a', 'x', { signed: true }],
    ['option maxAge is invalid', 'a', 'x', { maxAge: 'foobar' }],
    ['option maxAge is invalid', 'a', 'x', { maxAge: Number.POSITIVE_INFINITY }],
    ['option expires is invalid', 'a', 'x', { expires: new Date(Number.NaN) }],
    ['option expires is invalid', 'a', 'x', { expires: 1000 }],
    ['option expires is invalid', 'a', 'x', { maxAge: 1e20 }],
    ['option priority is invalid', 'a', 'x', { priority: 'foobar' }],
    ['option sameSite is invalid', 'a', 'x', { sameSite: 'foobar' }],
    ['option domain is invalid', 'a', 'x', { domain: 'a.org; Path=/' }],
    ['option path is invalid', 'a', 'x', { path: '/;\r\n' }],
    ['argument name is invalid', '', 'x', {}],
    ['argument name is invalid', 'a=b', 'x', {}],
    ['argument name is invalid', 'a\r\nb', 'x', {}],
    ['argument name is invalid', 'a;b', 'x', {}],
    ['argument val is invalid', 'a', 'x\r\ny', { encode: String }],
    ['argument val is invalid', 'a', 'x; Secure', { encode: String }],
    ['begins with __Host- requires { secure', '__Host-a', 'x', {}],
    ['begins with __Host- requires the path', '__Host-a', 'x', { secure: true, path: '/admin' }],
    ['begins with __Host- requires the path', '__Host-a', 'x', { secure: true, path: '' }],
    ['begins with __Host- requires the path', '__Host-a', 'x', { secure: true, domain: 'a.org' }],
    ['begins with __host- requires { secure', '__host-a', 'x', {}],
    ['begins with __Secure- requires { secure', '__Secure-a', 'x', {}],
    ["{ sameSite: 'none' } requires { secure", 'a', 'x', { sameSite: 'None' }],
    ['{ partitioned: true } requires { secure', 'a', 'x', { partitioned: true }],
    ['more than 4096 bytes', 'a', 'x'.repeat(4096), {}],
    ['more than 4096 bytes', 'a', 'x'.repeat(4096), { path: '' }],
    ['more than 4096 bytes', 'a', '\u00e9'.repeat(683), {}],
  ])('is refused: %s', (why, name, value, options) => {
    const told = why.includes('\\S') ? new RegExp(why) : why;
    expect(() => set(name, value, options)).toThrow(
      expect.objectContaining({ name: 'FcgiError', code: 'FCGI_ERR_ARGUMENT' }),
    );
    expect(() => set(name, value, options)).toThrow(told);
  });

  it.each([
    ['__Host-a', { secure: true }],
    ['__Secure-a', { secure: true, path: '/admin', domain: 'a.org' }],
    ['_Host-a', {}],
    ['a__Host-', {}],
  ])('of %s with %j is what its name promises', (name, options) => {
    expect(set(name, 'x', options)).toMatch(`${name}=x; `);
  });

  it('takes 4096 bytes of name and value', () => {
    expect(set('a', 'x'.repeat(4095))).toHaveLength('a='.length + 4095 + '; Path=/'.length);
  });
});

describe('res.clearCookie', () => {
  const GONE = 'Expires=Thu, 01 Jan 1970 00:00:00 GMT';

  it.each<[name: string, options: CookieOptions | undefined, line: string]>([
    ['sid', undefined, `sid=; Path=/; ${GONE}`],
    ['sid', { path: '/admin' }, `sid=; Path=/admin; ${GONE}`],
    ['sid', { maxAge: 1000 }, `sid=; Path=/; ${GONE}`],
    ['sid', { expires: new Date(2e12) }, `sid=; Path=/; ${GONE}`],
    ['sid', { domain: 'a.org', httpOnly: true }, `sid=; Domain=a.org; Path=/; ${GONE}; HttpOnly`],
    ['sid', { secure: true, sameSite: 'none' }, `sid=; Path=/; ${GONE}; Secure; SameSite=None`],
    ['__Host-sid', undefined, `__Host-sid=; Path=/; ${GONE}; Secure`],
    ['__Secure-sid', { path: '/a' }, `__Secure-sid=; Path=/a; ${GONE}; Secure`],
  ])('of %s with %j', async (name, options, line) => {
    expect(await lines((res) => res.clearCookie(name, options))).toEqual([line]);
  });

  it('refuses what a browser would not take as the same cookie', () => {
    expect(() => set('__Host-a', '', clearing('__Host-a', { secure: false }))).toThrow('requires { secure: true }');
  });
});
