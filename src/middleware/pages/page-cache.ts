import { readFile } from 'node:fs/promises';
import { type Compiled, compile, type Import } from './compile.ts';
import { importOf } from './modules.ts';
import { PageError, type Place } from './page-error.ts';
import { NEED_BODY, SCOPE } from './scope.ts';
import { readSettled, stampOf } from './stamp.ts';

/** A page that was compiled. */
export interface Page {
  /** Its real path. */
  file: string;
  source: string;
  compiled: Compiled;
  /** Its `import()`. */
  load: Import;
  /** Whether the request's body has to be there before it runs. */
  needsBody: boolean;
}

interface Entry {
  stamp: string | undefined;
  page: Page | Promise<Page>;
}

/** Pages by their files, compiled once for each time that they change. */
export class PageCache {
  readonly #revalidate: number;
  readonly #settle: number;
  readonly #entries = new Map<string, Entry>();
  /** What was compiled last of each. */
  readonly #compiled = new Map<string, Page>();

  /**
   * @param revalidate Milliseconds for which a module that pages import is not looked at again.
   * @param settle Milliseconds that must have passed since a file was written to.
   */
  constructor(revalidate: number, settle: number) {
    this.#revalidate = revalidate;
    this.#settle = settle;
  }

  /** The page as it is now. Rejects with what is wrong with it. */
  get(file: string): Page | Promise<Page> {
    const stamp = stampOf(file);
    const known = this.#entries.get(file);
    if (known !== undefined && known.stamp === stamp) return known.page;
    const loading = this.#load(file, (settled) => (entry.stamp = settled));
    const entry: Entry = { stamp, page: loading };
    this.#entries.set(file, entry);
    loading.then(
      (page) => (entry.page = page),
      (error: unknown) => {
        // What is wrong with the page stays until it changes; that it could not be read may be otherwise the next time.
        const isLatest = this.#entries.get(file) === entry;
        if (isLatest && !(error instanceof PageError)) this.#entries.delete(file);
      },
    );
    return loading;
  }

  /** Where in a page stands what a stack names; undefined for what is no page. */
  place(file: string, line: number, column: number): Place | undefined {
    return this.#compiled.get(file)?.compiled.place(line, column);
  }

  source(file: string): string | undefined {
    return this.#compiled.get(file)?.source;
  }

  async #load(file: string, settled: (stamp: string) => void): Promise<Page> {
    const { stamp, content } = await readSettled(file, this.#settle, () => readFile(file, 'utf8'));
    settled(stamp);
    const compiled = compile(content, file, SCOPE);
    const page = {
      file,
      source: content,
      compiled,
      load: importOf(file, this.#revalidate, this.#settle),
      needsBody: compiled.names.some((name) => NEED_BODY.has(name)),
    };
    this.#compiled.set(file, page);
    return page;
  }
}
