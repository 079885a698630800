import type { ServerOptions as HttpServerOptions, RequestListener } from 'node:http';
import { fcgiError } from '../core/errors.ts';
import { type FcgiHandlerClass, isFcgiHandler, serveFcgiHandler } from '../core/fcgi-handler.ts';
import {
  isMinimalHttpHandler,
  type MinimalHttpHandlerClass,
  serveMinimalHttpHandler,
} from '../core/minimal-http-handler.ts';
import { FcgiServer, type ServerOptions } from './fastcgi/server.ts';
import { HttpServer } from './http.ts';

type Listener = RequestListener | FcgiHandlerClass;

/**
 * `http.createServer`, over FastCGI: for an app, any `(req, res)` function, or a class of `FcgiHandler`. A class of
 * `MinimalHttpHandler` is served over HTTP.
 *
 * @example
 * createServer((req, res) => res.end('Hello')).listen('./fcgi.sock');
 *
 * @throws FcgiError FCGI_ERR_OPTION, FCGI_ERR_ARGUMENT
 */
export function createServer(listener?: Listener): FcgiServer;
export function createServer(Handler: MinimalHttpHandlerClass): HttpServer;
export function createServer(options: ServerOptions, listener?: Listener): FcgiServer;
export function createServer(options: HttpServerOptions, Handler: MinimalHttpHandlerClass): HttpServer;
export function createServer(first: unknown = {}, second?: unknown): FcgiServer | HttpServer {
  const [options, listener] = typeof first === 'function' ? [{}, first] : [first as object, second];
  if (isMinimalHttpHandler(listener)) return new HttpServer(options, serveMinimalHttpHandler(listener));
  if (isFcgiHandler(listener)) return new FcgiServer(options, serveFcgiHandler(listener) as never);
  if (listener !== undefined && typeof listener !== 'function') {
    throw fcgiError('FCGI_ERR_ARGUMENT', 'createServer takes an app, a function (req, res), or a class of handlers');
  }
  return new FcgiServer(options, listener as RequestListener | undefined);
}
