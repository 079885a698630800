import type { IncomingMessage, ServerResponse } from 'node:http';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { fcgiError } from '../core/errors.ts';
import type { NextFunction } from '../core/types.ts';
import { type CgiEnvironment, makeEnvironment } from './cgi/environment.ts';
import { answer } from './cgi/exchange.ts';
import { findProgram, type Program } from './cgi/find.ts';
import { type CgiLimits, limitsFrom } from './cgi/limits.ts';
import { redirectLocally } from './cgi/local-redirect.ts';
import { ProcessGroup } from './cgi/process-group.ts';
import { type RequestBody, readBody } from './cgi/request-body.ts';
import { Slots } from './cgi/slots.ts';

export interface CgiOptions extends Partial<CgiLimits> {
  /**
   * Variables for the programs, beside CGI's own and before them; or a function that makes them for each request, such as
   * `(req) => ({ REMOTE_USER: req.user })`. An undefined one is left out.
   */
  env?: CgiEnvironment | ((req: never) => CgiEnvironment);
}

/** In the manner of Connect: it serves in any such framework. */
export type CgiMiddleware = (req: IncomingMessage, res: ServerResponse, next: NextFunction) => Promise<void>;

/**
 * Makes middleware that answers with the CGI programs (RFC 3875) of a folder and the folders in it: executable files of
 * any language. What is none is passed on. See docs/cgi.md.
 *
 * `next` gets FCGI_ERR_CGI_START and FCGI_ERR_CGI_OUTPUT (500), FCGI_ERR_CGI_TIMEOUT (504), FCGI_ERR_OVERLOADED (503),
 * FCGI_ERR_REQUEST_TIMEOUT (408), FCGI_ERR_BODY_TOO_LARGE (413), FCGI_ERR_PARAMS_TOO_LARGE (431), FCGI_ERR_BODY_USED (500).
 *
 * @example
 * app.use('/cgi-bin', cgi('/srv/www/cgi-bin'));
 *
 * @throws FcgiError FCGI_ERR_OPTION
 */
export function cgi(dir: string, options: CgiOptions = {}): CgiMiddleware {
  if (typeof dir !== 'string' || dir === '') throw fcgiError('FCGI_ERR_OPTION', 'cgi takes the path of a folder');
  const root = resolve(dir);
  const limits = limitsFrom(options);
  const slots = new Slots(limits);

  async function run(program: Program, req: IncomingMessage, res: ServerResponse): Promise<string | undefined> {
    const leave = await slots.enter(res);
    if (leave === undefined) return undefined;
    let body: RequestBody | undefined;
    let group: ProcessGroup;
    try {
      body = await readBody(req, limits);
      const extra = typeof options.env === 'function' ? options.env(req as never) : options.env;
      const env = makeEnvironment(req, program, root, body?.length, extra);
      const input = body?.content instanceof Readable ? 'stream' : body?.content;
      group = await ProcessGroup.start(program.file, env, input, limits.killTimeout);
    } catch (error) {
      leave();
      // The client left in the middle of its body: nobody is there to be told.
      if (req.destroyed && !req.complete) return undefined;
      throw error;
    }
    group.closed.then(leave);
    return answer(program, group, body?.content, req, res, limits.timeout);
  }

  return async (req, res, next) => {
    const program = await findProgram(root, req.url);
    if (program === undefined) {
      next();
      return;
    }
    let redirect: string | undefined;
    try {
      redirect = await run(program, req, res);
    } catch (error) {
      next(error);
      return;
    }
    if (redirect !== undefined) redirectLocally(req, res, redirect, next);
  };
}
