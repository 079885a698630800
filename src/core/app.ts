import { EventEmitter } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { authorize, isAuthorizer } from './authorizer.ts';
import { finalHandler } from './final-handler.ts';
import { adopt, isExpress, mountExpress } from './foreign.ts';
import type { ParamHandler } from './param.ts';
import type { Path } from './path.ts';
import { Request } from './request.ts';
import { Response } from './response.ts';
import { type AnyHandlers, type Route, VERBS, type Verb } from './route.ts';
import { type AddRoute, Router, splitPath, type Use } from './router.ts';
import { applySetting, createSettings, type Settings } from './settings.ts';
import { flattenHandlers } from './step.ts';
import type { NextFunction } from './types.ts';

interface GetSettingOrRoute extends AddRoute<Application> {
  (setting: string): unknown;
}

/**
 * An application: a chain of handlers and routes with settings, itself a handler wherever Connect middleware is. Emits
 * `'mount'` with its parent when another application mounts it. See docs/routing.md.
 *
 * @example
 * const app = createApp();
 * app.get('/hello/:name', (req, res) => res.send(`Hello ${req.params.name}`));
 * app.listen(8080);
 */
export interface Application extends EventEmitter, Omit<Record<Verb, AddRoute<Application>>, 'get'> {
  /** Without `next`, it answers 404 and errors itself. */
  (req: IncomingMessage, res: ServerResponse, next?: NextFunction): void;
  /** With one argument a setting's value, with more a route for GET. */
  get: GetSettingOrRoute;
  all: AddRoute<Application>;
  use: Use<Application>;
  /** Adds a route and gives it, for handlers of several methods on one path. */
  route(path: Path): Route;
  /**
   * Adds handlers for the Authorizer role (FastCGI specification, section 6.3), in which a web server asks whether a request
   * may be let through to whatever it protects. `res.allow(variables)` lets it through; any other answer is a denial, whose
   * status is 403 unless it is set. Only of the outermost application; its routes are for the other roles alone. See
   * docs/authorizer.md.
   */
  authorize: Use<Application>;
  /** Has `handler` called before the routes with a parameter of that name, once for each value in a request. */
  param(name: string | readonly string[], handler: ParamHandler): this;

  set(setting: string): unknown;
  set(setting: string, value: unknown): this;
  enable(setting: string): this;
  disable(setting: string): this;
  enabled(setting: string): boolean;
  disabled(setting: string): boolean;
  /** By name. What a mounted application has not set itself is its parent's. */
  readonly settings: Settings;
  /** For the application's own use; `settings` is among them. */
  readonly locals: Record<string, unknown>;

  /** Made when it is first used, with the settings `case sensitive routing` and `strict routing` as they are then. */
  readonly router: Router;
  /** The path or paths it is mounted on. Default: `'/'`. */
  mountpath: Path;
  parent: { path(): string; settings: Settings } | undefined;
  /** The path it is mounted on, with its parents'; empty for an application that is not mounted. */
  path(): string;

  /** Serves the application over HTTP, as `http.Server.listen`; the callback is told of an error, too. */
  listen: Server['listen'];
  handle(req: IncomingMessage, res: ServerResponse, next?: NextFunction): void;
}

/** What the methods below keep to themselves. */
interface State {
  chain: Router | undefined;
  authorizers: Router | undefined;
  trustsByDefault: boolean;
}

type Methods = Omit<Application, Verb | keyof EventEmitter | keyof Properties> & Pick<Application, 'get'>;
type Properties = Pick<Application, 'settings' | 'locals' | 'mountpath' | 'parent'>;

const methods: Methods & ThisType<Application & State> = {
  /** HOT. */
  handle(message, response, next) {
    const passOn = adopt(message, response, next);
    const req = message as Request;
    const res = response as Response;
    const outer = req.app;
    req.app = this;
    res.app = this;
    req.res = res;
    res.locals ??= Object.create(null);
    if (passOn === undefined) {
      const done: NextFunction = (error) => finalHandler(error, req, res, this.settings.env);
      if (isAuthorizer(req)) authorize(this.authorizers, req, res, done);
      else this.router.handle(req, res, done);
      return;
    }
    this.router.handle(req, res, (error) => {
      req.app = outer;
      res.app = outer;
      passOn(error);
    });
  },

  authorize(...args: unknown[]) {
    const app = this as unknown as Application & State;
    app.authorizers ??= new Router();
    app.authorizers.use(...(args as []));
    return this;
  },

  get router() {
    const app = this as unknown as Application & State;
    app.chain ??= new Router({
      caseSensitive: app.enabled('case sensitive routing'),
      strict: app.enabled('strict routing'),
    });
    return app.chain;
  },

  use(...args: unknown[]) {
    const [path, handlers] = splitPath(args);
    for (const handler of flattenHandlers(handlers)) {
      if (isApplication(handler)) {
        handler.mountpath = path;
        handler.parent = this;
        this.router.use(path, handler);
        handler.emit('mount', this);
      } else {
        this.router.use(path, isExpress(handler) ? mountExpress(handler) : handler);
      }
    }
    return this;
  },

  get(first: Path, ...handlers: AnyHandlers[]) {
    if (handlers.length === 0) return this.settings[first as string] as Application;
    this.route(first).get(...handlers);
    return this;
  },

  all(path: Path, ...handlers: AnyHandlers[]) {
    this.route(path).all(...handlers);
    return this;
  },

  route(path) {
    return this.router.route(path);
  },

  param(names, handler) {
    for (const name of [names].flat()) this.router.param(name, handler);
    return this;
  },

  set(...args: [setting: string, value?: unknown]) {
    const [setting, value] = args;
    if (args.length === 1) return this.settings[setting] as Application;
    applySetting(this.settings, setting, value);
    if (setting === 'trust proxy') this.trustsByDefault = false;
    return this;
  },

  enable(setting) {
    return this.set(setting, true);
  },

  disable(setting) {
    return this.set(setting, false);
  },

  enabled(setting) {
    return Boolean(this.settings[setting]);
  },

  disabled(setting) {
    return !this.settings[setting];
  },

  path() {
    return this.parent === undefined ? '' : this.parent.path() + this.mountpath;
  },

  listen(...args: unknown[]) {
    const server = createServer({ IncomingMessage: Request, ServerResponse: Response }, this) as Server;
    const callback = args.at(-1);
    if (typeof callback === 'function') {
      const onError = callback as (error: Error) => void;
      server.once('error', onError);
      server.once('listening', () => server.off('error', onError));
    }
    return server.listen(...(args as []));
  },
};

// As in Express, an application is a function with an EventEmitter's methods.
const prototype: Application = Object.create(Function.prototype, {
  ...Object.getOwnPropertyDescriptors(EventEmitter.prototype),
  ...Object.getOwnPropertyDescriptors(methods),
});
for (const verb of VERBS) {
  if (verb === 'get') continue;
  prototype[verb] = function (this: Application, path: Path, ...handlers: AnyHandlers[]) {
    this.route(path)[verb](...handlers);
    return this;
  };
}

/** Makes an application, with Express's defaults for the settings that are not given. */
export function createApp(settings: Settings = {}): Application {
  const app = ((req, res, next) => app.handle(req, res, next)) as Application & State;
  Object.setPrototypeOf(app, prototype);
  const own = Object.setPrototypeOf(createSettings(), null) as Settings;
  const properties: Properties & State = {
    settings: own,
    locals: Object.assign(Object.create(null), { settings: own }),
    mountpath: '/',
    parent: undefined,
    chain: undefined,
    authorizers: undefined,
    trustsByDefault: true,
  };
  Object.assign(app, properties);
  for (const [setting, value] of Object.entries(settings)) app.set(setting, value);
  app.on('mount', inherit);
  return app;
}

function inherit(this: Application & State, parent: Application): void {
  if (this.trustsByDefault && typeof parent.settings['trust proxy fn'] === 'function') {
    delete this.settings['trust proxy'];
    delete this.settings['trust proxy fn'];
  }
  Object.setPrototypeOf(this.settings, parent.settings);
}

function isApplication(handler: object): handler is Application {
  return Object.getPrototypeOf(handler) === prototype;
}
