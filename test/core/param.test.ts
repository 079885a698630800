import { expect, test } from 'vitest';
import { Router } from '../../src/core/router.ts';
import type { Handler } from '../../src/core/types.ts';
import { ask, servedRouter } from './served.ts';

const show: Handler = (req, res) => res.end(JSON.stringify(req.params));
const pass: Handler = (_req, _res, next) => next();

test('is called once for each value, in the order of the path, before the handlers', async () => {
  const calls: string[] = [];
  const router = Router();
  for (const name of ['a', 'b']) {
    router.param(name, (_req, _res, next, value, of) => {
      calls.push(`${of}=${value}`);
      next();
    });
  }
  router.use('/:b', pass);
  router.get('/:a/:b', pass);
  router.get('/:b/:a', show);
  expect(await ask(await servedRouter(router), '/1/2')).toBe('200 {"b":"1","a":"2"}');
  expect(calls).toEqual(['b=1', 'a=1', 'b=2', 'b=1', 'a=2']);
  calls.length = 0;
  expect(await ask(await servedRouter(router), '/1/1')).toBe('200 {"b":"1","a":"1"}');
  expect(calls).toEqual(['b=1', 'a=1']);
});

test('a value put in its place is seen by every later handler', async () => {
  const router = Router();
  router.param('user', (req, _res, next, id) => {
    req.params.user = `user ${id}`;
    setImmediate(next);
  });
  router.get('/:user', pass);
  router.get('/:user', show);
  expect(await ask(await servedRouter(router), '/7')).toBe('200 {"user":"user 7"}');
});

test.each<[string, (next: (error?: unknown) => void) => unknown]>([
  ['passed on', (next) => next(new Error('no such user'))],
  [
    'thrown',
    () => {
      throw new Error('no such user');
    },
  ],
  ['rejected', async () => Promise.reject(new Error('no such user'))],
])('an error %s reaches the error handlers, and no other route with the parameter runs', async (_how, fail) => {
  const router = Router();
  let calls = 0;
  router.param('user', (_req, _res, next) => {
    calls++;
    return fail(next);
  });
  router.param('user', () => calls++);
  router.get('/:user', show);
  router.get('/:user', show);
  expect(await ask(await servedRouter(router), '/7')).toBe('500 no such user');
  expect(calls).toBe(1);
});

test("next('route') passes over the routes with that value", async () => {
  const router = Router();
  router.param('id', (_req, _res, next, id) => next(id === '0' ? 'route' : undefined));
  router.get('/:id', show);
  router.get('/:other', (_req, res) => res.end('other'));
  const origin = await servedRouter(router);
  expect(await ask(origin, '/0')).toBe('200 other');
  expect(await ask(origin, '/1')).toBe('200 {"id":"1"}');
});

test('belongs to its router: others’ parameters of the name do not call it', async () => {
  const router = Router();
  router.param('id', (_req, _res, next) => next('called'));
  router.use(Router().get('/:id', show));
  expect(await ask(await servedRouter(router), '/1')).toBe('200 {"id":"1"}');
});

test('what is no name and no handler is refused', () => {
  const { param } = Router();
  expect(() => Reflect.apply(param, Router(), [])).toThrow(/argument name is required/);
  expect(() => Reflect.apply(param, Router(), [42])).toThrow(/argument name must be a string/);
  expect(() => Reflect.apply(param, Router(), ['id'])).toThrow(/argument fn is required/);
  expect(() => Reflect.apply(param, Router(), ['id', 42])).toThrow(/argument fn must be a function/);
});
