import { realpathSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fcgiError } from '../core/errors.ts';
import { statOf } from './pages/stamp.ts';

export interface ScriptFolderOptions {
  /** What the names of scripts end with, byte for byte; with their dots. */
  extensions: readonly string[];
  /** What no name of a file that is sent may have in it, in whatever case. Default: the extensions. */
  sources?: readonly string[];
  /** Names that are not for clients. */
  hidden: RegExp;
}

/** Says that the URL lacks the slash of a folder: relative links would mean something else. */
export const ADD_SLASH = Symbol('add slash');

/** Characters of the longest path that is looked for; no system takes a longer one for a file's. */
export const MAX_PATH = 4096;

/**
 * @param option What it is called.
 * @throws FcgiError FCGI_ERR_OPTION: they are none.
 */
export function checkExtensions(option: string, extensions: readonly string[]): void {
  if (extensions.length > 0 && extensions.every((extension) => /^\.[\w.-]*\w$/.test(extension))) return;
  const given = JSON.stringify(extensions);
  throw fcgiError('FCGI_ERR_OPTION', `${option} takes what names end with, as '.php', once or more, not ${given}`);
}

/**
 * A folder of scripts, be they pages or PHP's: which of its files may be run, and which may be sent as they are. It looks
 * synchronously, as opcache does: the system mostly knows what is asked, and a promise would cost more than its answer.
 */
export class ScriptFolder {
  /** Its real path. */
  readonly root: string;
  readonly extensions: readonly string[];
  /** The path that it was given, which may lead there by symbolic links. */
  readonly #named: string;
  readonly #sources: readonly string[];
  readonly #hidden: RegExp;

  /** @throws FcgiError FCGI_ERR_OPTION: the root is no folder. */
  constructor(root: string, { extensions, sources = extensions, hidden }: ScriptFolderOptions) {
    if (!this.isFolder(root)) throw fcgiError('FCGI_ERR_OPTION', `${root} is no folder`);
    this.root = realpathSync(root);
    this.extensions = extensions;
    this.#named = root;
    this.#sources = sources.map((source) => source.toLowerCase());
    this.#hidden = hidden;
  }

  /** The real path of a script that clients may ask for; undefined for what is none, is hidden or lies elsewhere. */
  confine(path: string): string | undefined {
    const file = this.include(path);
    return file === undefined || this.partsOf(file).some((part) => this.isHidden(part)) ? undefined : file;
  }

  /** The same for what another script includes. */
  include(path: string): string | undefined {
    if (!this.isScript(path) || !statOf(path)?.isFile()) return undefined;
    const file = realpathSync(path);
    return file.startsWith(this.root + sep) && this.isScript(file) ? file : undefined;
  }

  /** The names on the way from the root to a real path. */
  partsOf(file: string): string[] {
    return file.slice(this.root.length + 1).split(sep);
  }

  isScript(path: string): boolean {
    return this.extensions.some((extension) => path.endsWith(extension) && !path.endsWith(sep + extension));
  }

  isFolder(path: string): boolean {
    return statOf(path)?.isDirectory() ?? false;
  }

  isHidden(name: string): boolean {
    return this.#hidden.test(name);
  }

  /** Whether a file of that name is a script's source: also x.PHP, x.php.bak, x.php~ and x.phps, which nobody runs. */
  isSource(name: string): boolean {
    const lower = name.toLowerCase();
    return this.#sources.some((source) => lower.includes(source));
  }

  /** Whether a path is of something in here, be it there or not. */
  surrounds(path: string): boolean {
    return [this.root, this.#named].some((folder) => path.startsWith(folder + sep));
  }

  /**
   * Whether what is at a path, or a folder's index.html, may be sent as the file that it is: neither it nor what a symbolic
   * link makes of it is hidden, or a script's source.
   */
  isBeside(path: string): boolean {
    return [path, join(path, 'index.html')].every((name) =>
      [name, realpathOf(name) ?? name].every(
        (each) => !this.partsOf(each).some((part) => this.#hidden.test(part) || this.isSource(part)),
      ),
    );
  }
}

function realpathOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
