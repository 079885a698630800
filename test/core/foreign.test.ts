import http from 'node:http';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { createApp } from '../../src/core/app.ts';
import { Request } from '../../src/core/request.ts';
import { Response } from '../../src/core/response.ts';
import { simple } from '../../src/core/simple.ts';
import type { Handler } from '../../src/core/types.ts';
import { ask, listen, served } from './served.ts';

/** As much of Express and Connect, which bring no types, as is used here. */
type Foreign = Handler &
  http.RequestListener & { set(name: string, value: unknown): void; use(...handlers: unknown[]): void };
const require = createRequire(import.meta.url);
const express: () => Foreign = require('express');
const connect: () => Foreign = require('connect');

/** What a handler of this package sees, on its way through. */
const look: Handler = (req, res, next) => {
  const ours = req instanceof Request && res instanceof Response;
  res.setHeader('X-Seen', `${res.getHeader('X-Seen') ?? ''} ${ours} ${req.app?.settings.name} ${req.baseUrl}`);
  next();
};

function inside() {
  const app = createApp({ name: 'inside' });
  app.use(look);
  app.get('/answer', (req, res) => res.send(`answered ${req.query.x}`));
  app.get('/fail', () => {
    throw new Error('failed inside');
  });
  return app;
}

const seen: Handler = (_req, res) => res.end(res.getHeader('X-Seen'));

test('an application inside Express sees its own pair, and Express its own again behind it', async () => {
  const outside = express();
  outside.set('name', 'outside');
  outside.set('env', 'test');
  outside.use('/in', inside());
  outside.use(look, seen);
  const origin = await listen(http.createServer(outside));
  expect(await ask(origin, '/in/answer?x=1')).toBe('200 answered 1');
  expect(await ask(origin, '/in/other')).toBe('200  true inside /in false outside');
  expect(await ask(origin, '/in/fail')).toMatch(/^500 .*failed inside/s);
});

test('an application inside Connect sees its own pair, and Connect Node’s again behind it', async () => {
  const outside = connect();
  outside.use('/in', inside());
  outside.use((req: object, res: http.ServerResponse) => {
    const plain = Object.getPrototypeOf(req) === http.IncomingMessage.prototype;
    const left = Object.getPrototypeOf(res) === http.ServerResponse.prototype;
    res.end(`${plain} ${left} ${'app' in req}`);
  });
  const origin = await listen(http.createServer(outside));
  expect(await ask(origin, '/in/answer?x=1')).toBe('200 answered 1');
  expect(await ask(origin, '/in/other')).toBe('200 true true false');
});

test('an Express application inside sees its own pair and settings, and its parent its own again behind it', async () => {
  const guest = express();
  guest.set('name', 'guest');
  guest.use(look);
  guest.use('/answer', (req: Request, res: Response) => res.json({ path: req.path, mounted: req.baseUrl }));
  const app = createApp({ name: 'host' });
  app.use('/in', guest).use(look, seen);
  const origin = await served(app);
  expect(await ask(origin, '/in/answer/x')).toBe('200 {"path":"/x","mounted":"/in/answer"}');
  expect(await ask(origin, '/in')).toBe('200  false guest /in true host');
});

test('a listener of other people’s finds no query, for who looks whether somebody has parsed it', async () => {
  const listener = (req: http.IncomingMessage & { query?: unknown }, res: http.ServerResponse) => {
    const found = String(req.query);
    req.query = 'its own';
    Object.setPrototypeOf(req, http.IncomingMessage.prototype);
    res.end(`${found} ${req.query}`);
  };
  const server = http.createServer({ IncomingMessage: Request, ServerResponse: Response }, listener);
  expect(await ask(await listen(server), '/?x=1')).toBe('200 undefined its own');
});

test('a simple handler finds the query, with an application and without', async () => {
  const handler = simple(({ req, send }) => send(req.query.x)) as never;
  const alone = http.createServer({ IncomingMessage: Request, ServerResponse: Response }, handler);
  for (const origin of [await listen(alone), await served(createApp().use(handler as never))]) {
    expect(await ask(origin, '/?x=1')).toBe('200 1');
  }
});

test('an application behind an Express that has passed on finds its own query again', async () => {
  const guest = require('express-4')();
  const app = createApp();
  app.use(guest);
  app.use((req, res) => res.send(typeof req.query.a === 'object' ? 'the guest’s' : 'its own'));
  expect(await ask(await served(app), '/?a[b]=1')).toBe('200 its own');
});

test('errors of an Express application reach its parent', async () => {
  const guest = express();
  guest.use((_req: Request, _res: Response, next: (error: unknown) => void) => next(new Error('from the guest')));
  const app = createApp({ env: 'test' });
  app.use(guest);
  expect(await ask(await served(app), '/')).toMatch(/^500 .*from the guest/s);
});

test('the pair of this package’s own server keeps its classes untouched', async () => {
  const app = createApp();
  const prototypes: unknown[] = [];
  app.use((req, res, next) => {
    prototypes.push(Object.getPrototypeOf(req), Object.getPrototypeOf(res));
    next();
  });
  class Sub extends Request {}
  const server = http.createServer({ IncomingMessage: Sub, ServerResponse: Response }, app);
  expect(await ask(await listen(server), '/')).toMatch(/^404/);
  expect(prototypes).toEqual([Sub.prototype, Response.prototype]);
});
