import type { IncomingMessage, ServerResponse } from 'node:http';
import encodeUrl from 'encodeurl';
import { fcgiError } from '../../core/errors.ts';
import type { NextFunction } from '../../core/types.ts';
import type { RoutedRequest } from './request-variables.ts';
import { decodePath, fromLatin1 } from './url-text.ts';

/** An application as far as it is needed here; Express's is one. */
interface App {
  parent?: App;
  handle(req: IncomingMessage, res: ServerResponse): void;
}

interface AppRequest extends RoutedRequest {
  app?: App;
  env?: Record<string, string>;
}

const MAX_REDIRECTS = 10;

const redirects = new WeakMap<IncomingMessage, number>();

/** The application that all of a request passes through; undefined in a chain without one. */
export function appOf(req: AppRequest): App | undefined {
  let { app } = req;
  while (app?.parent !== undefined) app = app.parent;
  return app;
}

/**
 * Answers a request as if it had asked for another path (RFC 3875, section 6.2.2), by GET and without a body.
 *
 * Gives `next` FCGI_ERR_CGI_OUTPUT after ten of them for one request.
 */
export function redirectLocally(req: AppRequest, res: ServerResponse, location: string, next: NextFunction): void {
  const count = (redirects.get(req) ?? 0) + 1;
  if (count > MAX_REDIRECTS) {
    next(fcgiError('FCGI_ERR_CGI_OUTPUT', `More than ${MAX_REDIRECTS} local redirects, the last one to ${location}`));
    return;
  }
  redirects.set(req, count);
  if (req.method !== 'HEAD') req.method = 'GET';
  req.url = encodeUrl(fromLatin1(location));
  req.originalUrl = req.url;
  req.baseUrl = '';
  for (const name of ['content-length', 'content-type', 'content-encoding', 'transfer-encoding'])
    delete req.headers[name];
  if (req.env !== undefined) renew(req.env, req);
  appOf(req)!.handle(req, res);
}

/** For handlers that read CGI's variables. */
function renew(env: Record<string, string>, req: IncomingMessage): void {
  const [path, query = ''] = req.url!.split(/\?(.*)/s);
  Object.assign(env, { REQUEST_METHOD: req.method, REQUEST_URI: req.url, QUERY_STRING: query });
  Object.assign(env, { SCRIPT_NAME: '', PATH_INFO: decodePath(path) ?? path });
  for (const name of ['CONTENT_LENGTH', 'CONTENT_TYPE', 'PATH_TRANSLATED']) delete env[name];
}
