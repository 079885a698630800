import type { Request } from './request.ts';
import type { Response } from './response.ts';
import { passRejection } from './step.ts';
import type { NextFunction } from './types.ts';

/** Runs before the handlers of a route that has the parameter: to load what its value names, or to refuse it. */
export type ParamHandler = (
  req: Request,
  res: Response,
  next: NextFunction,
  value: string | string[],
  name: string,
) => unknown;

/** What became of a parameter's value: the handlers may have put something else in its place. */
interface Outcome {
  readonly match: string | string[];
  value: string | string[];
  error: unknown;
}

/** One request's calls of a router's `param()` handlers: once for each value, however many routes have it. */
export class ParamCalls {
  private readonly outcomes = new Map<string, Outcome>();
  private readonly handlers: Readonly<Record<string, readonly ParamHandler[]>>;

  constructor(handlers: Readonly<Record<string, readonly ParamHandler[]>>) {
    this.handlers = handlers;
  }

  /** Calls the handlers for `names` one after another; the first error ends it. */
  run(names: string[], req: Request, res: Response, done: NextFunction): void {
    let index = 0;
    const next: NextFunction = (error) => {
      if (error || index === names.length) return done(error);
      const name = names[index++];
      const match = req.params[name];
      const handlers = this.handlers[name];
      if (match === undefined || handlers === undefined) return next();

      const outcome = this.outcomes.get(name);
      if (outcome !== undefined && (outcome.match === match || (outcome.error && outcome.error !== 'route'))) {
        req.params[name] = outcome.value;
        return next(outcome.error);
      }
      this.call(name, match, handlers, req, res, next);
    };
    next();
  }

  private call(
    name: string,
    match: string | string[],
    handlers: readonly ParamHandler[],
    req: Request,
    res: Response,
    done: NextFunction,
  ): void {
    const outcome: Outcome = { match, value: match, error: undefined };
    this.outcomes.set(name, outcome);
    let index = 0;
    const next: NextFunction = (error) => {
      outcome.value = req.params[name];
      if (error) outcome.error = error;
      if (error || index === handlers.length) return done(error);
      try {
        passRejection(handlers[index++](req, res, next, match, name), next);
      } catch (thrown) {
        next(thrown);
      }
    };
    next();
  }
}
