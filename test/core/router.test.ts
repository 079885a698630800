import { METHODS } from 'node:http';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { Router } from '../../src/core/router.ts';
import type { ErrorHandler, Handler } from '../../src/core/types.ts';
import { ask, servedRouter } from './served.ts';

/** Says what it sees, and ends the request. */
const show: Handler = (req, res) => res.end(`${req.method} ${req.baseUrl}|${req.url} ${JSON.stringify(req.params)}`);

/** Leaves its mark in the answer's header `X-Way`, and passes on. */
function mark(name: string): Handler {
  return (_req, res, next) => {
    res.setHeader('X-Way', `${res.getHeader('X-Way') ?? ''}${name}`);
    next();
  };
}

/** Gives an error handler its parameters' types, which `use` cannot. */
const caught = (handler: ErrorHandler) => handler;

const way: Handler = (_req, res) => res.end(res.getHeader('X-Way'));

test('is a function, made with or without new', () => {
  expect(Router()).toBeTypeOf('function');
  expect(new Router()).toBeInstanceOf(Router);
  expect(Router()).toBeInstanceOf(Function);
});

test('runs handlers in the order of registration, between few routes and between many', async () => {
  for (const others of [0, 100]) {
    const router = Router();
    router.use(mark('a'));
    for (let i = 0; i < others; i++) router.get(`/other/${i}`, mark('x'));
    router.get('/x', mark('b'));
    router.use('/x', mark('c'));
    router.get(['/y', /^\/x$/], mark('d'));
    router.use([mark('e'), [mark('f')]], mark('g'));
    for (let i = 0; i < others; i++) router.use(`/other/${i}`, mark('x'));
    router.get('/:any', way);
    const origin = await servedRouter(router);
    expect(await ask(origin, '/x')).toBe('200 abcdefg');
    expect(await ask(origin, '/z')).toBe('200 aefg');
  }
});

test.each(METHODS.filter((method) => method !== 'CONNECT' && method !== 'HEAD'))(
  '%s has its method, and no other answers it',
  async (method) => {
    const verb = method.toLowerCase() as 'get';
    const origin = await servedRouter(Router()[verb]('/', show).all('/all', show));
    expect(await ask(origin, '/', method)).toBe(`200 ${method} |/ {}`);
    expect(await ask(origin, '/all', method)).toBe(`200 ${method} |/all {}`);
    expect(await ask(origin, '/', method === 'GET' ? 'POST' : 'GET')).toBe('404 not found');
  },
);

test('HEAD is answered by GET, unless it has its own', async () => {
  const router = Router();
  router.get('/get', (req, res) => res.end(req.method));
  router.head('/head', (_req, res) => res.writeHead(204).end());
  router.get('/head', (_req, res) => res.end());
  const origin = await servedRouter(router);
  expect(await ask(origin, '/get', 'HEAD')).toBe('200');
  expect(await ask(origin, '/head', 'HEAD')).toBe('204');
});

describe('OPTIONS', () => {
  test('is answered with the methods of all routes that match', async () => {
    const router = Router();
    router.get('/x', show).post('/:any', show).put('/y', show).get('/:any', show);
    const origin = await servedRouter(router);
    const answer = await fetch(`${origin}/x`, { method: 'OPTIONS' });
    expect([answer.status, answer.headers.get('allow'), await answer.text()]).toEqual([
      200,
      'GET, HEAD, POST',
      'GET, HEAD, POST',
    ]);
    expect(await ask(origin, '/a/b', 'OPTIONS')).toBe('404 not found');
  });

  test('goes to a route for it, to middleware, and to errors first', async () => {
    const router = Router();
    router.get('/own', show).options('/own', show);
    router.get('/used', show).use('/used', show);
    router.get('/bad', show).use('/bad', (_req, _res, next) => next(new Error('refused')));
    const origin = await servedRouter(router);
    expect(await ask(origin, '/own', 'OPTIONS')).toBe('200 OPTIONS |/own {}');
    expect(await ask(origin, '/used', 'OPTIONS')).toBe('200 OPTIONS /used|/ {}');
    expect(await ask(origin, '/bad', 'OPTIONS')).toBe('500 refused');
  });
});

describe('mounting', () => {
  test.each([
    ['/api', '200 GET /api|/ {}'],
    ['/api/', '200 GET /api|/ {}'],
    ['/api/x?y=/api', '200 GET /api|/x?y=/api {}'],
    ['/api?y', '200 GET /api|/?y {}'],
    ['/API//x', '200 GET /API|//x {}'],
    ['/apis', '404 not found'],
    ['http://host.test/api/x', '200 GET /api|http://host.test/x {}'],
    ['http://host.test/api', '200 GET /api|http://host.test {}'],
  ])('takes its prefix off %s', async (target, answer) => {
    expect(await ask(await servedRouter(Router().use('/api', show)), target)).toBe(answer);
  });

  test('takes off a prefix with parameters, a regular expression’s only where it is whole segments', async () => {
    const router = Router();
    router.use('/v/:version', show);
    router.use(/^\/re?x?/, show);
    router.use(/in/, show);
    const origin = await servedRouter(router);
    expect(await ask(origin, '/v/1/x')).toBe('200 GET /v/1|/x {"version":"1"}');
    expect(await ask(origin, '/rex/y')).toBe('200 GET /rex|/y {}');
    expect(await ask(origin, '/rexy')).toBe('404 not found');
    expect(await ask(origin, '/within')).toBe('404 not found');
  });

  test('routers within routers see their part of the path, and it is whole again behind them', async () => {
    const inner = Router().use('/b', (req, res, next) => {
      res.setHeader('X-Inner', `${req.baseUrl}|${req.url}|${req.originalUrl}`);
      next();
    });
    const router = Router().use('/a', Router().use(inner)).use(show);
    const answer = await fetch(`${await servedRouter(router)}/a/b/c?d`);
    expect(answer.headers.get('x-inner')).toBe('/a/b|/c?d|/a/b/c?d');
    expect(await answer.text()).toBe('GET |/a/b/c?d {}');
  });

  test('a url changed within a mount is matched on, with the prefix', async () => {
    const router = Router();
    router.use('/a', (req, _res, next) => {
      req.url = '/z';
      next();
    });
    router.get('/a/z', show);
    for (let i = 0; i < 20; i++) router.get(`/${i}`, show);
    expect(await ask(await servedRouter(router), '/a/b')).toBe('200 GET |/a/z {}');
  });

  test('parameters of the parent are seen with mergeParams only, and one’s own win', async () => {
    const mount = (mergeParams: boolean) => Router().use('/:a/:b', Router({ mergeParams }).get('/:b', show));
    expect(await ask(await servedRouter(mount(false)), '/1/2/3')).toBe('200 GET /1/2|/3 {"b":"3"}');
    expect(await ask(await servedRouter(mount(true)), '/1/2/3')).toBe('200 GET /1/2|/3 {"a":"1","b":"3"}');
  });

  test('numbered parameters of regular expressions follow the parent’s with mergeParams', async () => {
    const router = Router().use(/^\/(\d+)-(\d+)/, Router({ mergeParams: true }).get(/^\/(\d+)/, show));
    expect(await ask(await servedRouter(router), '/1-2/3')).toBe('200 GET /1-2|/3 {"0":"1","1":"2","2":"3"}');
  });
});

test('case and the last slash are told apart with the options for it', async () => {
  const loose = await servedRouter(Router().get('/a', show));
  expect([await ask(loose, '/A'), await ask(loose, '/a/')]).toEqual(['200 GET |/A {}', '200 GET |/a/ {}']);
  const strict = await servedRouter(Router({ strict: true, caseSensitive: true }).get('/a', show));
  expect([await ask(strict, '/A'), await ask(strict, '/a/')]).toEqual(['404 not found', '404 not found']);
});

describe('errors', () => {
  test('skip to the next handler with four parameters, which may pass on without them', async () => {
    const router = Router();
    router.use(caught((_error, _req, _res, next) => next())); // Nothing went wrong yet.
    router.get('/', () => {
      throw new Error('thrown');
    });
    router.use(mark('x'));
    router.get('/', mark('y'));
    router.use(
      '/elsewhere',
      caught((_error, _req, res, _next) => res.end('elsewhere')),
    );
    router.use(
      caught((error, _req, res, next) => {
        res.setHeader('X-Error', String(error));
        next();
      }),
    );
    router.use(mark('a'), way);
    const answer = await fetch(await servedRouter(router));
    expect([answer.headers.get('x-error'), await answer.text()]).toEqual(['Error: thrown', 'a']);
  });

  test('may be passed on, replaced and thrown again by error handlers', async () => {
    const router = Router();
    router.use((_req, _res, next) => next('one'));
    router.use(caught((error, _req, _res, next) => next(`${error} two`)));
    router.use(
      caught((error, _req, _res, _next) => {
        throw `${error} three`;
      }),
    );
    router.use(caught(async (error, _req, _res, _next) => Promise.reject(`${error} four`)));
    expect(await ask(await servedRouter(router), '/')).toBe('500 one two three four');
  });

  test.each([
    ['an error', new Error('rejected'), '500 rejected'],
    ['nothing', undefined, '500 Rejected promise'],
  ])('a promise rejected with %s is one', async (_of, reason, answer) => {
    const origin = await servedRouter(
      Router()
        .get('/', async () => Promise.reject(reason))
        .use('/use', async () => Promise.reject(reason)),
    );
    expect(await ask(origin, '/')).toBe(answer);
    expect(await ask(origin, '/use')).toBe(answer);
  });

  test('a parameter that cannot be decoded is one of status 400', async () => {
    const origin = await servedRouter(Router().get('/:id', show));
    expect(await ask(origin, '/%zz')).toBe("400 Failed to decode param '%zz'");
  });
});

test("next('router') leaves the router, next('route') goes to its next layer", async () => {
  const inner = Router();
  inner.use('/router', (_req, _res, next) => next('router'));
  inner.use('/route', (_req, _res, next) => next('route'));
  inner.use((_req, res) => res.end('inner'));
  const origin = await servedRouter(
    Router()
      .use(inner)
      .use((_req, res) => res.end('outer')),
  );
  expect(await ask(origin, '/router')).toBe('200 outer');
  expect(await ask(origin, '/route')).toBe('200 inner');
});

test('a route added while a request is under way is found by it', async () => {
  for (const others of [0, 20]) {
    const router = Router();
    for (let i = 0; i < others; i++) router.get(`/${i}`, show);
    router.use((_req, _res, next) => {
      router.get('/late', show);
      next();
    });
    expect(await ask(await servedRouter(router), '/late')).toBe('200 GET |/late {}');
  }
});

test('a thousand handlers that pass on at once do not overflow the stack, in one router or nested', async () => {
  const pass: Handler = (_req, _res, next) => next();
  const flat = Router();
  for (let i = 0; i < 10_000; i++) flat.use(pass);
  const nested = Router();
  for (let i = 0; i < 100; i++) nested.use(Router().use(Array(100).fill(pass)).get('/elsewhere', show));
  const route = Router().get('/', Array(10_000).fill(pass));
  const failing = Router().use((_req, _res, next) => next(1));
  for (let i = 0; i < 10_000; i++) {
    failing.use(
      caught((error, _req, _res, _next) => {
        throw (error as number) + 1;
      }),
    );
  }
  for (const [router, answer] of [
    [flat, '200 GET |/ {}'],
    [nested, '200 GET |/ {}'],
    [route, '200 GET |/ {}'],
  ] as const) {
    expect(await ask(await servedRouter(router.use(show)), '/')).toBe(answer);
  }
  expect(await ask(await servedRouter(failing), '/')).toBe('500 10001');
});

test('without a url it passes on; without a callback it refuses', () => {
  const called: unknown[] = [];
  const bare = {} as Parameters<Handler>[0];
  Router().use(show)(bare, {} as Parameters<Handler>[1], (error) => called.push(error));
  expect(called).toEqual([undefined]);
  expect(() => Reflect.apply(Router(), undefined, [{}, {}])).toThrow(/argument callback is required/);
});

test('what is no handler and no path is refused when it is registered', () => {
  const router = Router();
  for (const none of [[], ['/'], [[]], ['/', []]]) {
    expect(() => Reflect.apply(router.use, router, none)).toThrow(/argument handler is required/);
  }
  for (const wrong of ['hello', 5, null, new Date()]) {
    expect(() => Reflect.apply(router.get, router, ['/', wrong])).toThrow(/argument handler must be a function/);
  }
  expect(() => router.get('*', show)).toThrow(expect.objectContaining({ code: 'FCGI_ERR_ROUTE_PATH' }));
  expect(router.stack.filter((layer) => layer.route === undefined)).toEqual([]);
});

test('handlers know the parameters of their path when compiled', () => {
  const router = Router();
  router.get('/users/:id{/*rest}', (req) => {
    expectTypeOf(req.params).toEqualTypeOf<{ id: string; rest?: string[] }>();
  });
  router.use('/:a', (req, _res, next) => {
    expectTypeOf(req.params).toEqualTypeOf<{ a: string }>();
    expectTypeOf(next).toBeFunction();
  });
  router.get(['/:a', /b/], (req) => {
    expectTypeOf(req.params).toEqualTypeOf<Record<string, string | string[]>>();
  });
  router.use('/x', router, [router, [show]]);
  expect(router.stack).toHaveLength(6);
});
