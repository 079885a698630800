import { once } from 'node:events';
import { addAbortSignal, type Readable, type Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { readAhead } from './body.ts';
import { CgiOutput } from './cgi-output.ts';
import { fcgiError } from './errors.ts';
import { finalHandler } from './final-handler.ts';
import { type Request, standAlone } from './request.ts';
import type { Response } from './response.ts';
import type { NextFunction } from './types.ts';

/** What a simple handler works with: a request and its answer in CGI's words. Each is made when asked for. */
export class SimpleContext {
  readonly #req: Request;
  readonly #res: Response;
  #stdout: CgiOutput | undefined;
  /** What is piped into stdout. */
  readonly #sources = new Set<Readable>();
  /** Whether the handler has what it could answer or pass on with, but for stdout. */
  #answers = false;

  constructor(req: Request, res: Response) {
    this.#req = standAlone(req);
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
   * `Status: 404`, an empty line, a body. It ends with the handler. When the client goes away, it is destroyed, and what is
   * piped into it.
   */
  get stdout(): Writable {
    return this.#cgiOutput;
  }

  get #cgiOutput(): CgiOutput {
    if (this.#stdout !== undefined) return this.#stdout;
    const { signal } = this.#req;
    const stdout = addAbortSignal(signal, new CgiOutput(this.#res));
    // `run` tells it.
    stdout.on('error', () => {});
    // One that fails stays piped, though nothing more will come of it.
    const onClose = function (this: Readable) {
      this.unpipe(stdout);
    };
    stdout.on('pipe', (source) => {
      this.#sources.add(source.on('close', onClose));
      if (source.closed) source.unpipe(stdout);
    });
    stdout.on('unpipe', (source) => {
      this.#sources.delete(source.off('close', onClose));
      if (signal.aborted) source.destroy();
    });
    this.#stdout = stdout;
    return stdout;
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
   * Calls a handler, and ends stdout when the handler is done: when the promise that it returned is settled, or else when
   * it has returned, and stdin has ended if it reads that; and when nothing is piped into stdout any more. Only where
   * it returned no promise and has written nothing by then, its callbacks are still to write, and to end stdout.
   *
   * Rejects as the handler does, and with FCGI_ERR_CGI_OUTPUT if what it wrote is no answer.
   */
  async run(handler: SimpleHandler): Promise<void> {
    const returned = handler(this);
    await returned;
    const settled = typeof (returned as PromiseLike<unknown> | undefined)?.then === 'function';
    if (!settled) await read(this.#req);
    try {
      await this.#end(settled);
    } catch (error) {
      // A client that has gone is no fault of the handler's.
      if (!this.#req.signal.aborted) throw error;
    }
  }

  async #end(settled: boolean): Promise<void> {
    if (this.#stdout === undefined && (settled ? this.#answers : this.#res.headersSent)) return;
    const stdout = this.#cgiOutput;
    while (this.#sources.size > 0) await once(stdout, 'unpipe');
    if (stdout.begun) {
      stdout.end();
    } else if (settled) {
      if (this.#answers) return;
      throw fcgiError('FCGI_ERR_CGI_OUTPUT', 'The handler has answered nothing');
    }
    await finished(stdout);
  }
}

/** Waits for the end of a body that somebody reads. */
async function read(req: Request): Promise<void> {
  const reading = req.readableFlowing || req.listenerCount('data') + req.listenerCount('readable') > 0;
  if (!reading || req.readableEnded || req.destroyed) return;
  await new Promise<void>((resolve) => {
    req.once('end', resolve).once('close', resolve);
  });
}

/** What it returns is ignored, but waited for; what it throws, or rejects with, goes to the error handlers. */
export type SimpleHandler = (context: SimpleContext) => unknown;

export interface SimpleOptions {
  /**
   * Bytes of the body up to which it is waited for before the handler is called, so that it can be read at once. Of a larger
   * one the rest comes as it comes. Default 0: the handler is called at once.
   */
  readAhead?: number;
}

/**
 * Makes middleware of a handler in CGI's words: it serves alone or mounted, on every door.
 *
 * @throws FcgiError FCGI_ERR_OPTION
 *
 * @example
 * app.use('/hello', simple(async ({ params, stdin, send }) => send(`${params.REQUEST_METHOD} ${await stdin.text()}`)));
 */
export function simple(
  handler: SimpleHandler,
  options: SimpleOptions = {},
): (req: Request, res: Response, next?: NextFunction) => Promise<void> {
  const { readAhead: bytes = 0 } = options;
  if (typeof bytes !== 'number' || !(bytes >= 0)) {
    throw fcgiError('FCGI_ERR_OPTION', `readAhead takes a number of bytes, not ${String(bytes)}`);
  }
  return async (req, res, next = (error) => finalHandler(error, req, res)) => {
    // Alone there is no application to have linked them.
    req.res = res;
    req.next = next;
    try {
      if (bytes === 0 || (await readAhead(req, bytes))) await new SimpleContext(req, res).run(handler);
    } catch (error) {
      // Some of what can be thrown means to `next` that there is no error.
      next(error || new Error(`The handler threw ${String(error)}`));
    }
  };
}
