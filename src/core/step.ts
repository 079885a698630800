import { fcgiError } from './errors.ts';
import type { Request } from './request.ts';
import type { Response } from './response.ts';
import type { ErrorHandler, Handler, NextFunction } from './types.ts';

/** Handlers that call `next()` before they return lie on each other's stack: after this many, the next one waits a turn. */
const MAX_DEPTH = 100;

let depth = 0;

/** One handler in a chain: called at most once a request, its errors and rejections given to `next`. */
export class Step {
  readonly handle: Handler | ErrorHandler;
  readonly name: string;
  /** Whether it is an error handler: told by its four parameters. */
  readonly catches: boolean;
  /** The method it answers, in lower case; `undefined` for all. */
  readonly method: string | undefined;

  constructor(handle: Handler | ErrorHandler, method?: string) {
    this.handle = handle;
    this.name = handle.name || '<anonymous>';
    this.catches = handle.length > 3;
    this.method = method;
  }

  /** HOT. `error` is what an error handler gets, and `undefined` for all others. */
  run(error: unknown, req: Request, res: Response, next: NextFunction): void {
    if (depth >= MAX_DEPTH) {
      setImmediate(() => this.run(error, req, res, next));
      return;
    }
    const { handle } = this;
    depth++;
    try {
      const result = this.catches
        ? (handle as ErrorHandler)(error, req, res, next)
        : (handle as Handler)(req, res, next);
      if (result !== undefined) passRejection(result, next);
    } catch (thrown) {
      next(thrown);
    } finally {
      depth--;
    }
  }
}

/** Gives the rejection of what a handler returned, where that is a promise, to `next`. */
export function passRejection(result: unknown, next: NextFunction): void {
  if (result === null || typeof result !== 'object') return;
  const { then } = result as PromiseLike<unknown>;
  if (typeof then !== 'function') return;
  then.call(result, null, (reason) => next(reason || new Error('Rejected promise')));
}

/** Handlers as they were given, alone or in arrays. Throws `FCGI_ERR_HANDLER` where there is none, or something else. */
export function flattenHandlers(handlers: readonly unknown[]): (Handler | ErrorHandler)[] {
  const flat = handlers.flat(Number.POSITIVE_INFINITY);
  if (flat.length === 0) throw fcgiError('FCGI_ERR_HANDLER', 'argument handler is required');
  for (const handler of flat) {
    if (typeof handler !== 'function') {
      throw fcgiError('FCGI_ERR_HANDLER', `argument handler must be a function, not ${typeof handler}`);
    }
  }
  return flat as (Handler | ErrorHandler)[];
}
