import type { RequestListener } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { Door } from '../doors.ts';
import { require } from '../hosts.ts';
import { byName, describe, digest, EVENT_STREAM, events, watch } from './site.ts';

export function koa({ log }: Door): RequestListener {
  const Koa = require('koa');
  const app = new Koa();
  app.silent = true;
  type Context = Record<string, ReturnType<typeof require>>;
  app.use(async (ctx: Context) => {
    const { path, req, res } = ctx;
    if (path.startsWith('/hello/')) ctx.body = { name: path.slice(7), x: ctx.query.x, ip: ctx.ip };
    else if (path === '/echo') {
      ctx.status = 201;
      ctx.body = JSON.parse((await buffer(req)).toString());
    } else if (path === '/upload') ctx.body = await digest(req);
    else if (path === '/events') {
      watch(res, log);
      ctx.set(EVENT_STREAM);
      ctx.body = Readable.from(events());
    } else if (path === '/cookies') {
      ctx.cookies.set('a', '1');
      ctx.cookies.set('b', '%C3%BC', { overwrite: true });
      ctx.body = '';
    } else if (path === '/redirect') ctx.redirect('/hello/you');
    else if (path === '/empty') ctx.status = 204;
    else if (path === '/fail') throw new Error('on purpose');
    else if (path === '/request') {
      const { protocol, hostname, secure, idempotent } = ctx;
      ctx.body = {
        ...describe({ method: ctx.method, url: ctx.href, headers: byName(req) }),
        protocol,
        hostname,
        secure,
        idempotent,
      };
    }
  });
  return app.callback();
}
