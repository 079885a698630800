import { join, resolve } from 'node:path';
import { cgiSocket } from '../core/env.ts';
import { fcgiError } from '../core/errors.ts';
import type { Request } from '../core/request.ts';
import type { Response } from '../core/response.ts';
import type { NextFunction } from '../core/types.ts';
import { addSlash, askedFor } from './files/add-slash.ts';
import { files } from './files.ts';
import { type MultipartOptions, multipart } from './multipart.ts';
import { describeFailure, type Failure, showFailure } from './pages/failure.ts';
import { ELSEWHERE, type Found, findFolder, findScript, findUrl, isBeside, isPlain, NO_PARAMS } from './pages/find.ts';
import { Memory } from './pages/memory.ts';
import { PageRun } from './pages/page-run.ts';
import { Site } from './pages/site.ts';
import { ADD_SLASH, checkExtensions } from './script-folder.ts';

export interface PagesOptions {
  /** What the names of pages end with, byte for byte. Default `['.jhtml']`. */
  extensions?: string[];
  /**
   * Milliseconds for which a page, and what it imports, is not looked at again, as opcache's `revalidate_freq`. Default: 0
   * where NODE_ENV is `development` or not set, else 1000.
   */
  revalidate?: number;
  /** Milliseconds that must have passed since a file was written to: what is half-written is waited for. Default 100. */
  settle?: number;
  /** Bytes of a page's output that are held back, so that headers can still be set. Default 8192. */
  buffer?: number;
  /** What pages see as `$_ENV`. Default: nothing of the process's own. */
  env?: Record<string, string>;
  /** The most variables in each of `$_GET`, `$_POST`, `$_COOKIE` and `$_FILES`; more are refused with 400. Default 1000. */
  maxInputVars?: number;
  /** How forms with files are taken, as `multipart()` has it. */
  multipart?: MultipartOptions;
  /**
   * Whether errors are shown in the browser. Default: whether the setting `env` is `development`; without an app, whether
   * NODE_ENV is, or is not set.
   */
  displayErrors?: boolean;
}

const isDevelopment = () => (process.env.NODE_ENV || 'development') === 'development';

/**
 * Makes middleware that answers with the pages of a folder: files of HTML with JavaScript in `<? … ?>`. Where the web server
 * names a page by SCRIPT_FILENAME, as for PHP, it is that page; else the URL's path names it. What is no page is passed on.
 * See docs/pages.md.
 *
 * @throws FcgiError FCGI_ERR_OPTION
 *
 * @example
 * app.use(pages('./site'));
 */
export function pages(
  root: string,
  options: PagesOptions = {},
): (req: Request, res: Response, next: NextFunction) => Promise<void> | undefined {
  const {
    extensions = ['.jhtml'],
    revalidate = isDevelopment() ? 0 : 1000,
    settle = 100,
    buffer = 8192,
    env = {},
    maxInputVars = 1000,
  } = options;
  for (const [name, value] of Object.entries({ revalidate, settle, buffer, maxInputVars })) {
    if (typeof value !== 'number' || !(value >= 0)) {
      throw fcgiError('FCGI_ERR_OPTION', `${name} takes a number, 0 or more, not ${String(value)}`);
    }
  }
  checkExtensions('extensions', extensions);
  const site = new Site(resolve(root), { extensions, revalidate, settle });
  const surroundings = { root: site.root, env, maxInputVars, buffer, multipart: multipart(options.multipart) };
  const sendFile = files(site.root);

  const known = new Memory<Found | typeof ADD_SLASH>(revalidate);

  function find(req: Request): Found | typeof ADD_SLASH | undefined {
    const { path } = req;
    const script = cgiSocket(req)?.cgi.get('SCRIPT_FILENAME') ?? '';
    return known.get(`${path} ${script}`, () => {
      if (!isPlain(site, path)) return undefined;
      const found = extensions.some((extension) => script.includes(extension)) ? findScript(site, script) : ELSEWHERE;
      return found === ELSEWHERE ? findUrl(site, path) : found;
    });
  }

  function run(found: Found, req: Request, res: Response, locals = res.locals): Promise<void> | undefined {
    if (found.params !== NO_PARAMS) req.params = { ...req.params, ...found.params };
    return new PageRun(site, found, req, res, surroundings).run(locals);
  }

  /** Answers with one of the site's own pages for a status. */
  async function runFor(status: 404 | 500, file: string, req: Request, res: Response, error?: unknown): Promise<void> {
    res.status(status);
    const found = { file, scriptName: `/${status}`, pathInfo: '', params: NO_PARAMS };
    await run(found, req, res, { ...res.locals, error });
  }

  /** Says that nothing is there: by the site's own page, or by passing the request on. */
  async function miss(req: Request, res: Response, next: NextFunction): Promise<void> {
    const near = join(findFolder(site, req.path), '404');
    try {
      const file = site.nearest(near, '404');
      if (file === undefined) next();
      else await runFor(404, file, req, res);
    } catch (error) {
      await fail(error, near, req, res, next);
    }
  }

  async function fail(thrown: unknown, near: string, req: Request, res: Response, next: NextFunction): Promise<void> {
    // To `next`, nothing is no error, and 'route' is none either.
    const error =
      typeof thrown === 'object' && thrown !== null ? thrown : new Error(`the page threw ${String(thrown)}`);
    const failure = describeFailure(error, site);
    const file = site.nearest(near, '500');
    // What the client has done wrong, and what has begun to go out, is for the error handlers.
    if (res.headersSent || (error as { status?: number }).status! < 500) {
      next(error);
    } else if (options.displayErrors ?? (req.app ? req.app.settings.env === 'development' : isDevelopment())) {
      log(res, failure);
      showFailure(res, error, failure);
    } else if (file === undefined) {
      next(error);
    } else {
      for (const name of CONTENT_HEADERS) res.removeHeader(name);
      // With the answer's end, the way to the web server's log ends as well.
      log(res, failure);
      try {
        await runFor(500, file, req, res, error);
      } catch (own) {
        log(res, describeFailure(own, site));
        next(error);
      }
    }
  }

  async function answerElse(found: typeof ADD_SLASH | undefined, req: Request, res: Response, next: NextFunction) {
    if (found === ADD_SLASH) {
      addSlash(askedFor(req), req, res);
    } else if (isBeside(site, req.path)) {
      await sendFile(req, res, (error) => (error ? next(error) : miss(req, res, next)));
    } else await miss(req, res, next);
  }

  return (req, res, next) => {
    let found: Found | typeof ADD_SLASH | undefined;
    const onError = (error: unknown) =>
      fail(error, typeof found === 'object' ? found.file : join(site.root, '500'), req, res, next);
    try {
      found = find(req);
      return typeof found === 'object' ? run(found, req, res)?.catch(onError) : answerElse(found, req, res, next);
    } catch (error) {
      return onError(error);
    }
  };
}

/** What a page has said of the answer that it was to give. */
const CONTENT_HEADERS = [
  ...['Content-Type', 'Content-Length', 'Content-Encoding', 'Content-Disposition', 'Content-Language'],
  ...['ETag', 'Last-Modified', 'Cache-Control', 'Expires', 'Location'],
];

function log(res: Response, { stack, frame }: Failure): void {
  res.stderr.write(`${stack}\n${frame === '' ? '' : `\n${frame}\n`}`);
}
