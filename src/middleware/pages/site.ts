import { readdirSync, realpathSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { fcgiError } from '../../core/errors.ts';
import { type Page, PageCache } from './page-cache.ts';
import { statOf } from './stamp.ts';

/** Pages of a folder that run around its others and those of the folders in it; of each kind the nearest. */
export interface Around {
  prepend: string | undefined;
  wrapper: string | undefined;
  append: string | undefined;
}

export interface SiteOptions {
  /** With their dots; what does not end so, byte for byte, is no page. */
  extensions: readonly string[];
  /** Milliseconds for which what was found is not looked for again. */
  revalidate: number;
  /** Milliseconds that must have passed since a file was written to. */
  settle: number;
}

// Clients choose the names by which something is remembered.
const MAX_REMEMBERED = 10_000;
const MAX_KEY = 1000;

/**
 * A folder of pages. It looks synchronously, as opcache does: the system mostly knows what is asked, and a promise would cost
 * more than its answer.
 */
export class Site {
  /** Its real path. */
  readonly root: string;
  /** The path that it was given, which may lead there by symbolic links. */
  readonly #named: string;
  readonly extensions: readonly string[];
  readonly cache: PageCache;
  /** Bytes that a page has written when it last came to its end, by its file. */
  readonly lengths = new Map<string, number>();
  readonly #revalidate: number;
  readonly #remembered = new Map<string, { at: number; value: unknown }>();

  /** @throws FcgiError FCGI_ERR_OPTION: the root is no folder. */
  constructor(root: string, { extensions, revalidate, settle }: SiteOptions) {
    if (!this.isFolder(root)) throw fcgiError('FCGI_ERR_OPTION', `${root} is no folder`);
    this.root = realpathSync(root);
    this.#named = root;
    this.extensions = extensions;
    this.cache = new PageCache(revalidate, settle);
    this.#revalidate = revalidate;
  }

  /** What `find` found less than `revalidate` ago; what it did not find is looked for again. */
  remember<T>(key: string, find: () => T | undefined): T | undefined {
    if (this.#revalidate === 0 || key.length > MAX_KEY) return find();
    const now = performance.now();
    const known = this.#remembered.get(key);
    if (known !== undefined && now - known.at < this.#revalidate) return known.value as T;
    const value = find();
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
    if (value !== undefined) this.#remembered.set(key, { at: now, value });
    return value;
  }

  page(file: string): Promise<Page> {
    return this.remember(`page:${file}`, () => this.cache.get(file))!;
  }

  /** The real path of a page that clients may ask for; undefined for what is none, is hidden or lies elsewhere. */
  confine(path: string): string | undefined {
    const file = this.include(path);
    return file === undefined || this.partsOf(file).some((part) => this.#isHidden(part)) ? undefined : file;
  }

  /** The same for what another page includes. */
  include(path: string): string | undefined {
    if (!this.isPage(path) || !statOf(path)?.isFile()) return undefined;
    const file = realpathSync(path);
    return file.startsWith(this.root + sep) && this.isPage(file) ? file : undefined;
  }

  /** The names on the way from the root to a real path. */
  partsOf(file: string): string[] {
    return file.slice(this.root.length + 1).split(sep);
  }

  isPage(path: string): boolean {
    return this.extensions.some((extension) => path.endsWith(extension) && !path.endsWith(sep + extension));
  }

  isFolder(path: string): boolean {
    return statOf(path)?.isDirectory() ?? false;
  }

  /** Whether a path is of something in here, be it there or not. */
  surrounds(path: string): boolean {
    return [this.root, this.#named].some((folder) => path.startsWith(folder + sep));
  }

  /**
   * Whether what is at a path, or a folder's index.html, may be sent as the file that it is: neither it nor what a symbolic
   * link makes of it is hidden, or a page under whatever name, such as x.JHTML or x.jhtml.bak.
   */
  isBeside(path: string): boolean {
    return [path, join(path, 'index.html')].every((name) =>
      [name, realpathOf(name) ?? name].every(
        (each) => !this.partsOf(each).some((part) => HIDDEN.test(part) || this.#isOfPage(part)),
      ),
    );
  }

  /** The pages and folders whose name is a parameter, as `[id].jhtml`; looked for as seldom as clients ask for pages. */
  parameters(folder: string): { entry: string; name: string }[] {
    return this.remember(`parameters:${folder}`, () =>
      entriesOf(folder).flatMap((entry) => {
        const [, name, end = ''] = /^\[([A-Za-z_]\w*)\](.*)$/s.exec(entry) ?? [];
        return name !== undefined && (end === '' || this.extensions.includes(end)) ? [{ entry, name }] : [];
      }),
    )!;
  }

  around(file: string): Around {
    return this.remember(`around:${file}`, () => ({
      prepend: this.nearest(file, '_prepend'),
      wrapper: this.nearest(file, '_page'),
      append: this.nearest(file, '_append'),
    }))!;
  }

  /** The page of that name in the folder of a file, or else in the nearest folder above. */
  nearest(file: string, name: string): string | undefined {
    for (let folder = dirname(file); ; folder = dirname(folder)) {
      for (const extension of this.extensions) {
        const found = this.include(join(folder, name + extension));
        if (found !== undefined) return found;
      }
      if (folder.length <= this.root.length) return undefined;
    }
  }

  #isHidden(name: string): boolean {
    return (
      HIDDEN.test(name) || this.extensions.some((extension) => name === `404${extension}` || name === `500${extension}`)
    );
  }

  #isOfPage(name: string): boolean {
    return this.extensions.some((extension) => name.toLowerCase().includes(extension.toLowerCase()));
  }
}

/** Names that are not for clients. */
const HIDDEN = /^[._]/;

function realpathOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** None where the folder cannot be read, or is gone. */
function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
