import { expect, test } from 'vitest';
import { Layer } from '../../src/core/layer.ts';
import { Route } from '../../src/core/route.ts';

const options = { sensitive: false, strict: false, end: true };

test('matches its path, anew each time', () => {
  const layer = new Layer('/users/:id', options, () => {});
  const [one, two] = [layer.match('/users/1'), layer.match('/users/2')];
  expect(one).toMatchObject({ path: '/users/1', params: { id: '1' } });
  expect(two).toMatchObject({ path: '/users/2', params: { id: '2' } });
  expect(layer.match('/users')).toBeUndefined();
  const plain = new Layer('/', { ...options, end: false }, () => {});
  expect(plain.match('/')?.params).not.toBe(plain.match('/')?.params);
});

test('matches the first of several paths', () => {
  const layer = new Layer(['/:a', ['/x/:b', /^\/(\d+)\/y/]], options, () => {});
  expect(['/1', '/x/2', '/3/y'].map((path) => ({ ...layer.match(path)?.params }))).toEqual([
    { a: '1' },
    { b: '2' },
    { 0: '3' },
  ]);
});

test('shows what it was made of', () => {
  const route = new Route('/a');
  const layer = new Layer('/a', options, function named() {}, route);
  expect([layer.path, layer.name, layer.route]).toEqual(['/a', 'named', route]);
  expect(new Layer('/a', options, () => {}).name).toBe('<anonymous>');
});
