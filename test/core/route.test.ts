import { expect, test } from 'vitest';
import { Route } from '../../src/core/route.ts';
import { Router } from '../../src/core/router.ts';
import type { ErrorHandler, Handler } from '../../src/core/types.ts';
import { ask, servedRouter } from './served.ts';

const pass: Handler = (_req, _res, next) => next();
const fail: Handler = (_req, _res, next) => next('bad');

test('runs the handlers of the method and those for all, in the order they were added', async () => {
  const add = (letter: string): Handler => {
    return (_req, res, next) => {
      res.setHeader('X-Way', `${res.getHeader('X-Way') ?? ''}${letter}`);
      next();
    };
  };
  const router = Router();
  router
    .route('/')
    .all(add('a'))
    .get(add('b'), [add('c')])
    .post(add('d'))
    .all([[add('e')], add('f')], (_req, res) => res.end(res.getHeader('X-Way')));
  const origin = await servedRouter(router);
  expect(await ask(origin, '/')).toBe('200 abcef');
  expect(await ask(origin, '/', 'POST')).toBe('200 adef');
  expect(await ask(origin, '/', 'PUT')).toBe('200 aef');
});

test('an error goes to its own error handlers first, then to the router’s', async () => {
  const explain: ErrorHandler = (error, _req, _res, next) => next(`${error} explained`);
  const handled: ErrorHandler = (error, _req, res, _next) => res.end(`handled ${error}`);
  const router = Router();
  router.get('/here', fail, pass, explain);
  router.get('/there', explain, async () => Promise.reject('bad'));
  router.get('/handled', fail, handled);
  const origin = await servedRouter(router);
  expect(await ask(origin, '/here')).toBe('500 bad explained');
  expect(await ask(origin, '/there')).toBe('500 bad');
  expect(await ask(origin, '/handled')).toBe('200 handled bad');
});

test.each([
  ['one handler', []],
  ['several', [pass]],
])("next('route') leaves the route and next('router') the router, with %s", async (_with, before) => {
  const inner = Router();
  inner.get('/route', before, (_req, _res, next) => next('route'));
  inner.get('/router', before, (_req, _res, next) => next('router'));
  inner.get('/{*rest}', (_req, res) => res.end('inner'));
  const router = Router()
    .use(inner)
    .use((_req, res) => res.end('outer'));
  const origin = await servedRouter(router);
  expect(await ask(origin, '/route')).toBe('200 inner');
  expect(await ask(origin, '/router')).toBe('200 outer');
});

test('a route without handlers for the request passes on', async () => {
  const router = Router();
  router.route('/');
  router.get('/', ((_error, _req, res, _next) => res.end('for errors only')) as ErrorHandler);
  router.use((req, res) => res.end(String(req.route === undefined)));
  expect(await ask(await servedRouter(router), '/', 'POST')).toBe('200 true');
  expect(await ask(await servedRouter(router), '/')).toBe('200 false');
});

test('is on the request while it runs', async () => {
  const router = Router();
  router.get(['/a/:b', '/c'], (req, res) => res.end(String((req.route as Route).path)));
  expect(await ask(await servedRouter(router), '/c')).toBe('200 /a/:b,/c');
});

test('knows the methods it handles, for an Allow header', () => {
  const route = new Route('/').get(pass).post(pass);
  expect(route.allowed()).toEqual(['GET', 'POST', 'HEAD']);
  expect(['get', 'head', 'post', 'put', 'constructor'].filter((verb) => route.handles(verb))).toEqual([
    'get',
    'head',
    'post',
  ]);
  expect(new Route('/').all(pass).handles('anything')).toBe(true);
});

test('what is no handler is refused', () => {
  const route = new Route('/');
  expect(() => route.get()).toThrow(expect.objectContaining({ code: 'FCGI_ERR_HANDLER' }));
  expect(() => route.all([])).toThrow(/argument handler is required/);
  expect(() => Reflect.apply(route.post, route, [pass, 'x'])).toThrow(/argument handler must be a function/);
  expect(route.stack).toEqual([]);
});
