import http from 'node:http';
import { isIP } from 'node:net';
import type { Readable } from 'node:stream';
import accepts from 'accepts';
import fresh from 'fresh';
import proxyAddr from 'proxy-addr';
import parseRange from 'range-parser';
import typeIs from 'type-is';
import type { Application } from './app.ts';
import { type BodyOptions, type Form, type JsonBodyOptions, readBytes, readForm, readJson, readText } from './body.ts';
import { cgiSocket, makeEnv, type Role, roleOf } from './env.ts';
import { originOf, pathOf } from './path.ts';
import type { Response } from './response.ts';
import type { Route } from './route.ts';
import { type QueryParser, type Settings, settingsOf, type TrustFunction } from './settings.ts';
import type { NextFunction } from './types.ts';

/** `req.query` of the simple parser: a name that came more than once has an array. */
export type Query = Record<string, string | string[] | undefined>;

/** Of a `type`, mostly `bytes`: the first and the last of each. */
export type Ranges = { start: number; end: number }[] & { type: string };

/** What was parsed, and by whom. */
interface ParsedQuery {
  search: string;
  parse: QueryParser | undefined;
  value: Query;
}

const QUERY = Symbol('query');
const ENV = Symbol('env');
const ABORT = Symbol('abort controller');
const ALONE = Symbol('alone');

/**
 * What a client asks for: Node's `IncomingMessage` with Express's properties and CGI's. docs/request.md has an example of each.
 *
 * Everything is made on first use, so that a message whose prototype is switched to this class's is one as well.
 */
export class Request<Params = Record<string, string | string[]>> extends http.IncomingMessage {
  /** The application that is running. */
  declare app: Application;
  declare res: Response;
  /** Passes the request on from wherever it is; set by the router. */
  declare next?: NextFunction;
  /** What the route's path matched, decoded. */
  declare params: Params;
  /** The route that is being run. */
  declare route: Route;
  /** The path at which the running router or application is mounted; empty at the top. */
  declare baseUrl: string;
  /** The `url` as it came: mounting takes its prefix off `url`. */
  declare originalUrl: string;
  /** Set by middleware that parses bodies, as `json()`; undefined where none has found its own type. */
  declare body: unknown;
  /** Set by `cookies()`: those that the client sent, but for the signed ones. See docs/cookies.md. */
  declare cookies: Record<string, unknown>;
  /** Set by `cookies({ secret })`: what was signed, and not changed since; false for what was changed. */
  declare signedCookies: Record<string, unknown>;
  /** Set by `cookies({ secret })`: what `res.cookie` signs with. */
  declare secret?: string;
  declare [QUERY]?: ParsedQuery;
  declare [ENV]?: Record<string, string>;
  declare [ABORT]?: AbortController;
  declare [ALONE]?: boolean;

  /** The CGI/1.1 parameters (RFC 3875, section 4): as the web server sent them, or made of an HTTP request on first use. */
  get env(): Record<string, string> {
    const socket = cgiSocket(this);
    if (socket) return socket.params;
    this[ENV] ??= makeEnv(this);
    return this[ENV];
  }

  /** What the web server asks for (FastCGI, section 6); over HTTP always `'responder'`. */
  get role(): Role {
    return roleOf(this);
  }

  set role(value: unknown) {
    assign(this, 'role', value);
  }

  /**
   * For a Filter, the file that it is to process (FastCGI, section 6.4); undefined in every other role.
   *
   * It fails with `ECONNRESET` when the web server gives the request up, and with `FCGI_ERR_BODY_UNDERRUN` or
   * `FCGI_ERR_BODY_OVERRUN` if it is not as long as `env.FCGI_DATA_LENGTH` says.
   */
  get data(): Readable | undefined {
    return this.role === 'filter' ? cgiSocket(this)?.data : undefined;
  }

  set data(value: unknown) {
    assign(this, 'data', value);
  }

  /** The request body: this message, which is a Readable and has `bytes()`, `text()`, `json()` and `form()`. */
  get stdin(): this {
    return this;
  }

  /**
   * The whole body, inflated if it came compressed; a second call answers with the same bytes.
   *
   * Rejects with `FCGI_ERR_BODY_TOO_LARGE` (413), `FCGI_ERR_BODY_TYPE` (415, unknown Content-Encoding),
   * `FCGI_ERR_BODY_SYNTAX` (400, not what Content-Encoding says), `FCGI_ERR_BODY_USED` (500, others have read it), or with
   * the request's own error when the client goes away.
   */
  bytes(options?: BodyOptions): Promise<Buffer> {
    return readBytes(this, options);
  }

  /** The body decoded by the charset of its Content-Type, UTF-8 unless told; rejects as `bytes`, and with 415 if unknown. */
  text(options?: BodyOptions): Promise<string> {
    return readText(this, options);
  }

  /**
   * The body parsed as JSON, whatever its Content-Type; rejects as `text`, and with `FCGI_ERR_BODY_SYNTAX` (400), also for
   * keys that lead to a prototype.
   */
  json(options?: JsonBodyOptions): Promise<unknown> {
    return readJson(this, options);
  }

  /** The fields of an `application/x-www-form-urlencoded` body; rejects as `text`, and with 415 for any other type. */
  form(options?: BodyOptions): Promise<Form> {
    return readForm(this, options);
  }

  /** Aborts when the client goes away before it has the whole answer; never after that. */
  get signal(): AbortSignal {
    if (!this[ABORT]) {
      const controller = new AbortController();
      this[ABORT] = controller;
      const { res } = this;
      // Without `res` (no application) there is only the request to look at, which says nothing once its body is read.
      const abort = () => {
        if (res ? !res.writableFinished : this.aborted) controller.abort();
      };
      if ((res ?? this).destroyed) abort();
      else (res ?? this).once('close', abort);
    }
    return this[ABORT].signal;
  }

  /** A header by its name in any case; `Referer` and `Referrer` are one. */
  get(name: 'set-cookie' | 'Set-Cookie'): string[] | undefined;
  get(name: string): string | undefined;
  get(name: string): string | string[] | undefined {
    if (!name) throw new TypeError('name argument is required to req.get');
    if (typeof name !== 'string') throw new TypeError('name must be a string to req.get');
    const key = name.toLowerCase();
    if (key === 'referer' || key === 'referrer') return this.headers.referrer || this.headers.referer;
    return this.headers[key];
  }

  /** The same as `get`. */
  header(name: 'set-cookie' | 'Set-Cookie'): string[] | undefined;
  header(name: string): string | undefined;
  header(name: string): string | string[] | undefined {
    return this.get(name);
  }

  /**
   * Which part of a thing of that size the header Range asks for. Undefined without it, -1 if nothing of that is there, -2 if
   * it is none. With `combine`, those that meet or overlap are one.
   */
  range(size: number, options?: { combine?: boolean }): Ranges | -1 | -2 | undefined {
    const range = this.get('Range');
    return range ? parseRange(size, range, options) : undefined;
  }

  /** The url's path, as it was sent. */
  get path(): string {
    const { url } = this;
    return pathOf(url, originOf(url)) ?? '/';
  }

  /**
   * What follows the `?`, parsed by the setting `query parser`. It has no prototype, so any name is safe to look up.
   * Undefined for a listener of other people's: Express 4 parses it only if nobody has, and would lose ours.
   */
  get query(): Query {
    if (this.app === undefined && !this[ALONE]) return undefined as unknown as Query;
    const search = searchOf(this.url!);
    const parse = settingsOf(this)['query parser fn'] as QueryParser | undefined;
    const last = this[QUERY];
    if (last?.search === search && last.parse === parse) return last.value;
    const value = (parse ? parse(search) : Object.create(null)) as Query;
    this[QUERY] = { search, parse, value };
    return value;
  }

  set query(value: Query) {
    assign(this, 'query', value);
  }

  /** `'https'` or `'http'`; what `X-Forwarded-Proto` says, if the setting `trust proxy` trusts the peer. */
  get protocol(): string {
    const { socket } = this;
    const protocol = 'encrypted' in socket && socket.encrypted ? 'https' : 'http';
    if (!trustOf(this)(socket.remoteAddress!, 0)) return protocol;
    return first(this.get('X-Forwarded-Proto')) || protocol;
  }

  get secure(): boolean {
    return this.protocol === 'https';
  }

  /** The client's address: the peer's, or of `X-Forwarded-For` the last that the setting `trust proxy` does not trust. */
  get ip(): string | undefined {
    return proxyAddr(this, trustOf(this));
  }

  /** The trusted addresses of `X-Forwarded-For`, the client's first. */
  get ips(): string[] {
    return proxyAddr.all(this, trustOf(this)).reverse().slice(0, -1);
  }

  /** The `Host` header with its port; `X-Forwarded-Host`, if the setting `trust proxy` trusts the peer. */
  get host(): string | undefined {
    const forwarded = this.get('X-Forwarded-Host');
    if (forwarded && trustOf(this)(this.socket.remoteAddress!, 0)) return first(forwarded) || undefined;
    return this.get('Host') || undefined;
  }

  /** `host` without the port; an IPv6 address keeps its brackets. */
  get hostname(): string | undefined {
    const { host } = this;
    if (!host) return undefined;
    const colon = host.indexOf(':', host.startsWith('[') ? host.indexOf(']') + 1 : 0);
    return colon === -1 ? host : host.slice(0, colon);
  }

  /** The labels of `hostname`, last first, but for as many as the setting `subdomain offset` (2) says. */
  get subdomains(): string[] {
    const { hostname } = this;
    if (!hostname) return [];
    const labels = isIP(hostname) ? [hostname] : hostname.split('.').reverse();
    return labels.slice(settingsOf(this)['subdomain offset'] as number);
  }

  /** Which of the types the body is: the type as it was given, `false` for none, `null` if there is no body. */
  is(...types: string[] | [string[]]): string | false | null {
    return typeIs(this, types.flat());
  }

  /** Which of the types the client likes best, `false` for none; without arguments, all it accepts. */
  accepts(): string[];
  accepts(...types: string[] | [string[]]): string | false;
  accepts(...types: string[] | [string[]]): string | string[] | false {
    return accepts(this).types(types.flat());
  }

  acceptsEncodings(): string[];
  acceptsEncodings(...encodings: string[] | [string[]]): string | false;
  acceptsEncodings(...encodings: string[] | [string[]]): string | string[] | false {
    return accepts(this).encodings(...encodings.flat());
  }

  acceptsCharsets(): string[];
  acceptsCharsets(...charsets: string[] | [string[]]): string | false;
  acceptsCharsets(...charsets: string[] | [string[]]): string | string[] | false {
    return accepts(this).charsets(...charsets.flat());
  }

  acceptsLanguages(): string[];
  acceptsLanguages(...languages: string[] | [string[]]): string | false;
  acceptsLanguages(...languages: string[] | [string[]]): string | string[] | false {
    return accepts(this).languages(...languages.flat());
  }

  /** Whether what the client has is as good as the answer, by its ETag and Last-Modified (RFC 9110, section 13). */
  get fresh(): boolean {
    return isFresh(this, this.res);
  }

  get stale(): boolean {
    return !this.fresh;
  }

  /** Whether `X-Requested-With` is `XMLHttpRequest`. */
  get xhr(): boolean {
    return this.get('X-Requested-With')?.toLowerCase() === 'xmlhttprequest';
  }
}

// To what was written for node:http these names are as free as any other: what is assigned stays.
for (const [name, { get, set }] of Object.entries(Object.getOwnPropertyDescriptors(Request.prototype))) {
  if (get === undefined || set !== undefined) continue;
  Object.defineProperty(Request.prototype, name, {
    get,
    set(this: Request, value) {
      assign(this, name, value);
    },
    configurable: true,
  });
}

/** For handlers of this package that need no application. */
export function standAlone(req: Request): Request {
  if (req.app === undefined) req[ALONE] = true;
  return req;
}

/** HOT: whether an answer may be 304. Looks at the names as they came first: few requests have any condition. */
export function isFresh(req: http.IncomingMessage, res: http.ServerResponse): boolean {
  const { method } = req;
  if (method !== 'GET' && method !== 'HEAD' && method !== 'QUERY') return false;
  const status = res.statusCode;
  if (status !== 304 && (status < 200 || status > 299)) return false;
  if (!isConditional(req)) return false;
  const etag = res.getHeader('ETag') as string | undefined;
  return fresh(req.headers, { etag, 'last-modified': res.getHeader('Last-Modified') });
}

/** HOT: whether there is an `If-…` header. To ask `headers` would make Node build it. */
export function isConditional({ rawHeaders }: http.IncomingMessage): boolean {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    if (name.charCodeAt(2) === 0x2d && (name.charCodeAt(0) | 0x20) === 0x69) return true;
  }
  return false;
}

/** For the names that Express leaves to applications, which keep a user's role or what they found on the request. */
function assign(req: http.IncomingMessage, name: string, value: unknown): void {
  Object.defineProperty(req, name, { value, writable: true, enumerable: true, configurable: true });
}

function trustOf(message: { app?: { settings: Settings } }): TrustFunction {
  return settingsOf(message)['trust proxy fn'] as TrustFunction;
}

/** The first of a list, as in `X-Forwarded-Proto: https, http`. */
function first(list: string | undefined): string {
  return list === undefined ? '' : list.split(',', 1)[0].trim();
}

function searchOf(url: string): string {
  const mark = url.indexOf('?');
  if (mark === -1) return '';
  const hash = url.indexOf('#', mark);
  return url.slice(mark + 1, hash === -1 ? undefined : hash);
}
