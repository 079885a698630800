import { Readable } from 'node:stream';
import type { Door } from '../doors.ts';
import { type ForeignResponse, type Host, require } from '../hosts.ts';
import { byName, describe, digest, EVENT_STREAM, events, watch } from './site.ts';

export function connect({ log }: Door): Host {
  const app: Host = require('connect')();
  const json = (res: ForeignResponse, status: number, value: unknown) => {
    const body = JSON.stringify(value);
    res.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
    res.end(body);
  };
  app.use('/hello', (req, res) => {
    const { pathname, searchParams } = new URL(req.url!, 'http://site.test');
    json(res, 200, { name: pathname.slice(1), x: searchParams.get('x') ?? undefined, ip: req.socket.remoteAddress });
  });
  app.use('/echo', require('body-parser').json());
  app.use('/echo', (req, res) => json(res, 201, req.body));
  app.use('/upload', async (req, res) => res.end(await digest(req)));
  app.use('/events', (_req, res) => {
    watch(res, log);
    res.writeHead(200, EVENT_STREAM);
    Readable.from(events()).pipe(res);
  });
  app.use('/cookies', (_req, res) => res.setHeader('Set-Cookie', ['a=1', 'b=%C3%BC; HttpOnly']).end());
  app.use('/redirect', (_req, res) => res.writeHead(302, { Location: '/hello/you' }).end());
  app.use('/empty', (_req, res) => res.writeHead(204).end());
  app.use('/fail', () => {
    throw Object.assign(new Error('on purpose'), { stack: 'Error: on purpose' });
  });
  app.use('/request', (req, res) => {
    json(res, 200, describe({ method: req.method!, url: req.originalUrl, headers: byName(req) }));
  });
  return app;
}
