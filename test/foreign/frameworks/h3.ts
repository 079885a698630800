import type { RequestListener } from 'node:http';
import type { Door } from '../doors.ts';
import { require } from '../hosts.ts';
import { describe, digest, EVENT_STREAM, textStream } from './site.ts';

export function h3({ log }: Door): RequestListener {
  const { H3, HTTPError, getQuery, getRequestIP, redirect, setCookie, toNodeHandler } = require('h3');
  const app = new H3({ silent: true });
  type Event = Record<string, ReturnType<typeof require>>;
  app.get('/hello/:name', (event: Event) => ({
    name: event.context.params.name,
    x: getQuery(event).x,
    ip: getRequestIP(event),
  }));
  app.post('/echo', async (event: Event) => {
    event.res.status = 201;
    return await event.req.json();
  });
  app.post('/upload', (event: Event) => digest(event.req.body));
  app.get('/events', (event: Event) => {
    event.req.signal.addEventListener('abort', () => log.push('abort'));
    for (const [name, value] of Object.entries(EVENT_STREAM)) event.res.headers.set(name, value);
    return textStream();
  });
  app.get('/cookies', (event: Event) => {
    setCookie(event, 'a', '1');
    setCookie(event, 'b', 'ü', { httpOnly: true });
    return '';
  });
  app.get('/redirect', () => redirect('/hello/you'));
  app.get('/empty', (event: Event) => {
    event.res.status = 204;
    return '';
  });
  app.get('/fail', () => {
    throw new HTTPError('on purpose', { status: 500 });
  });
  app.all('/request', (event: Event) =>
    describe({ method: event.req.method, url: event.req.url, headers: event.req.headers.entries() }),
  );
  return toNodeHandler(app);
}
