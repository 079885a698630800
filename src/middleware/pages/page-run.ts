import { dirname, join } from 'node:path';
import { fcgiError } from '../../core/errors.ts';
import type { Request } from '../../core/request.ts';
import type { Response } from '../../core/response.ts';
import { Background } from './background.ts';
import type { Found } from './find.ts';
import { EXIT, Output } from './output.ts';
import type { Page } from './page-cache.ts';
import { Scope } from './scope.ts';
import type { Around, Site } from './site.ts';
import { Superglobals, type Surroundings } from './superglobals.ts';
import { moveUploadedFile, uploadedFiles } from './uploads.ts';

export interface RunOptions extends Surroundings {
  /** Bytes that are held back, so that headers can still be set. */
  buffer: number;
}

/** A page that runs, and how many are around it that include it. */
export interface Include {
  file: string;
  depth: number;
}

/** Of pages that include one another; without it, one that includes itself would take all memory there is. */
const MAX_DEPTH = 100;

/** One request's run of a page, with what is around it and what it includes. */
export class PageRun {
  readonly req: Request;
  readonly res: Response;
  readonly output: Output;
  readonly superglobals: Superglobals;
  readonly #site: Site;
  readonly #found: Found;
  #included: Set<string> | undefined;
  readonly #background = new Background();

  constructor(site: Site, found: Found, req: Request, res: Response, options: RunOptions) {
    this.req = req;
    this.res = res;
    this.output = new Output(res, options.buffer, this.#background, found.expectedBytes);
    this.superglobals = new Superglobals(req, found, options);
    this.#site = site;
    this.#found = found;
  }

  /**
   * Throws, or rejects with, what the page throws; of what it has written, nothing more is sent then. Undefined where the page has ended at once.
   */
  run(locals: Record<string, unknown>): Promise<void> | undefined {
    const { file, around = this.#site.around(file) } = this.#found;
    this.#found.around = around;
    const isAlone = around.prepend === undefined && around.wrapper === undefined && around.append === undefined;
    const running = isAlone ? this.#execute({ file, depth: 0 }, locals) : this.#surround(around, file, locals);
    if (running !== undefined || this.#background.isBusy) return this.#wait(running);
    this.#end();
    return undefined;
  }

  async #surround({ prepend, wrapper, append }: Around, file: string, locals: Record<string, unknown>): Promise<void> {
    const execute = (file: string, inner?: () => Promise<unknown>) => this.#execute({ file, depth: 0 }, locals, inner);
    if (prepend !== undefined) await execute(prepend);
    const page = () => this.#background.add((async () => execute(file))());
    await (wrapper === undefined ? execute(file) : execute(wrapper, page));
    if (append !== undefined) await execute(append);
  }

  async #wait(running: Promise<unknown> | undefined): Promise<void> {
    try {
      await running;
    } catch (error) {
      if (error !== EXIT) this.#fail(error);
    }
    try {
      await this.#background.end();
    } catch (error) {
      this.#fail(error);
    }
    this.#end();
  }

  #fail(error: unknown): void {
    if (this.#hasLeft(error)) return;
    this.output.close();
    throw error;
  }

  #end(): void {
    this.#found.expectedBytes = this.output.length;
    this.output.end();
  }

  /** Whether the client has left, and that is what the error says: the page waited by `req.signal`. */
  #hasLeft(error: unknown): boolean {
    return this.res.destroyed && (error as Error | undefined)?.name === 'AbortError';
  }

  include(from: Include, path: string, locals: Record<string, unknown>, once: boolean): Promise<unknown> {
    return this.#background.add(this.#include(from, path, locals, once));
  }

  moveUploadedFile(from: string, to: string): Promise<boolean> {
    return this.#background.add(moveUploadedFile(uploadedFiles(this.req), from, to));
  }

  async #include(from: Include, path: string, locals: Record<string, unknown>, once: boolean): Promise<unknown> {
    const wanted = path.startsWith('/') ? join(this.#site.root, path) : join(dirname(from.file), path);
    const file = this.#site.include(wanted);
    if (file === undefined) throw fcgiError('FCGI_ERR_PAGE_NOT_FOUND', `there is no page to include at ${wanted}`);
    this.#included ??= new Set();
    if (once && this.#included.has(file)) return undefined;
    this.#included.add(file);
    const depth = from.depth + 1;
    if (depth > MAX_DEPTH) {
      throw fcgiError(
        'FCGI_ERR_PAGE_DEPTH',
        `${file} is included by a page that is included, and so on, ${depth} times`,
      );
    }
    return this.#execute({ file, depth }, locals);
  }

  /** Undefined where there is nothing to wait for, nor to return: a promise would cost as much as a short page. */
  #execute(at: Include, locals: Record<string, unknown>, inner?: () => Promise<unknown>): Promise<unknown> | undefined {
    const page = this.#site.page(at.file);
    const scope = new Scope(this, at, locals, inner);
    if (page instanceof Promise || page.needsBody) return this.#prepare(page, scope);
    return this.#start(page, scope);
  }

  async #prepare(loading: Page | Promise<Page>, scope: Scope): Promise<unknown> {
    const page = await loading;
    if (page.needsBody) await this.superglobals.readBody();
    return this.#start(page, scope);
  }

  #start({ compiled, load }: Page, scope: Scope): Promise<unknown> | undefined {
    const running = compiled.run(scope, this.output, compiled.texts, load)();
    return scope.ended ? undefined : running;
  }
}
