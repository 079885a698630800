import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { readAhead } from './body.ts';
import { CgiOutput } from './cgi-output.ts';
import { fcgiError } from './errors.ts';
import { finalHandler } from './final-handler.ts';
import type { Request } from './request.ts';
import type { Response } from './response.ts';
import type { NextFunction } from './types.ts';

/** What a simple handler works with: a request and its answer in CGI's words. Each is made when asked for. */
export class SimpleContext {
  readonly #req: Request;
  readonly #res: Response;
  #stdout: CgiOutput | undefined;
  /** Whether the handler has what it could answer with, but for stdout. */
  #answers = false;

  constructor(req: Request, res: Response) {
    this.#req = req;
    this.#res = res;
  }

  get req(): Request {
    this.#answers = true;
    return this.#req;
  }

  get res(): Response {
    this.#answers = true;
    return this.#res;
  }

  /** The CGI parameters: `QUERY_STRING`, `REMOTE_ADDR`, … */
  get params(): Record<string, string> {
    return this.#req.env;
  }

  /** The same as `params`. */
  get env(): Record<string, string> {
    return this.#req.env;
  }

  /** The request body: a Readable with `text()`, `json()`, `bytes()` and `form()`. */
  get stdin(): Request {
    return this.#req;
  }

  /**
   * Takes an answer as a CGI program writes it (RFC 3875, section 6): a head such as `Content-Type: text/html` or
   * `Status: 404`, an empty line, a body. It ends with the handler.
   */
  get stdout(): Writable {
    // An error of it is told by `run`.
    this.#stdout ??= new CgiOutput(this.#res).on('error', () => {});
    return this.#stdout;
  }

  /** To the web server's error log. */
  get stderr(): Writable {
    return this.#res.stderr;
  }

  /** Sends anything back, as `res.send`. */
  get send(): (body?: unknown) => Response {
    return (body) => {
      this.#answers = true;
      return this.#res.send(body);
    };
  }

  /**
   * Calls a handler, and ends what it has written to stdout. Where it neither wrote anything, nor returned a promise, its
   * callbacks are still to write, and to end stdout.
   *
   * Rejects as the handler does, and with FCGI_ERR_CGI_OUTPUT if what it wrote is no answer.
   */
  async run(handler: SimpleHandler): Promise<void> {
    const returned = handler(this);
    await returned;
    const stdout = this.#stdout;
    if (stdout?.begun) {
      // What is piped to the process's own stdout does not end it, either.
      if (stdout.listenerCount('unpipe') > 0) stdout.once('unpipe', () => stdout.end());
      else stdout.end();
    } else if (returned instanceof Promise && !this.#answers) {
      throw fcgiError('FCGI_ERR_CGI_OUTPUT', 'The handler has answered nothing');
    }
    if (stdout !== undefined) await finished(stdout);
  }
}

/** What it returns is ignored, but waited for; what it throws, or rejects with, goes to the error handlers. */
export type SimpleHandler = (context: SimpleContext) => unknown;

export interface SimpleOptions {
  /**
   * Bytes of the body to wait for before the handler is called, so that it can be read at once; the rest comes as it comes.
   * Default 0: the handler is called at once.
   */
  readAhead?: number;
}

/**
 * Makes middleware of a handler in CGI's words: it serves alone or mounted, on every door.
 *
 * @example
 * app.use('/hello', simple(async ({ params, stdin, send }) => send(`${params.REQUEST_METHOD} ${await stdin.text()}`)));
 */
export function simple(
  handler: SimpleHandler,
  options: SimpleOptions = {},
): (req: Request, res: Response, next?: NextFunction) => Promise<void> {
  const { readAhead: bytes = 0 } = options;
  return async (req, res, next = (error) => finalHandler(error, req, res)) => {
    // Alone there is no application to have linked them.
    req.res = res;
    req.next = next;
    try {
      if (bytes === 0 || (await readAhead(req, bytes))) await new SimpleContext(req, res).run(handler);
    } catch (error) {
      next(error ?? new Error('the handler rejected without a reason'));
    }
  };
}
