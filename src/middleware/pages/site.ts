import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ScriptFolder } from '../script-folder.ts';
import { Memory } from './memory.ts';
import { type Page, PageCache } from './page-cache.ts';

/** Pages of a folder that run around its others and those of the folders in it; of each kind the nearest. */
export interface Around {
  prepend: string | undefined;
  wrapper: string | undefined;
  append: string | undefined;
}

/** A file or folder whose name is a parameter, and that one's. */
interface Parameter {
  entry: string;
  name: string;
}

export interface SiteOptions {
  /** With their dots; what does not end so, byte for byte, is no page. */
  extensions: readonly string[];
  /** Milliseconds for which what was found is not looked for again. */
  revalidate: number;
  /** Milliseconds that must have passed since a file was written to. */
  settle: number;
}

/** A folder of pages. */
export class Site extends ScriptFolder {
  readonly cache: PageCache;
  readonly #pages: Memory<Page | Promise<Page>>;
  readonly #parameters: Memory<Parameter[]>;

  /** @throws FcgiError FCGI_ERR_OPTION: the root is no folder. */
  constructor(root: string, { extensions, revalidate, settle }: SiteOptions) {
    super(root, { extensions, hidden: /^[._]/ });
    this.cache = new PageCache(revalidate, settle);
    this.#pages = new Memory(revalidate);
    this.#parameters = new Memory(revalidate);
  }

  /** Compiled; a promise where that takes a moment. */
  page(file: string): Page | Promise<Page> {
    return this.#pages.get(file, () => this.cache.get(file))!;
  }

  /** Nor are those that answer in the place of others. */
  override isHidden(name: string): boolean {
    return super.isHidden(name) || this.extensions.some((end) => name === `404${end}` || name === `500${end}`);
  }

  /** The pages and folders whose name is a parameter, as `[id].jhtml`; looked for as seldom as clients ask for pages. */
  parameters(folder: string): Parameter[] {
    return this.#parameters.get(folder, () =>
      entriesOf(folder).flatMap((entry) => {
        const [, name, end = ''] = /^\[([A-Za-z_]\w*)\](.*)$/s.exec(entry) ?? [];
        return name !== undefined && (end === '' || this.extensions.includes(end)) ? [{ entry, name }] : [];
      }),
    )!;
  }

  around(file: string): Around {
    return {
      prepend: this.nearest(file, '_prepend'),
      wrapper: this.nearest(file, '_page'),
      append: this.nearest(file, '_append'),
    };
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
}

/** None where the folder cannot be read, or is gone. */
function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
