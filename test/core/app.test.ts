import http from 'node:http';
import { afterEach, describe, expect, expectTypeOf, test, vi } from 'vitest';
import { createApp } from '../../src/core/app.ts';
import { Request } from '../../src/core/request.ts';
import { Response } from '../../src/core/response.ts';
import { Router } from '../../src/core/router.ts';
import type { ErrorHandler, Handler } from '../../src/core/types.ts';
import { ask, listen, served } from './served.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

test('answers with its routes, 404 for what has none, and errors as pages', async () => {
  const app = createApp({ env: 'test' });
  app.get('/hello/:name', (req, res) => res.end(`Hello ${req.params.name}`));
  app.post('/fail', async () => Promise.reject(Object.assign(new Error('no'), { status: 403 })));
  const origin = await served(app);
  expect(await ask(origin, '/hello/you')).toBe('200 Hello you');
  expect(await ask(origin, '/other')).toMatch(/^404 .*Cannot GET \/other/s);
  expect(await ask(origin, '/fail', 'POST')).toMatch(/^403 .*Error: no/s);
});

test('has every method of a router', async () => {
  const app = createApp();
  const end: Handler = (req, res) => res.end(`${req.method} ${JSON.stringify(req.params)}`);
  app.param(['a', 'b'], (req, _res, next, value, name) => {
    req.params[name] = `<${value}>`;
    next();
  });
  app.all('/all', end).route('/route').get(end).delete(end);
  app['m-search']('/search', end).put('/:a/:b', [end]);
  const origin = await served(app);
  expect(await ask(origin, '/all', 'PATCH')).toBe('200 PATCH {}');
  expect(await ask(origin, '/route', 'DELETE')).toBe('200 DELETE {}');
  expect(await ask(origin, '/search', 'M-SEARCH')).toBe('200 M-SEARCH {}');
  expect(await ask(origin, '/1/2', 'PUT')).toBe('200 PUT {"a":"<1>","b":"<2>"}');
  expect(await ask(origin, '/route', 'OPTIONS')).toBe('200 DELETE, GET, HEAD');
});

test('puts itself, the pair and the locals where handlers look for them', async () => {
  const app = createApp();
  app.get('/', (req, res) => {
    const seen = [
      req.app === app,
      res.app === app,
      req.res === res,
      res.req === req,
      Object.getPrototypeOf(res.locals),
    ];
    res.end(JSON.stringify(seen));
  });
  expect(await ask(await served(app), '/')).toBe('200 [true,true,true,true,null]');
});

describe('settings', () => {
  test('have Express’s defaults, and are what is given, set, enabled and disabled', () => {
    vi.stubEnv('NODE_ENV', 'staging');
    const app = createApp({ 'my setting': 1 });
    expect(app.get('env')).toBe('staging');
    expect(app.set('trust proxy', true)).toBe(app);
    expect(app.get('trust proxy fn')).toBeTypeOf('function');
    expect([app.get('my setting'), app.set('my setting'), app.settings['my setting']]).toEqual([1, 1, 1]);
    expect(app.enable('x').enabled('x')).toBe(true);
    expect(app.disable('x').disabled('x')).toBe(true);
    expect(app.locals.settings).toBe(app.settings);
    expect(app.get('hasOwnProperty')).toBeUndefined();
  });

  test('say how routes are told apart, as they are when the first is added', async () => {
    const app = createApp();
    app.enable('case sensitive routing').enable('strict routing');
    app.get('/a', (_req, res) => res.end('a'));
    const origin = await served(app);
    expect(await ask(origin, '/a')).toBe('200 a');
    expect(await ask(origin, '/A')).toMatch(/^404/);
    expect(await ask(origin, '/a/')).toMatch(/^404/);
  });

  test('are inherited by a mounted application, trust proxy unless it has set its own', () => {
    const parent = createApp({ title: 'parent', 'trust proxy': true });
    const [plain, own] = [createApp(), createApp({ 'trust proxy': false, title: 'own' })];
    parent.use(plain).use(own);
    expect([plain.get('title'), plain.get('trust proxy')]).toEqual(['parent', true]);
    expect(plain.get('trust proxy fn')).toBe(parent.get('trust proxy fn'));
    expect([own.get('title'), own.get('trust proxy')]).toEqual(['own', false]);
    parent.set('later', 'seen');
    expect(plain.get('later')).toBe('seen');
  });
});

describe('a mounted application', () => {
  test('knows its parent and path, and is told', () => {
    const [parent, blog, admin] = [createApp(), createApp(), createApp()];
    const parents: unknown[] = [];
    admin.on('mount', (by) => parents.push(by));
    parent.use('/blog', blog);
    blog.use('/admin', admin);
    expect(parents).toEqual([blog]);
    expect([parent.path(), blog.path(), admin.path()]).toEqual(['', '/blog', '/blog/admin']);
    expect([parent.mountpath, admin.mountpath, admin.parent === blog]).toEqual(['/', '/admin', true]);
  });

  test('is req.app while inside, and its parent is again behind it', async () => {
    const [parent, child] = [createApp({ name: 'parent' }), createApp({ name: 'child' })];
    const name: Handler = (req, res, next) => {
      res.setHeader('X-Names', `${res.getHeader('X-Names') ?? ''} ${req.app.settings.name} ${res.app.settings.name}`);
      next(req.url === '/fail' ? 'failed' : undefined);
    };
    const named: ErrorHandler = (_error, req, res, _next) => name(req, res, () => res.end(res.getHeader('X-Names')));
    child.use(name);
    parent.use('/x', child, name, (_req, res) => res.end(res.getHeader('X-Names'))).use(named);
    const origin = await served(parent);
    expect(await ask(origin, '/x')).toBe('200  child child parent parent');
    expect(await ask(origin, '/x/fail')).toBe('200  child child parent parent');
  });

  test('passes on what it does not answer, and its errors', async () => {
    const child = createApp();
    child.get('/fail', () => {
      throw 'failed';
    });
    const caught: ErrorHandler = (error, req, res, _next) => res.end(`${error} ${req.url}`);
    const parent = createApp();
    parent.use('/x', child, (req, res) => res.end(`passed ${req.url}`));
    parent.use(caught);
    const origin = await served(parent);
    expect(await ask(origin, '/x/y')).toBe('200 passed /y');
    expect(await ask(origin, '/x/fail')).toBe('200 failed /x/fail');
  });
});

test('mounts routers, arrays and plain middleware alike', async () => {
  const app = createApp();
  const plain = (req: http.IncomingMessage, _res: http.ServerResponse, next: () => void) => {
    req.headers['x-seen'] = 'plain';
    next();
  };
  app.use(['/a', '/b'], [plain, [Router().get('/c', (req, res) => res.end(`${req.get('x-seen')} ${req.baseUrl}`))]]);
  const origin = await served(app);
  expect(await ask(origin, '/a/c')).toBe('200 plain /a');
  expect(await ask(origin, '/b/c')).toBe('200 plain /b');
  expect(() => Reflect.apply(app.use, app, ['/'])).toThrow(/argument handler is required/);
});

test('serves plain node:http and, through listen, with its own request and response', async () => {
  const app = createApp();
  app.get('/', (req, res) => res.end(String(req instanceof Request && res instanceof Response)));
  expect(await ask(await listen(http.createServer(app)), '/')).toBe('200 true');
  const server = http.createServer();
  const port = await new Promise<number>((resolve) => {
    const listening = app.listen(0, '127.0.0.1', () => resolve((listening.address() as { port: number }).port));
    server.once('close', () => listening.close());
  });
  expect(await ask(`http://127.0.0.1:${port}`, '/')).toBe('200 true');
  const error = await new Promise((resolve) => app.listen(port, '127.0.0.1', resolve as () => void));
  expect(error).toMatchObject({ code: 'EADDRINUSE' });
  server.emit('close');
});

test('types: a setting with one argument, a route with more', () => {
  const app = createApp();
  expectTypeOf(app.get('env')).toBeUnknown();
  expectTypeOf(app.get('/:id', (req) => req.params.id.length)).toEqualTypeOf(app);
  expectTypeOf(app.use('/:id', (req, _res, next) => next(req.params.id.length))).toEqualTypeOf(app);
  expect(app.router.stack).toHaveLength(2);
});
