import { Readable } from 'node:stream';
import type { Door } from '../doors.ts';
import { type RoutingHost, require } from '../hosts.ts';
import { byName, describe, digest, EVENT_STREAM, events, watch } from './site.ts';

export const express = (door: Door): RoutingHost => site(require('express'), door);

/** It makes `req.query` before it makes the request its own, and only if there is none. */
export const express4 = (door: Door): RoutingHost => site(require('express-4'), door);

interface Express {
  (): RoutingHost;
  json(): Parameters<RoutingHost['post']>[1];
}

function site(express: Express, { log }: Door): RoutingHost {
  const app = express();
  app.get('/hello/:name', (req, res) => res.json({ name: req.params.name, x: req.query.x, ip: req.ip }));
  app.post('/echo', express.json(), (req, res) => res.status(201).send(req.body));
  app.post('/upload', async (req, res) => res.send(await digest(req)));
  app.get('/events', (_req, res) => {
    watch(res, log);
    res.set(EVENT_STREAM);
    Readable.from(events()).pipe(res);
  });
  app.get('/cookies', (_req, res) => res.cookie('a', '1').cookie('b', 'ü', { httpOnly: true }).end());
  app.get('/redirect', (_req, res) => res.redirect('/hello/you'));
  app.get('/empty', (_req, res) => res.sendStatus(204));
  app.get('/fail', () => {
    throw Object.assign(new Error('on purpose'), { stack: 'Error: on purpose' });
  });
  app.all('/request', (req, res) => {
    const { protocol, hostname, secure } = req;
    res.json({
      ...describe({ method: req.method!, url: req.originalUrl, headers: byName(req) }),
      protocol,
      hostname,
      secure,
    });
  });
  return app;
}
