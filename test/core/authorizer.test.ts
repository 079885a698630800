import { afterEach, expect, test } from 'vitest';
import { FCGI_AUTHORIZER } from '../../src/adapters/fastcgi/constants.ts';
import { type Application, createApp } from '../../src/core/app.ts';
import type { Handler } from '../../src/core/types.ts';
import { Door, type TestParams } from '../adapters/fastcgi/client.ts';
import { ask, served } from './served.ts';

const door = new Door();
afterEach(() => door.close());

async function authorize(app: Application, params: TestParams = {}) {
  const { client } = await door.serve(app);
  return client.request({ role: FCGI_AUTHORIZER, params }).answer();
}

function appOf(handler: Handler): Application {
  const app = createApp({ env: 'production' });
  app.authorize(handler);
  app.get('/', (_req, res) => res.send('a page'));
  return app;
}

test('allow answers 200, with the variables as headers and no body', async () => {
  const answer = await authorize(appOf((_req, res) => res.allow({ REMOTE_USER: 'ann', from_here: '1' })));
  expect(answer.status).toBe(200);
  expect(answer.head).toEqual(expect.arrayContaining(['Variable-REMOTE_USER: ann', 'Variable-from_here: 1']));
  expect(answer.text).toBe('');
});

test('variables leave as UTF-8', async () => {
  const answer = await authorize(appOf((_req, res) => res.allow({ REMOTE_USER: 'Łucja' })));
  expect(answer.stdout.toString()).toContain('Variable-REMOTE_USER: Łucja\r\n');
});

test.each<[string, Handler, number, string]>([
  ['a page without a status', (_req, res) => res.send('no'), 403, 'no'],
  ['a page with one', (_req, res) => res.status(401).set('WWW-Authenticate', 'Basic').send('who?'), 401, 'who?'],
  ['a redirect', (_req, res) => res.redirect('/login'), 302, 'Found. Redirecting to /login'],
  ['a handler that passes on', (_req, _res, next) => next(), 403, 'Forbidden'],
])('%s is a denial', async (_what, handler, status, text) => {
  const answer = await authorize(appOf(handler));
  expect([answer.status, answer.text]).toEqual([status, text]);
});

test('a handler that throws denies with 500, and its error is logged', async () => {
  const answer = await authorize(
    appOf(() => {
      throw new Error('no database');
    }),
  );
  expect(answer.status).toBe(500);
  expect(answer.text).not.toContain('database');
  expect(answer.stderr).toContain('no database');
});

test('an application without authorizers denies, and says so in the log: its routes are not asked', async () => {
  const app = createApp();
  app.get('/', (_req, res) => res.send('a page'));
  const answer = await authorize(app);
  expect([answer.status, answer.text]).toEqual([403, 'Forbidden']);
  expect(answer.stderr).toContain('app.authorize');
});

test('several handlers and a path are as with use; parameters of the web server are in env', async () => {
  const app = createApp();
  app.authorize('/private', (req, res, next) => (req.env.REMOTE_USER === 'ann' ? res.allow() : next()));
  app.authorize(
    (_req, _res, next) => next(),
    (_req, res) => res.status(402).send('pay'),
  );
  expect((await authorize(app, { REQUEST_URI: '/private/x', REMOTE_USER: 'ann' })).status).toBe(200);
  expect((await authorize(app, { REQUEST_URI: '/public', REMOTE_USER: 'ann' })).status).toBe(402);
  expect((await authorize(app, { REQUEST_URI: '/private/x' })).status).toBe(402);
});

test('other requests see nothing of the authorizers', async () => {
  const app = appOf((_req, res) => res.status(500).send('never'));
  const { client } = await door.serve(app);
  expect((await client.get()).text).toBe('a page');
  expect(await ask(await served(app), '/')).toBe('200 a page');
});

test.each([
  ['a name that is none', { 'A B': 'x' }],
  ['a name with a line end', { 'A\r\nX': 'x' }],
  ['a value with a line end', { A: 'x\r\nSet-Cookie: a=b' }],
])('%s is an error, and lets nothing through', async (_what, variables) => {
  const answer = await authorize(appOf((_req, res) => res.allow(variables as Record<string, string>)));
  expect(answer.status).toBe(500);
  expect(answer.stdout.toString()).not.toContain('Set-Cookie');
});

test('allow is for Authorizer requests only', async () => {
  const app = createApp({ env: 'production' });
  app.get('/', (_req, res) => res.allow({ REMOTE_USER: 'ann' }));
  const { client } = await door.serve(app);
  const answer = await client.get();
  expect(answer.status).toBe(500);
  expect(answer.stderr).toContain('res.allow answers an Authorizer request only');
  expect(answer.head.join()).not.toContain('Variable-');
});

test('with errors of one variable none of the others is told', async () => {
  const answer = await authorize(appOf((_req, res) => res.allow({ A: 'kept', 'B C': 'x' })));
  expect(answer.status).toBe(500);
  expect(answer.head.join()).not.toContain('Variable-A');
});
