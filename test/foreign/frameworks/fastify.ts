import type { RequestListener } from 'node:http';
import { Readable } from 'node:stream';
import type { Door, Made } from '../doors.ts';
import { type Next, require } from '../hosts.ts';
import { byName, describe, digest, EVENT_STREAM, events, watch } from './site.ts';

async function fastify({ log }: Door, options: object = {}) {
  const app = require('fastify')(options);
  type Wanted = Record<string, ReturnType<typeof require>>;
  app.addContentTypeParser('application/octet-stream', (_request: unknown, payload: unknown, done: Next) => {
    (done as (error: null, body: unknown) => void)(null, payload);
  });
  app.get('/hello/:name', async ({ params, query, ip }: Wanted) => ({ name: params.name, x: query.x, ip }));
  app.post('/echo', async ({ body }: Wanted, reply: Wanted) => reply.code(201).send(body));
  app.post('/upload', async ({ body }: Wanted) => digest(body));
  app.get('/events', async (_request: Wanted, reply: Wanted) => {
    watch(reply.raw, log);
    return reply.headers(EVENT_STREAM).send(Readable.from(events()));
  });
  app.get('/cookies', async (_request: Wanted, reply: Wanted) =>
    reply.header('Set-Cookie', 'a=1').header('Set-Cookie', 'b=%C3%BC').send(''),
  );
  app.get('/redirect', async (_request: Wanted, reply: Wanted) => reply.redirect('/hello/you'));
  app.get('/empty', async (_request: Wanted, reply: Wanted) => reply.code(204).send());
  app.get('/fail', async () => {
    throw new Error('on purpose');
  });
  app.all('/request', async ({ method, originalUrl: url, raw, protocol, hostname }: Wanted) => {
    return { ...describe({ method, url, headers: byName(raw) }), protocol, hostname };
  });
  return app;
}

export const fastifyRouting = async (door: Door): Promise<RequestListener> => {
  const app = await fastify(door);
  await app.ready();
  return (req, res) => app.routing(req, res);
};

export const fastifyServer = async (door: Door): Promise<Made> => {
  const serverFactory = (handler: RequestListener) => door.createServer(handler);
  const app = await fastify(door, { serverFactory });
  await app.listen(door.address);
  return app.server;
};
