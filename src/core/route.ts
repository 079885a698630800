import { METHODS } from 'node:http';
import type { Path } from './path.ts';
import type { Request } from './request.ts';
import type { Response } from './response.ts';
import { flattenHandlers, Step } from './step.ts';
import type { ErrorHandler, Handler, NextFunction } from './types.ts';

/** Node's methods in lower case, as routers and applications are asked for them. */
// biome-ignore format: a list
export type Verb =
  | 'acl' | 'bind' | 'checkout' | 'connect' | 'copy' | 'delete' | 'get' | 'head' | 'link' | 'lock' | 'm-search' | 'merge'
  | 'mkactivity' | 'mkcalendar' | 'mkcol' | 'move' | 'notify' | 'options' | 'patch' | 'post' | 'propfind' | 'proppatch'
  | 'purge' | 'put' | 'rebind' | 'report' | 'search' | 'source' | 'subscribe' | 'trace' | 'unbind' | 'unlink' | 'unlock'
  | 'unsubscribe';

export const VERBS = METHODS.map((method) => method.toLowerCase()) as Verb[];

/** HOT. A request's method in lower case. */
export function verbOf(req: Request): string {
  return req.method === 'GET' ? 'get' : String(req.method).toLowerCase();
}

/** A handler or an array of them, nested as deep as one likes. */
export type Handlers<P extends string = string> = Handler<P> | readonly Handlers<P>[];

/** With error handlers among them: whose parameters, and their neighbours', TypeScript then has to be told. */
export type AnyHandlers = Handler | ErrorHandler | readonly AnyHandlers[];

/** Adds handlers to a route. */
export interface AddHandlers<Self> {
  (...handlers: Handlers[]): Self;
  (...handlers: AnyHandlers[]): Self;
}

export interface Route extends Record<Verb, AddHandlers<Route>> {}

// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the methods are added below, for Node's list of them.
export class Route {
  readonly path: Path;
  readonly stack: Step[] = [];
  /** The methods that have handlers, in lower case; `_all` where some answer every method. */
  readonly methods: Record<string, true> = Object.create(null);

  constructor(path: Path) {
    this.path = path;
  }

  /** Adds handlers for every method. */
  all(...handlers: Handlers[]): this;
  all(...handlers: AnyHandlers[]): this;
  all(...handlers: AnyHandlers[]): this {
    return this.add(undefined, handlers);
  }

  /** Whether it has handlers for a method, in lower case: those for GET answer HEAD, where none are for HEAD itself. */
  handles(method: string): boolean {
    const { methods } = this;
    return methods[method] === true || methods._all === true || (method === 'head' && methods.get === true);
  }

  /** The methods for an `Allow` header. */
  allowed(): string[] {
    const names = Object.keys(this.methods);
    if (this.methods.get && !this.methods.head) names.push('head');
    return names.map((name) => name.toUpperCase());
  }

  /** HOT. Runs the handlers for the request's method; what they pass on goes to `done`. */
  dispatch(req: Request, res: Response, done: NextFunction): void {
    const { stack } = this;
    const verb = verbOf(req);
    const wanted = verb === 'head' && this.methods.head !== true ? 'get' : verb;
    req.route = this;
    if (stack.length === 1) {
      // A router's own next() takes 'route' and 'router' too: one handler needs no other.
      const [step] = stack;
      if (step.catches || (step.method !== undefined && step.method !== wanted)) done();
      else step.run(undefined, req, res, done);
      return;
    }

    let index = 0;
    const next: NextFunction = (signal) => {
      if (signal === 'route') return done();
      if (signal === 'router') return done(signal);
      const error = signal || undefined;
      while (index < stack.length) {
        const step = stack[index++];
        if (step.catches !== (error !== undefined)) continue;
        if (step.method !== undefined && step.method !== wanted) continue;
        return step.run(error, req, res, next);
      }
      done(error);
    };
    next();
  }

  private add(verb: Verb | undefined, handlers: readonly AnyHandlers[]): this {
    for (const handler of flattenHandlers(handlers)) {
      this.stack.push(new Step(handler, verb));
      this.methods[verb ?? '_all'] = true;
    }
    return this;
  }

  static {
    for (const verb of VERBS) {
      Route.prototype[verb] = function (...handlers: AnyHandlers[]) {
        return this.add(verb, handlers);
      };
    }
  }
}
