import type { Writable } from 'node:stream';
import type { Request } from './request.ts';
import type { Response } from './response.ts';
import type { NextFunction } from './types.ts';

/** What a simple handler works with: a request and its answer in CGI's words. Each is made when asked for. */
export class SimpleContext {
  readonly req: Request;
  readonly res: Response;

  constructor(req: Request, res: Response) {
    this.req = req;
    this.res = res;
  }

  /** The CGI parameters: `QUERY_STRING`, `REMOTE_ADDR`, … */
  get params(): Record<string, string> {
    return this.req.env;
  }

  /** The same as `params`. */
  get env(): Record<string, string> {
    return this.req.env;
  }

  /** The request body: a Readable with `text()`, `json()`, `bytes()` and `form()`. */
  get stdin(): Request {
    return this.req.stdin;
  }

  /** To the web server's error log. */
  get stderr(): Writable {
    return this.res.stderr;
  }

  /** Sends anything back, as `res.send`. */
  get send(): (body?: unknown) => Response {
    return (body) => this.res.send(body);
  }
}

/** What it returns is ignored; what it throws, or rejects with, goes to the error handlers. */
export type SimpleHandler = (context: SimpleContext) => unknown;

/**
 * Makes middleware of a handler in CGI's words: it serves alone or mounted, on every door.
 *
 * @example
 * app.use('/hello', simple(async ({ params, stdin, send }) => send(`${params.REQUEST_METHOD} ${await stdin.text()}`)));
 */
export function simple(handler: SimpleHandler): (req: Request, res: Response, next: NextFunction) => Promise<void> {
  return async (req, res, next) => {
    // Alone there is no application to have linked them.
    req.res = res;
    req.next = next;
    try {
      await handler(new SimpleContext(req, res));
    } catch (error) {
      next(error ?? new Error('the handler rejected without a reason'));
    }
  };
}
