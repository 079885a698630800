import { afterEach, expect, test, vi } from 'vitest';
import { Layer } from '../../src/core/layer.ts';
import type { Path } from '../../src/core/path.ts';
import { nextPosition, RouteIndex } from '../../src/core/route-index.ts';
import { Router } from '../../src/core/router.ts';
import { ask, servedRouter } from './served.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

function candidates(layers: Layer[], path: string): number[] {
  const lists = new RouteIndex(layers).find(path);
  const positions: number[] = [];
  for (let at = nextPosition(lists, -1); at < layers.length; at = nextPosition(lists, at)) positions.push(at);
  return positions;
}

function layersFor(end: boolean, ...paths: Path[]): Layer[] {
  return paths.map((path) => new Layer(path, { sensitive: false, strict: false, end }, () => {}));
}

test('names candidates in the order of registration, each once', () => {
  const layers = [
    ...layersFor(false, '/'),
    ...layersFor(true, '/users/:id', '/other', /^\/users/, ['/users/7', '/users/:id', '/{*rest}'], '/users/7'),
  ];
  expect(candidates(layers, '/users/7')).toEqual([0, 1, 3, 4, 5]);
});

test('leaves out routes with another segment or another number of segments', () => {
  const layers = layersFor(true, '/a', '/a/b', '/a/:x', '/a/b/c', '/b', '/:x');
  expect(candidates(layers, '/a/b')).toEqual([1, 2]);
  expect(candidates(layers, '/b')).toEqual([4, 5]);
});

test('finds the routes with and without each group of braces', () => {
  const layers = layersFor(true, '/users{/:id}', '/item{s}', '/{a/}{b/}c');
  expect(candidates(layers, '/users')).toEqual([0]);
  expect(candidates(layers, '/users/7')).toEqual([0]);
  expect(candidates(layers, '/items')).toEqual([1]);
  expect(candidates(layers, '/a/c')).toEqual([2]);
});

test('a path that does not begin with a slash is asked of every layer', () => {
  expect(candidates(layersFor(true, '/a', '/b'), '*')).toEqual([0, 1]);
});

/** mulberry32: the same numbers on every run. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

// Few and short, so that they often match; with letters whose case is not ASCII's, and with what percent-encoding leaves.
const SEGMENTS = [
  '',
  'a',
  'A',
  'b',
  'ab',
  'a-b',
  'a.b',
  '%61',
  '%2F',
  '%',
  'é',
  'É',
  'ß',
  'ς',
  'Σ',
  'ſ',
  'K',
  'k',
  'µ',
];
const PIECES = [
  ...SEGMENTS.slice(1),
  ':x',
  ':x-:y',
  ':x.:y',
  'a:x',
  ':x{b}',
  '*x',
  'a*x',
  '*x/b',
  '{a}',
  '{:x}',
  '\\:x',
  '\\/a',
];
const REGEXPS = [/^\/a/, /b$/, /^\/(?<x>[^/]+)\/b/i, /^(?!\/a)/];

test('leaves out no layer that matches: compared with a walk over all of them, for random patterns and paths', () => {
  const below = random(20261122);
  const one = <T>(of: readonly T[]): T => of[below(of.length)];
  const makePattern = (): Path => {
    if (below(20) === 0) return one(REGEXPS);
    if (below(20) === 0) return [makePattern(), makePattern()];
    let pattern = below(20) === 0 ? '' : '/';
    for (let segments = below(4); segments > 0; segments--) {
      const slash = below(8) === 0 ? '//' : '/';
      pattern +=
        below(5) === 0 ? `{${slash}${one(PIECES)}}` : one(PIECES) + (segments > 1 || below(4) === 0 ? slash : '');
    }
    return pattern;
  };
  const makeLayer = (): Layer => {
    for (;;) {
      const options = { sensitive: below(2) === 0, strict: below(2) === 0, end: below(3) > 0 };
      try {
        return new Layer(makePattern(), options, () => {});
      } catch {
        // Two parameters with nothing between them, and such.
      }
    }
  };
  const makePath = (): string => {
    let path = below(40) === 0 ? '' : '/';
    for (let segments = below(5); segments > 0; segments--)
      path += one(SEGMENTS) + (segments > 1 || below(3) === 0 ? '/' : '');
    return path;
  };
  const matches = (layer: Layer, path: string): boolean => {
    try {
      return layer.match(path) !== undefined;
    } catch {
      return true; // A parameter that cannot be decoded is an answer, too.
    }
  };

  let matched = 0;
  for (let round = 0; round < 60; round++) {
    const layers = Array.from({ length: 40 }, makeLayer);
    for (let i = 0; i < 50; i++) {
      const path = makePath();
      const walked = layers.flatMap((layer, position) => (matches(layer, path) ? [position] : []));
      const indexed = candidates(layers, path).filter((position) => matches(layers[position], path));
      const lost = walked.filter((position) => !indexed.includes(position)).map((position) => layers[position]);
      expect(
        lost.map(({ path, options }) => ({ path, ...options })),
        path,
      ).toEqual([]);
      expect(indexed).toEqual(walked);
      matched += walked.length;
    }
  }
  expect(matched).toBeGreaterThan(5_000);
});

async function attempts(routes: number): Promise<number> {
  const router = new Router();
  router.use((_req, _res, next) => next());
  for (let i = 0; i < routes; i++) router.get(`/api/v1/things${i}/:id{/:part}`, (_req, res) => res.end(String(i)));
  router.use('/api', (_req, _res, next) => next());
  for (let i = 0; i < routes; i++) router.get(`/api/v1/static${i}`, (_req, res) => res.end(String(i)));
  const origin = await servedRouter(router);
  const match = vi.spyOn(Layer.prototype, 'match');
  expect(await ask(origin, `/api/v1/static${routes - 1}`)).toBe(`200 ${routes - 1}`);
  expect(await ask(origin, `/api/v1/things${routes - 1}/7`)).toBe(`200 ${routes - 1}`);
  expect(await ask(origin, '/api/v1/nothing')).toBe('404 not found');
  const { length } = match.mock.calls;
  match.mockRestore();
  return length;
}

test('the number of layers asked does not grow with the number of routes', async () => {
  const ofTen = await attempts(10);
  expect(ofTen).toBe(7); // 3 + 2 + 2: each time the middleware before what answers, and that.
  expect(await attempts(1000)).toBe(ofTen);
});
