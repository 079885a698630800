import type { Layer } from './layer.ts';
import { ParamCalls } from './param.ts';
import { type Match, originOf, pathOf } from './path.ts';
import type { Request } from './request.ts';
import type { Response } from './response.ts';
import { verbOf } from './route.ts';
import { nextPosition } from './route-index.ts';
import type { OpenRouter } from './router.ts';
import type { NextFunction } from './types.ts';

/** HOT. One request on its way through one router. */
export class Dispatch {
  private readonly router: OpenRouter;
  private readonly req: Request;
  private readonly res: Response;
  private readonly done: NextFunction;
  /** What the request had when it came in, and has again when it leaves. */
  private readonly outerUrl: string;
  private readonly outerParams: Request['params'];
  private readonly outerNext: NextFunction | undefined;
  private readonly origin: string;
  /** Where in the router's stack it is. */
  private position = -1;
  private path = '';
  private size = 0;
  /** What may match `path`, where the router has an index. */
  private candidates: number[][] | undefined = undefined;
  private match: Match | undefined = undefined;
  private error: unknown = undefined;
  /** What a mount took off the front of `req.url`. */
  private removed = '';
  private slashAdded = false;
  private paramCalls: ParamCalls | undefined = undefined;
  /** Of the routes that match and do not answer OPTIONS themselves. */
  private allowed: string[] | undefined = undefined;
  private readonly next: NextFunction;

  constructor(router: OpenRouter, req: Request, res: Response, done: NextFunction) {
    this.router = router;
    this.req = req;
    this.res = res;
    this.done = done;
    this.outerUrl = req.baseUrl || '';
    this.outerParams = req.params;
    this.outerNext = req.next;
    this.origin = originOf(req.url);
    this.next = (signal) => this.advance(signal);
    req.next = this.next;
    req.baseUrl = this.outerUrl;
    req.originalUrl = req.originalUrl || (req.url as string);
  }

  /** On to the next layer that matches: with an error, to the next error handler. */
  advance(signal?: unknown): void {
    if (this.removed !== '') this.restoreUrl();
    const leaving = signal === 'router';
    this.error = leaving || signal === 'route' ? undefined : signal || undefined;
    const layer = leaving ? undefined : this.nextLayer();
    if (layer === undefined) this.leave(leaving ? null : this.error);
    else this.enter(layer, this.match as Match, this.error);
  }

  /** Sets `match`; and `error`, where a path cannot be decoded. */
  private nextLayer(): Layer | undefined {
    // A handler may have changed req.url, or added a route.
    const { stack } = this.router;
    const path = pathOf(this.req.url, this.origin);
    if (path === undefined) return undefined;
    if (path !== this.path || stack.length !== this.size) {
      this.path = path;
      this.size = stack.length;
      this.candidates = this.router.candidates(path);
    }

    for (;;) {
      this.position = this.candidates === undefined ? this.position + 1 : nextPosition(this.candidates, this.position);
      if (this.position >= stack.length) return undefined;
      const layer = stack[this.position];
      const { route } = layer;
      if (route === undefined && layer.catches !== (this.error !== undefined)) continue;
      try {
        this.match = layer.match(path);
      } catch (invalid) {
        this.match = undefined;
        this.error ??= invalid;
      }
      if (this.match === undefined) continue;
      if (route === undefined) return layer;
      if (this.error !== undefined) continue;
      const verb = verbOf(this.req);
      if (route.handles(verb)) return layer;
      if (verb === 'options') this.allowed = (this.allowed ?? []).concat(route.allowed());
    }
  }

  private enter(layer: Layer, match: Match, error: unknown): void {
    const { router, req } = this;
    if (layer.route !== undefined) req.route = layer.route;
    req.params = router.mergeParams ? mergeParams(match.params, this.outerParams) : match.params;
    if (!router.hasParamHandlers) {
      this.run(layer, match.path, error);
      return;
    }
    this.paramCalls ??= new ParamCalls(router.params);
    this.paramCalls.run(Object.keys(match.params), req, this.res, (refused) => {
      if (refused) this.advance(error ?? refused);
      else this.run(layer, match.path, error);
    });
  }

  private run(layer: Layer, matched: string, error: unknown): void {
    const { req, res, next } = this;
    if (layer.route !== undefined) layer.route.dispatch(req, res, next);
    else if (matched === '' || this.stripPrefix(matched)) layer.run(error, req, res, next);
    else this.advance(error);
  }

  /** Takes what a mount matched off `req.url`; false where it is not a prefix of whole segments, as of a RegExp. */
  private stripPrefix(matched: string): boolean {
    const { req, origin, path } = this;
    if (!path.startsWith(matched) || (path.length > matched.length && path[matched.length] !== '/')) return false;
    const rest = (req.url as string).slice(origin.length + matched.length);
    this.removed = matched;
    this.slashAdded = origin === '' && rest[0] !== '/';
    req.url = this.slashAdded ? `/${rest}` : origin + rest;
    req.baseUrl = this.outerUrl + (matched.endsWith('/') ? matched.slice(0, -1) : matched);
    return true;
  }

  private restoreUrl(): void {
    const { req, origin } = this;
    const url = req.url as string;
    req.url = origin + this.removed + url.slice(this.slashAdded ? 1 : origin.length);
    req.baseUrl = this.outerUrl;
    this.removed = '';
    this.slashAdded = false;
  }

  private leave(error: unknown): void {
    const { req, done } = this;
    req.baseUrl = this.outerUrl;
    req.params = this.outerParams;
    req.next = this.outerNext;
    if (error || this.allowed === undefined) done(error);
    else this.answerOptions(this.allowed);
  }

  private answerOptions(methods: string[]): void {
    const { res } = this;
    const allow = [...new Set(methods)].sort().join(', ');
    try {
      res.setHeader('Allow', allow);
      res.setHeader('Content-Length', Buffer.byteLength(allow));
      res.setHeader('Content-Type', 'text/plain');
      res.setHeader('X-Content-Type-Options', 'nosniff');
      res.end(allow);
    } catch (error) {
      this.done(error);
    }
  }
}

/** The parent's parameters and one's own, which win; the numbered ones of regular expressions follow the parent's. */
function mergeParams(own: Request['params'], outer: Request['params'] | undefined): Request['params'] {
  if (typeof outer !== 'object' || outer === null) return own;
  let offset = 0;
  while (offset in outer) offset++;
  const merged: Request['params'] = { ...outer };
  for (const name of Object.keys(own)) {
    merged[/^\d+$/.test(name) ? Number(name) + offset : name] = own[name];
  }
  return merged;
}
