import type { RequestListener } from 'node:http';
import type { Door } from '../doors.ts';
import { require } from '../hosts.ts';
import { describe, digest, EVENT_STREAM, textStream } from './site.ts';

export function hono({ log }: Door): RequestListener {
  const { Hono } = require('hono');
  const { setCookie } = require('hono/cookie');
  const { getRequestListener } = require('@hono/node-server');
  const { getConnInfo } = require('@hono/node-server/conninfo');
  const app = new Hono();
  type Context = Record<string, ReturnType<typeof require>>;
  app.get('/hello/:name', (c: Context) =>
    c.json({ name: c.req.param('name'), x: c.req.query('x'), ip: getConnInfo(c).remote.address }),
  );
  app.post('/echo', async (c: Context) => c.json(await c.req.json(), 201));
  app.post('/upload', async (c: Context) => c.text(await digest(c.req.raw.body)));
  app.get('/events', (c: Context) => {
    c.req.raw.signal.addEventListener('abort', () => log.push('abort'));
    return c.body(textStream(), 200, EVENT_STREAM);
  });
  app.get('/cookies', (c: Context) => {
    setCookie(c, 'a', '1');
    setCookie(c, 'b', 'ü', { httpOnly: true });
    return c.body('');
  });
  app.get('/redirect', (c: Context) => c.redirect('/hello/you'));
  app.get('/empty', (c: Context) => c.body(null, 204));
  app.get('/fail', () => {
    throw new Error('on purpose');
  });
  app.onError((error: Error, c: Context) => c.text(error.message, 500));
  app.all('/request', (c: Context) =>
    c.json(describe({ method: c.req.method, url: c.req.url, headers: c.req.raw.headers.entries() })),
  );
  return getRequestListener(app.fetch);
}
