import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AddressLike, FcgiClient, type Upstream } from '../adapters/client/index.ts';
import { errorLog } from '../core/env.ts';
import { fcgiError } from '../core/errors.ts';
import { originOf, pathOf } from '../core/path.ts';
import type { NextFunction } from '../core/types.ts';
import { decodeBytes } from './cgi/url-text.ts';
import { addSlash, askedFor } from './files/add-slash.ts';
import { files } from './files.ts';
import { passOn } from './proxy/answer.ts';
import { FILE, find, frontController, type Script } from './proxy/find.ts';
import { sendNamedFile } from './proxy/named-file.ts';
import { type ProxyOptions, scriptsFrom } from './proxy/options.ts';
import { bodyOf, makeParams } from './proxy/params.ts';
import { ADD_SLASH, type ScriptFolder } from './script-folder.ts';

/** What says that nobody is there to be told: of ours, of the request's body, and of the response. */
const CLIENT_LEFT: ReadonlySet<unknown> = new Set(['ECONNABORTED', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE']);

/** PHP's messages end without one. */
const NEWLINE = 0x0a;

/** In the manner of Connect: it serves in any such framework. */
export type ProxyMiddleware = (req: IncomingMessage, res: ServerResponse, next: NextFunction) => Promise<void>;

/**
 * Makes middleware that hands requests to a FastCGI application, PHP above all. With a `root`, files in it are sent, scripts
 * in it run, and what is neither is for its index.php; without one, every request is passed on. See docs/proxy.md.
 *
 * `next` gets what `FcgiClient` fails with (502, 503, 504, 413, 431), FCGI_ERR_FILE_PATH (400), FCGI_ERR_BODY_USED (500) and,
 * of files that the application names, FCGI_ERR_PROXY_FILE (500) and FCGI_ERR_FILE_NOT_FOUND (404).
 *
 * @example
 * app.use('/blog', proxy('unix:/run/php/php-fpm.sock', { root: '/srv/wordpress' }));
 *
 * @param to An address, an `upstream` of several, or a client with options of its own.
 * @throws FcgiError FCGI_ERR_ADDRESS, FCGI_ERR_OPTION
 */
export function proxy(to: AddressLike | Upstream | FcgiClient, options: ProxyOptions = {}): ProxyMiddleware {
  const client = to instanceof FcgiClient ? to : new FcgiClient(to);
  const scripts = scriptsFrom(options);
  const sendFile = scripts && files(scripts.root, { index: false, redirect: false });

  async function run(
    script: Script,
    folder: ScriptFolder | undefined,
    req: IncomingMessage,
    res: ServerResponse,
    next: NextFunction,
  ): Promise<void> {
    if (res.destroyed) return;
    const leaving = new AbortController();
    const leave = () => leaving.abort(Object.assign(new Error('The client has left'), { code: 'ECONNABORTED' }));
    res.once('close', leave);
    const log = errorLog(req);
    let body: ReturnType<typeof bodyOf>;
    try {
      const extra = typeof options.env === 'function' ? options.env(req as never) : options.env;
      const params = makeParams(req, script, scripts?.root, extra);
      const onStderr = (bytes: Buffer) => log.write(bytes.at(-1) === NEWLINE ? bytes : `${bytes}\n`);
      body = bodyOf(req);
      const response = await client.request(params, body, { signal: leaving.signal, onStderr });
      if (folder === undefined || !(await sendNamedFile(response, folder, req, res))) await passOn(response, res);
    } catch (error) {
      if (CLIENT_LEFT.has((error as { code?: unknown }).code)) return;
      // An answer that was cut off must not look whole.
      if (res.headersSent && !res.writableEnded) res.destroy();
      next(error);
    } finally {
      res.off('close', leave);
      // What the application did not read would stand before the next request on the connection; who has read nothing
      // leaves it to others, or to the server.
      body?.return?.().then(() => req.readableDidRead && req.resume());
    }
  }

  /** With a root. */
  async function route(path: string, req: IncomingMessage, res: ServerResponse, next: NextFunction): Promise<void> {
    const folder = scripts!.folder();
    const asked = askedFor(req);
    const runFront = async () => {
      const front = frontController(folder, scripts!.index);
      if (front === undefined) next();
      else await run(front, folder, req, res, next);
    };
    const found = find(folder, path, asked.path.endsWith('/'), scripts!.index);
    if (found === ADD_SLASH) addSlash(asked, req, res);
    else if (found === undefined) await runFront();
    else if (found !== FILE) await run(found, folder, req, res, next);
    else if (req.method === 'GET' || req.method === 'HEAD') {
      await sendFile!(req, res, (error) => (error ? next(error) : runFront()));
    } else res.writeHead(405, { Allow: 'GET, HEAD', 'Content-Length': 0 }).end();
  }

  return async (req, res, next) => {
    const path = pathOf(req.url, originOf(req.url)) ?? '/';
    if (scripts === undefined) await run({ name: '', pathInfo: decodeBytes(path) }, undefined, req, res, next);
    else if (path.includes('%00')) next(fcgiError('FCGI_ERR_FILE_PATH', `${path} can be no file's path`));
    else await route(path, req, res, next).catch(next);
  };
}
