import { match } from 'path-to-regexp';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { FcgiError } from '../../src/core/errors.ts';
import { compilePath, originOf, type Path, pathOf, type RouteParams } from '../../src/core/path.ts';

const ROUTE = { sensitive: false, strict: false, end: true };
const MOUNT = { sensitive: false, strict: false, end: false };

describe('RouteParams', () => {
  test('knows parameters, wildcards and what is optional', () => {
    expectTypeOf<RouteParams<'/users/:id'>>().toEqualTypeOf<{ id: string }>();
    expectTypeOf<RouteParams<'/:from-:to.:ext'>>().toEqualTypeOf<{ from: string; to: string; ext: string }>();
    expectTypeOf<RouteParams<'/files/*path'>>().toEqualTypeOf<{ path: string[] }>();
    expectTypeOf<RouteParams<'/users{/:id}/x{/y/*rest}'>>().toEqualTypeOf<{ id?: string; rest?: string[] }>();
    expectTypeOf<RouteParams<'/{a{/:x}/:y}/:z'>>().toEqualTypeOf<{ x?: string; y?: string; z: string }>();
    expectTypeOf<RouteParams<'/:"two words"/\\:not/:$_1'>>().toEqualTypeOf<{ 'two words': string; $_1: string }>();
    expectTypeOf<keyof RouteParams<'/plain'>>().toEqualTypeOf<never>();
    expectTypeOf<RouteParams<string>>().toEqualTypeOf<Record<string, string | string[]>>();
  });
});

describe('compilePath', () => {
  test.each<[Path, string, object | undefined]>([
    ['/', '/', {}],
    ['/', '/a', undefined],
    ['/users/:id', '/users/7', { id: '7' }],
    ['/users/:id', '/USERS/7/', { id: '7' }],
    ['/users/:id', '/users/', undefined],
    ['/users/:id', '/users/a%2Fb%20c', { id: 'a/b c' }],
    ['/files/*path', '/files/a/b%2Fc', { path: ['a', 'b/c'] }],
    ['/files/*path', '/files', undefined],
    ['/files{/*path}', '/files', {}],
    ['/:from-:to', '/1-2', { from: '1', to: '2' }],
    ['/escaped\\*', '/escaped*', {}],
    ['/plain', '/plain/', {}],
    ['/plain', '/PLAIN', {}],
    ['/plain', '/plainer', undefined],
    [['/a', '/b/:id'], '/b/1', { id: '1' }],
    [/^\/(\d+)\/(?<name>[^/)(]+)\\?(x)?$/, '/12/a%20b', { 0: '12', name: 'a b' }],
    [/^\/(?:a|b)[(](c)\(?/g, '/a(c', { 0: 'c' }],
  ])('%s of %s gives %j', (path, input, params) => {
    const matcher = compilePath(path, ROUTE);
    for (let again = 0; again < 2; again++) expect(matcher(input)?.params).toEqual(params);
  });

  test.each([
    ['/', '/any/thing', ''],
    ['/api', '/api', '/api'],
    ['/api', '/api/x', '/api'],
    ['/api/', '/API/x', '/API'],
    ['/api', '/apis', undefined],
    ['/:v', '/1/x', '/1'],
    ['/a{/b}', '/a/b/c', '/a/b'],
  ])('a mount on %s takes of %s the part %s', (path, input, part) => {
    expect(compilePath(path, MOUNT)(input)?.path).toBe(part);
  });

  test('case and the last slash count where they shall', () => {
    expect(compilePath('/a', { ...ROUTE, sensitive: true })('/A')).toBeUndefined();
    expect(compilePath('/a', { ...ROUTE, strict: true })('/a/')).toBeUndefined();
    expect(compilePath('/a/', { ...ROUTE, strict: true })('/a')).toBeUndefined();
    expect(compilePath('/a/', { ...ROUTE, strict: true })('/a/')).toBeDefined();
  });

  test('parameters inherit nothing', () => {
    const params = compilePath('/:id', ROUTE)('/1')?.params;
    expect(params?.constructor).toBeUndefined();
    expect('toString' in (params as object)).toBe(false);
  });

  test('a parameter that is not percent-encoding is the client’s error', () => {
    expect(() => compilePath('/:id', ROUTE)('/%zz')).toThrow(
      expect.objectContaining({ code: 'FCGI_ERR_BAD_REQUEST', status: 400, message: "Failed to decode param '%zz'" }),
    );
  });

  test('agrees with path-to-regexp wherever it takes a short way', () => {
    const patterns = [
      '/',
      '/a',
      '/a/',
      '/a/b',
      '/a\\:b',
      '/%61',
      '/é',
      '',
      'a',
      '{/a}',
      '/{a}',
      '/a//b',
      '/:x',
      '/a/:x',
      '/*x',
    ];
    const inputs = [
      '/',
      '//',
      '',
      'a',
      '/a',
      '/A',
      '/a/',
      '/a//',
      '/ab',
      '/a/b',
      '/a/B/',
      '/a/bc',
      '/a:b',
      '/a//b',
      '/%61',
      '/É',
      '/b',
    ];
    for (const pattern of patterns) {
      for (const end of [true, false]) {
        if (pattern === '/' && !end) continue; // Express mounts it everywhere.
        for (const sensitive of [true, false]) {
          const reference = match(pattern, { end, sensitive, trailing: false });
          const loose = match(pattern === '/' ? pattern : pattern.replace(/\/+$/, ''), { end, sensitive });
          for (const input of inputs) {
            const said = `${pattern} of ${input}, ${end ? 'route' : 'mount'}, ${sensitive ? 'sensitive' : 'insensitive'}`;
            const strict = compilePath(pattern, { sensitive, end, strict: true })(input);
            expect(strict?.params, said).toEqual((reference(input) || undefined)?.params);
            const found = compilePath(pattern, { sensitive, end, strict: false })(input);
            const expected = loose(input) || undefined;
            expect(found?.params, said).toEqual(expected?.params);
            expect(found?.path.replace(/\/$/, ''), said).toBe(expected?.path.replace(/\/$/, ''));
          }
        }
      }
    }
  });

  test.each([
    ['*', "'/{*rest}'"],
    ['/*', "'/*rest'"],
    ['/(.*)', "'/*rest'"],
    ['(.*)', "'/{*rest}'"],
    ['/files/*', "'/files/*rest'"],
    ['/files/*.txt', "'/files/*rest.txt'"],
    ['/users/:id?', "'/users{/:id}'"],
    ['/:id?', "'{/:id}'"],
    ['/v:major?', "'/v{:major}'"],
    ['/files/:path*', "'/files{/*path}'"],
    ['/files/:path+', "'/files/*path'"],
    ['/files/:path(.*)', "'/files/*path'"],
    ['/users/:id(\\d+)', "'/users/:id'"],
    ['/colou?r', "'/colo{u}r'"],
  ])('%s is refused with what to write instead: %s', (path, written) => {
    const refused = expect.objectContaining({
      code: 'FCGI_ERR_ROUTE_PATH',
      message: expect.stringContaining(`Write ${written} instead`),
    });
    expect(() => compilePath(path, ROUTE)).toThrow(refused);
    expect(compilePath(written.slice(1, -1), ROUTE)).toBeTypeOf('function');
  });

  test.each(['/a(b|c)', '/[ab]', '/:', '/a+', '/{a', '/a!', '/:a:b', '/\\'])('%s is refused with its fault', (path) => {
    expect(() => compilePath(path, ROUTE)).toThrow(FcgiError);
    expect(() => compilePath(path, ROUTE)).toThrow(/ at index \d+|Missing text before .*give a RegExp/);
  });

  test.each([[undefined], [7], [null], [{}]])('%s is no path', (path) => {
    expect(() => compilePath(path as unknown as Path, ROUTE)).toThrow(/string, a RegExp or an array/);
  });
});

test.each([
  ['/a/b?c=/d', '/a/b'],
  ['/a#b', '/a'],
  ['http://example.com/a?b', '/a'],
  ['http://example.com', '/'],
  ['http://example.com?a', '/'],
  ['*', '*'],
  ['/a?b=http://c/d', '/a'],
  ['?a', undefined],
  ['', undefined],
  [undefined, undefined],
])('the path of the target %s is %s', (url, path) => {
  expect(pathOf(url, originOf(url))).toBe(path);
});
