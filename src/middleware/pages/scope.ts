import { dirname, resolve } from 'node:path';
import type { Request } from '../../core/request.ts';
import type { Response } from '../../core/response.ts';
import type { CookieOptions } from '../../core/set-cookie.ts';
import { htmlspecialchars } from './escape.ts';
import { EXIT } from './output.ts';
import type { Include, PageRun } from './page-run.ts';

export interface PhpCookieOptions extends Omit<CookieOptions, 'expires'> {
  expires?: Date | number;
  httponly?: boolean;
  samesite?: 'Lax' | 'Strict' | 'None';
}

/** What a page finds in its scope, each made when a page mentions it. */
export class Scope {
  readonly #run: PageRun;
  /** The page whose scope it is. */
  readonly #at: Include;
  readonly locals: Record<string, unknown>;
  /** For a `_page`: runs the page that it is around. */
  readonly page: (() => Promise<unknown>) | undefined;
  /** Whether all of the page has run. */
  ended = false;

  constructor(run: PageRun, at: Include, locals: Record<string, unknown>, page?: () => Promise<unknown>) {
    this.#run = run;
    this.#at = at;
    this.locals = locals;
    this.page = page;
  }

  get req(): Request {
    return this.#run.req;
  }

  get res(): Response {
    return this.#run.res;
  }

  get $_GET() {
    return this.#run.superglobals.$_GET;
  }

  get $_POST() {
    return this.#run.superglobals.$_POST;
  }

  get $_COOKIE() {
    return this.#run.superglobals.$_COOKIE;
  }

  get $_FILES() {
    return this.#run.superglobals.$_FILES;
  }

  get $_SERVER() {
    return this.#run.superglobals.$_SERVER;
  }

  get $_REQUEST() {
    return this.#run.superglobals.$_REQUEST;
  }

  get $_ENV() {
    return this.#run.superglobals.$_ENV;
  }

  get $_SESSION() {
    return this.#run.superglobals.$_SESSION;
  }

  /** As `<?= … ?>`: writes values escaped, one after the other. */
  get echo() {
    const { output } = this.#run;
    return output.echo.bind(output);
  }

  /** As `<?- … ?>`: writes values as they are. */
  get print() {
    const { output } = this.#run;
    return output.print.bind(output);
  }

  /** Sends what has been written until now. */
  get flush() {
    return () => this.#run.output.flush();
  }

  get htmlspecialchars() {
    return htmlspecialchars;
  }

  get ob_start() {
    return () => this.#run.output.obStart();
  }

  get ob_get_contents() {
    return () => this.#run.output.obContents() ?? false;
  }

  get ob_get_length() {
    return () => this.#run.output.obLength() ?? false;
  }

  get ob_get_level() {
    return () => this.#run.output.obLevel;
  }

  get ob_get_clean() {
    return () => this.#run.output.obTake(true) ?? false;
  }

  get ob_get_flush() {
    return () => this.#run.output.obTake(false) ?? false;
  }

  get ob_clean() {
    return () => this.#run.output.obEnd(true) && this.#run.output.obStart();
  }

  get ob_flush() {
    return () => this.#run.output.obEnd(false) && this.#run.output.obStart();
  }

  get ob_end_clean() {
    return () => this.#run.output.obEnd(true);
  }

  get ob_end_flush() {
    return () => this.#run.output.obEnd(false);
  }

  /**
   * Sets a header, in the place of one of that name unless `replace` is false, or in PHP's manner a whole line, with the
   * status if it is to have another: `header('Location: /', true, 301)`, `header('HTTP/1.1 404 Not Found')`. Location makes
   * the status 302, unless it is 201 or 3xx. Types of text have `charset=utf-8` unless told.
   */
  get header() {
    const { res } = this.#run;
    function header(line: string, replace?: boolean, status?: number): void;
    function header(name: string, value: string | number | readonly string[], replace?: boolean): void;
    function header(line: string, second?: unknown, third?: unknown): void {
      const status = /^HTTP\/\d(?:\.\d)? (\d{3})/.exec(line)?.[1];
      if (status !== undefined) res.status(Number(status));
      else if (line.includes(':')) {
        const [, name = '', value] = /^([^:]*):\s*(.*)$/s.exec(line)!;
        setHeader(res, name, value, second as boolean);
        if (typeof third === 'number') res.status(third);
      } else setHeader(res, line, second, third as boolean);
    }
    return header;
  }

  /**
   * Sets a cookie as `res.cookie` does, with that one's options or PHP's: `expires` in seconds since 1970, `httponly`,
   * `samesite`; or with PHP's arguments. Without a value it is taken away.
   */
  get setcookie() {
    const { res } = this.#run;
    return (
      name: string,
      value?: unknown,
      given: PhpCookieOptions | Date | number = {},
      path?: string,
      domain?: string,
      secure?: boolean,
      httpOnly?: boolean,
    ): void => {
      const isMoment = typeof given === 'number' || given instanceof Date;
      const options: PhpCookieOptions = isMoment ? { expires: given, path, domain, secure, httpOnly } : given;
      const { expires, httponly, samesite, ...rest } = options;
      const date = typeof expires === 'number' ? new Date(expires * 1000) : expires;
      const sameSite = samesite?.toLowerCase() as CookieOptions['sameSite'];
      // In PHP, 0 is the time when the browser is closed, and an empty domain or path none.
      const all = {
        httpOnly: httponly,
        sameSite,
        ...rest,
        domain: rest.domain || undefined,
        path: rest.path || undefined,
        expires: expires === 0 ? undefined : date,
      };
      if (value === undefined || value === null || value === false || value === '') res.clearCookie(name, all);
      else res.cookie(name, value, all);
    };
  }

  /** Gives the status, and sets it. */
  get http_response_code() {
    const { res } = this.#run;
    return (code?: number): number => {
      const before = res.statusCode;
      if (code !== undefined) res.status(code);
      return before;
    };
  }

  /** Answers with a redirect, 302 unless told, and ends the page. */
  get redirect() {
    const { res, output } = this.#run;
    return (url: string, status = 302): never => {
      output.drop();
      res.redirect(status, url);
      throw EXIT;
    };
  }

  /** Writes a file as it is, and gives its size in bytes. `path` is beside this page, unless it is absolute. */
  get readfile() {
    return (path: string) => this.#run.output.file(resolve(dirname(this.#at.file), path));
  }

  /**
   * Keeps a file of the form at another path, beside this page unless it is absolute; false if `from` is the `tmp_name` of none.
   * Rejects with EEXIST if there is a file already.
   */
  get move_uploaded_file() {
    return (from: string, to: string) => this.#run.moveUploadedFile(from, resolve(dirname(this.#at.file), to));
  }

  /** Ends the page, also from an include; writes a message before, as it is. */
  get exit() {
    const { output } = this.#run;
    return (message?: string): never => {
      if (typeof message === 'string') void output.print(message);
      throw EXIT;
    };
  }

  /** Runs another page here, and gives what it returns. `path` is beside this page, or with a slash in the site's root. */
  get include() {
    return (path: string, locals: Record<string, unknown> = {}) => this.#run.include(this.#at, path, locals, false);
  }

  /** The same, unless it has been included in this request. */
  get include_once() {
    return (path: string, locals: Record<string, unknown> = {}) => this.#run.include(this.#at, path, locals, true);
  }
}

function setHeader(res: Response, name: string, value: unknown, replace = true): void {
  const isText = name.toLowerCase() === 'content-type' && /^text\/[^;]*$/i.test(String(value));
  if (name.toLowerCase() === 'location') {
    res.location(String(value));
    const isRedirect = res.statusCode === 201 || (res.statusCode >= 300 && res.statusCode < 400);
    if (!isRedirect) res.status(302);
  } else if (replace) {
    // Not by `set`, which gives other types a charset as well.
    res.setHeader(name, isText ? `${value}; charset=utf-8` : (value as string));
  } else {
    res.append(name, value as string);
  }
}

/** Their names. */
export const SCOPE = ['locals', 'page', ...Object.keys(Object.getOwnPropertyDescriptors(Scope.prototype)).slice(1)];

/** Those for which the request's body has to be there. */
export const NEED_BODY = new Set(['$_POST', '$_FILES', '$_REQUEST']);
