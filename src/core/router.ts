import type { IncomingMessage, ServerResponse } from 'node:http';
import { Dispatch } from './dispatch.ts';
import { fcgiError } from './errors.ts';
import { Layer } from './layer.ts';
import type { ParamHandler } from './param.ts';
import type { Path } from './path.ts';
import type { Request } from './request.ts';
import type { Response } from './response.ts';
import { type AnyHandlers, type Handlers, Route, VERBS, type Verb } from './route.ts';
import { RouteIndex } from './route-index.ts';
import { flattenHandlers } from './step.ts';
import type { NextFunction } from './types.ts';

export interface RouterOptions {
  /** Whether `/Users` differs from `/users`. Default: false. */
  caseSensitive?: boolean;
  /** Whether handlers see the parameters of the path that the router is mounted on, too. Default: false. */
  mergeParams?: boolean;
  /** Whether `/users/` differs from `/users`. Default: false. */
  strict?: boolean;
}

/** Adds a route for a path, or more handlers to it. */
export interface AddRoute<Self> {
  <const P extends string>(path: P, ...handlers: Handlers<P>[]): Self;
  (path: Path, ...handlers: Handlers[]): Self;
  (path: Path, ...handlers: AnyHandlers[]): Self;
}

/** Mounts handlers on a path, or on every one. */
export interface Use<Self> {
  (...handlers: Handlers[]): Self;
  <const P extends string>(path: P, ...handlers: Handlers<P>[]): Self;
  (path: Path, ...handlers: Handlers[]): Self;
  (path: Path, ...handlers: AnyHandlers[]): Self;
  (...handlers: AnyHandlers[]): Self;
}

/** A chain of handlers and routes, itself a handler; see docs/routing.md. */
export interface Router extends Record<Verb, AddRoute<Router>> {
  (req: IncomingMessage, res: ServerResponse, next: NextFunction): void;
  caseSensitive: boolean;
  mergeParams: boolean;
  strict: boolean;
  readonly stack: Layer[];

  use: Use<Router>;
  all: AddRoute<Router>;
  /** Adds a route and gives it, for handlers of several methods on one path. */
  route(path: Path): Route;
  /** Has `handler` called before the routes with a parameter of that name, once for each value in a request. */
  param(name: string, handler: ParamHandler): this;
  /** Passes a request through the chain; `done` gets what no handler answered. */
  handle(req: IncomingMessage, res: ServerResponse, done: NextFunction): void;
}

/** A router as a request on its way through it knows it. */
export interface OpenRouter extends Router {
  readonly params: Record<string, ParamHandler[]>;
  /** Whether there is anything in `params`. */
  hasParamHandlers: boolean;
  /** Made when it is first needed after a registration. */
  index: RouteIndex | undefined;
  /** The positions in `stack` that may match a path; `undefined` for all, where there are few. */
  candidates(path: string): number[][] | undefined;
}

/** Up to this many layers, asking each costs less than asking the index. */
const FEW = 8;

const methods: Pick<OpenRouter, 'use' | 'all' | 'route' | 'param' | 'handle' | 'candidates'> & ThisType<OpenRouter> = {
  use(...handlers: unknown[]) {
    const [path, rest] = splitPath(handlers);
    const options = { sensitive: this.caseSensitive, strict: false, end: false };
    const layers = flattenHandlers(rest).map((handler) => new Layer(path, options, handler));
    this.stack.push(...layers);
    return this;
  },

  all(path: Path, ...handlers: AnyHandlers[]) {
    this.route(path).all(...handlers);
    return this;
  },

  route(path) {
    const route = new Route(path);
    const options = { sensitive: this.caseSensitive, strict: this.strict, end: true };
    this.stack.push(new Layer(path, options, route.dispatch.bind(route), route));
    return route;
  },

  param(name, handler) {
    if (!name) throw fcgiError('FCGI_ERR_ARGUMENT', 'argument name is required');
    if (typeof name !== 'string') throw fcgiError('FCGI_ERR_ARGUMENT', 'argument name must be a string');
    if (!handler) throw fcgiError('FCGI_ERR_HANDLER', 'argument fn is required');
    if (typeof handler !== 'function') throw fcgiError('FCGI_ERR_HANDLER', 'argument fn must be a function');
    this.params[name] ??= [];
    this.params[name].push(handler);
    this.hasParamHandlers = true;
    return this;
  },

  handle(req, res, done) {
    if (typeof done !== 'function') throw fcgiError('FCGI_ERR_ARGUMENT', 'argument callback is required');
    new Dispatch(this, req as Request, res as Response, done).advance();
  },

  candidates(path) {
    if (this.stack.length <= FEW) return undefined;
    if (this.index?.size !== this.stack.length) this.index = new RouteIndex(this.stack);
    return this.index.find(path);
  },
};

const prototype: Router = Object.assign(Object.create(Function.prototype), methods);
for (const verb of VERBS) {
  prototype[verb] = function (this: Router, path: Path, ...handlers: AnyHandlers[]) {
    this.route(path)[verb](...handlers);
    return this;
  };
}

function createRouter(options: RouterOptions = {}): Router {
  const router = ((req, res, next) => router.handle(req, res, next)) as Router;
  Object.setPrototypeOf(router, prototype);
  return Object.assign(router, {
    caseSensitive: options.caseSensitive ?? false,
    mergeParams: options.mergeParams ?? false,
    strict: options.strict ?? false,
    stack: [],
    params: Object.create(null),
    hasParamHandlers: false,
    index: undefined,
  });
}
createRouter.prototype = prototype;

/** Makes a router, with or without `new`. */
export const Router = createRouter as unknown as {
  new (options?: RouterOptions): Router;
  (options?: RouterOptions): Router;
  readonly prototype: Router;
};

/** Mounts take a path before their handlers, or none. */
export function splitPath(handlers: unknown[]): [path: Path, handlers: unknown[]] {
  let [first] = handlers;
  while (Array.isArray(first) && first.length > 0) [first] = first;
  if (handlers.length === 0 || typeof first === 'function') return ['/', handlers];
  return [handlers[0] as Path, handlers.slice(1)];
}
