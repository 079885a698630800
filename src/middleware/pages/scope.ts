import type { Request } from '../../core/request.ts';
import type { Response } from '../../core/response.ts';
import type { CookieOptions } from '../../core/set-cookie.ts';
import { htmlspecialchars } from './escape.ts';
import { EXIT } from './output.ts';
import type { PageRun } from './page-run.ts';

export interface PhpCookieOptions extends Omit<CookieOptions, 'expires'> {
  expires?: Date | number;
  httponly?: boolean;
  samesite?: 'Lax' | 'Strict' | 'None';
}

/** What a page finds in its scope, each made when a page mentions it. */
export class Scope {
  readonly #run: PageRun;
  /** The page whose scope it is. */
  readonly #file: string;
  readonly locals: Record<string, unknown>;
  /** For a `_page`: runs the page that it is around. */
  readonly page: (() => Promise<unknown>) | undefined;

  constructor(run: PageRun, file: string, locals: Record<string, unknown>, page?: () => Promise<unknown>) {
    this.#run = run;
    this.#file = file;
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
    const { output } = this.#run;
    return () => output.flush();
  }

  get htmlspecialchars() {
    return htmlspecialchars;
  }

  get ob_start() {
    const { output } = this.#run;
    return () => output.obStart();
  }

  get ob_get_contents() {
    const { output } = this.#run;
    return () => output.obContents() ?? false;
  }

  get ob_get_clean() {
    const { output } = this.#run;
    return () => {
      const contents = output.obContents() ?? false;
      output.obEnd(true);
      return contents;
    };
  }

  get ob_end_clean() {
    const { output } = this.#run;
    return () => output.obEnd(true);
  }

  get ob_end_flush() {
    const { output } = this.#run;
    return () => output.obEnd(false);
  }

  /**
   * Sets a header, in the place of one of that name unless `replace` is false; or, in PHP's manner, a whole line:
   * `header('Location: /')`, `header('HTTP/1.1 404 Not Found')`. Location makes the status 302, unless it is 201 or 3xx.
   */
  get header() {
    const { res } = this.#run;
    return (line: string, value?: string | number | readonly string[], replace = true): void => {
      const status = /^HTTP\/\d(?:\.\d)? (\d{3})/.exec(line)?.[1];
      if (status !== undefined) {
        res.status(Number(status));
        return;
      }
      const [, before = '', after = ''] =
        value === undefined ? (/^([^:]*):\s*(.*)$/s.exec(line) ?? ['', line]) : ['', line, value];
      const name = String(before);
      if (replace) res.set(name, after as string);
      else res.append(name, after as string);
      const isRedirect = res.statusCode === 201 || (res.statusCode >= 300 && res.statusCode < 400);
      if (name.toLowerCase() === 'location' && !isRedirect) res.status(302);
    };
  }

  /**
   * Sets a cookie as `res.cookie` does; of PHP's own options it knows `expires` in seconds since 1970, `httponly` and
   * `samesite`.
   */
  get setcookie() {
    const { res } = this.#run;
    return (name: string, value: unknown = '', options: PhpCookieOptions = {}): void => {
      const { expires, httponly, samesite, ...rest } = options;
      const date = typeof expires === 'number' ? new Date(expires * 1000) : expires;
      const sameSite = samesite?.toLowerCase() as CookieOptions['sameSite'];
      // In PHP, 0 is the time when the browser is closed.
      res.cookie(name, value, { httpOnly: httponly, sameSite, ...rest, expires: expires === 0 ? undefined : date });
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
    return (path: string, locals: Record<string, unknown> = {}) => this.#run.include(this.#file, path, locals, false);
  }

  /** The same, unless it has been included in this request. */
  get include_once() {
    return (path: string, locals: Record<string, unknown> = {}) => this.#run.include(this.#file, path, locals, true);
  }
}

/** Their names. */
export const SCOPE = ['locals', 'page', ...Object.keys(Object.getOwnPropertyDescriptors(Scope.prototype)).slice(1)];

/** Those for which the request's body has to be there. */
export const OF_BODY = new Set(['$_POST', '$_FILES', '$_REQUEST']);
