import { parse as parseCookies } from 'cookie';
import type { Request } from '../../core/request.ts';
import type { Middleware } from '../../core/types.ts';
import { FIELDS, type SpooledForm } from '../multipart/spool.ts';
import type { Found } from './find.ts';
import { nest, type Variables } from './nest.ts';
import { EXIT } from './output.ts';
import { nestFiles, uploadedFiles } from './uploads.ts';

export interface Surroundings {
  /** The site's real path. */
  root: string;
  /** What pages see as `$_ENV`. */
  env: Record<string, string>;
  /** Of each of `$_GET`, `$_POST`, `$_COOKIE` and `$_FILES` the most variables. */
  maxInputVars: number;
  /** Reads forms with files. */
  multipart: Middleware;
}

/** What a page finds of its request under PHP's names; each is made when it is asked for, and but for `$_SESSION` has no prototype. */
export class Superglobals {
  readonly #req: Request;
  readonly #found: Found;
  readonly #site: Surroundings;
  #get: Variables | undefined;
  #post: Variables | undefined;
  #cookie: Variables | undefined;
  #files: Record<string, unknown> | undefined;
  #request: Variables | undefined;
  #server: Record<string, string | number> | undefined;
  #env: Record<string, string> | undefined;
  #body: Promise<void> | undefined;

  constructor(req: Request, found: Found, site: Surroundings) {
    this.#req = req;
    this.#found = found;
    this.#site = site;
  }

  get $_GET(): Variables {
    this.#get ??= nest(new URLSearchParams(searchOf(this.#req.url)), this.#site.maxInputVars);
    return this.#get;
  }

  get $_COOKIE(): Variables {
    const cookies = () => Object.entries(parseCookies(this.#req.headers.cookie ?? '')) as Field[];
    this.#cookie ??= nest(cookies(), this.#site.maxInputVars);
    return this.#cookie;
  }

  get $_SERVER(): Record<string, string | number> {
    this.#server ??= this.#makeServer();
    return this.#server;
  }

  get $_ENV(): Record<string, string> {
    this.#env ??= Object.assign(Object.create(null), this.#site.env) as Record<string, string>;
    return this.#env;
  }

  /** Of the session middleware that is mounted, if one is. */
  get $_SESSION(): unknown {
    return (this.#req as { session?: unknown }).session;
  }

  get $_POST(): Variables {
    this.#post ??= nest([], 0);
    return this.#post;
  }

  get $_FILES(): Record<string, unknown> {
    this.#files ??= nestFiles(uploadedFiles(this.#req), this.#site.maxInputVars);
    return this.#files;
  }

  /** As PHP's `request_order`, "GP": what was posted counts before the query. */
  get $_REQUEST(): Variables {
    this.#request ??= Object.assign(Object.create(null), this.$_GET, this.$_POST) as Variables;
    return this.#request;
  }

  /** Before `$_POST`, `$_FILES` and `$_REQUEST` are asked for. Rejects as `req.form()` does, or with the errors of `multipart`. */
  readBody(): Promise<void> {
    this.#body ??= this.#read();
    return this.#body;
  }

  async #read(): Promise<void> {
    const req = this.#req;
    const max = this.#site.maxInputVars;
    const type = req.is('urlencoded', 'multipart/form-data');
    if (!type) return;
    if (type !== 'urlencoded' && req.body === undefined) await this.#readParts();
    if (typeof req.body === 'object' && req.body !== null) {
      this.#post = nest((req as Partial<SpooledForm>)[FIELDS] ?? fieldsOf(req.body), max);
    } else if (type === 'urlencoded') {
      this.#post = nest(new URLSearchParams(await req.text()), max);
    }
  }

  #readParts(): Promise<void> {
    const { res } = this.#req;
    return new Promise((resolve, reject) => {
      // Where the client leaves, nobody is called.
      if (res.destroyed) throw EXIT;
      res.once('close', () => reject(EXIT));
      this.#site.multipart(this.#req, res, (error) => (error ? reject(error) : resolve()));
    });
  }

  #makeServer(): Record<string, string | number> {
    const { env, baseUrl = '' } = this.#req;
    const { file, scriptName, pathInfo } = this.#found;
    const server: Record<string, string | number> = Object.assign(Object.create(null), env);
    const now = Date.now() / 1000;
    server.DOCUMENT_ROOT ||= this.#site.root;
    server.SCRIPT_FILENAME = file;
    if (scriptName !== undefined) {
      server.SCRIPT_NAME = baseUrl + scriptName;
      server.PATH_INFO = pathInfo;
    } else if (pathInfo !== '') {
      // The web server has not split them, as nginx does not unless it is told.
      server.SCRIPT_NAME = removeEnd(env.SCRIPT_NAME ?? '', pathInfo);
      server.PATH_INFO = pathInfo;
    }
    if (!server.PATH_INFO) delete server.PATH_INFO;
    server.PHP_SELF = `${server.SCRIPT_NAME ?? ''}${server.PATH_INFO ?? ''}`;
    server.REQUEST_TIME = Math.floor(now);
    server.REQUEST_TIME_FLOAT = now;
    return server;
  }
}

type Field = [name: string, value: string];

/** The fields of a form that was parsed before, nested or not: one that came more than once has an array. */
function fieldsOf(body: object): Field[] {
  return Object.entries(body).flatMap(([name, value]) =>
    Array.isArray(value) && name.endsWith(']') ? value.map((one): Field => [name, String(one)]) : leavesOf(name, value),
  );
}

function leavesOf(name: string, value: unknown): Field[] {
  if (typeof value !== 'object' || value === null) return [[name, String(value)]];
  return Object.entries(value).flatMap(([key, one]) => leavesOf(`${name}[${key}]`, one));
}

function searchOf(url = ''): string {
  const mark = url.indexOf('?');
  return mark === -1 ? '' : url.slice(mark + 1);
}

function removeEnd(text: string, end: string): string {
  return text.endsWith(end) ? text.slice(0, -end.length) : text;
}
