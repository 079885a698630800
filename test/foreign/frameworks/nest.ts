import type { RequestListener } from 'node:http';
import { Readable } from 'node:stream';
import type { Door } from '../doors.ts';
import { type ForeignRequest, type ForeignResponse, require } from '../hosts.ts';
import { byName, describe, digest, EVENT_STREAM, events, watch } from './site.ts';

/** Its decorators applied as the functions that they are. */
export async function nest({ log }: Door): Promise<RequestListener> {
  require('reflect-metadata');
  const { All, Body, Controller, Get, HttpCode, Ip, Module, Param, Post, Query, Redirect, Req, Res } =
    require('@nestjs/common');
  const { NestFactory } = require('@nestjs/core');
  class Site {
    hello(name: string, x: string | undefined, ip: string) {
      return { name, x, ip };
    }
    echo(body: unknown) {
      return body;
    }
    upload(req: ForeignRequest) {
      return digest(req);
    }
    events(res: ForeignResponse) {
      watch(res, log);
      res.set(EVENT_STREAM);
      Readable.from(events()).pipe(res);
    }
    cookies(res: ForeignResponse) {
      res.cookie('a', '1').cookie('b', 'ü', { httpOnly: true }).end();
    }
    redirect() {}
    empty() {}
    fail() {
      throw new Error('on purpose');
    }
    request(req: ForeignRequest) {
      return describe({ method: req.method!, url: req.originalUrl, headers: byName(req) });
    }
  }
  const route = (method: keyof Site, decorators: MethodDecorator[], ...parameters: ParameterDecorator[]) => {
    for (const [at, decorate] of parameters.entries()) decorate(Site.prototype, method, at);
    const property = Object.getOwnPropertyDescriptor(Site.prototype, method)!;
    for (const decorate of decorators) decorate(Site.prototype, method, property);
  };
  route('hello', [Get('hello/:name')], Param('name'), Query('x'), Ip());
  route('echo', [Post('echo')], Body());
  route('upload', [Post('upload'), HttpCode(200)], Req());
  route('events', [Get('events')], Res());
  route('cookies', [Get('cookies')], Res());
  route('redirect', [Get('redirect'), Redirect('/hello/you')]);
  route('empty', [Get('empty'), HttpCode(204)]);
  route('fail', [Get('fail')]);
  route('request', [All('request')], Req());
  Controller()(Site);
  class Root {}
  Module({ controllers: [Site] })(Root);
  const app = await NestFactory.create(Root, { logger: false });
  await app.init();
  return app.getHttpAdapter().getInstance();
}
