import type { IncomingMessage } from 'node:http';
import { roleOf } from './env.ts';
import { fcgiError } from './errors.ts';
import type { Request } from './request.ts';
import type { Response } from './response.ts';
import type { Router } from './router.ts';
import type { NextFunction } from './types.ts';

/** HOT: whether a web server only asks if a request may be let through. */
export function isAuthorizer(req: IncomingMessage): boolean {
  return roleOf(req) === 'authorizer';
}

/** Has an application's authorizers answer. Who forgets to, and whatever page is sent without a status, denies. */
export function authorize(authorizers: Router | undefined, req: Request, res: Response, done: NextFunction): void {
  res.statusCode = 403;
  if (authorizers === undefined) {
    res.stderr.write('An Authorizer was asked for, and the application has none: see app.authorize\n');
    res.sendStatus(403);
    return;
  }
  authorizers.handle(req, res, (error) => {
    if (error) {
      res.statusCode = 500;
      done(error);
    } else res.sendStatus(403);
  });
}

/**
 * What lets a request through: status 200, and the variables as headers (section 6.3), UTF-8 as all of CGI's.
 *
 * @throws FcgiError FCGI_ERR_ARGUMENT
 */
export function allow(res: Response, variables: Record<string, string>): void {
  if (!isAuthorizer(res.req)) throw fcgiError('FCGI_ERR_ARGUMENT', 'res.allow answers an Authorizer request only');
  const headers = new Map<string, string>();
  for (const [name, value] of Object.entries(variables)) {
    const bytes = Buffer.from(String(value)).toString('latin1');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
    if (!/^\w+$/.test(name) || /[\x00-\x1f\x7f]/.test(bytes)) {
      throw fcgiError('FCGI_ERR_ARGUMENT', `${JSON.stringify(name)} or its value cannot be a variable`);
    }
    headers.set(`Variable-${name}`, bytes);
  }
  res.setHeaders(headers);
  res.statusCode = 200;
  res.end();
}
