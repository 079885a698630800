import { Readable } from 'node:stream';
import type { Door } from '../doors.ts';
import { type RoutingHost, require } from '../hosts.ts';
import { byName, describe, digest, EVENT_STREAM, events, watch } from './site.ts';

export function express({ log }: Door): RoutingHost {
  const app: RoutingHost = require('express')();
  app.get('/hello/:name', (req, res) => res.json({ name: req.params.name, x: req.query.x, ip: req.ip }));
  app.post('/echo', require('express').json(), (req, res) => res.status(201).send(req.body));
  app.post('/upload', async (req, res) => res.send(await digest(req)));
  app.get('/events', (_req, res) => {
    watch(res, log);
    res.set(EVENT_STREAM);
    Readable.from(events()).pipe(res);
  });
  app.get('/cookies', (_req, res) => res.cookie('a', '1').cookie('b', 'ü', { httpOnly: true }).end());
  app.get('/redirect', (_req, res) => res.redirect('/hello/you'));
  app.get('/empty', (_req, res) => res.sendStatus(204));
  app.get('/fail', async () => {
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
