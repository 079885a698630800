import { realpath, stat } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { extname, join } from 'node:path';
import Negotiator from 'negotiator';
import { realNameWithin } from '../../core/real-path.ts';
import type { Names } from './names.ts';

/** Which symbolic links are followed: those to somewhere within the folder, all, or none. */
export type Symlinks = 'within' | 'follow' | 'deny';

/** Where and how to look. */
export interface Where {
  root: string;
  symlinks: Symlinks;
  index: readonly string[];
  extensions: readonly string[];
}

/** What was found: a file, or the folder that the URL names without a slash at its end. */
export interface Found {
  /** By the names in the URL. */
  path: string;
  /** The same without symbolic links, so that one that is put there later leads nowhere. */
  real: string;
  isFolder: boolean;
}

/** Finds the file that a URL names: itself, with an extension that it lacks, or a folder's index. */
export async function findFile(where: Where, { names, isFolder }: Names): Promise<Found | undefined> {
  const path = join(where.root, ...names);
  if (isFolder)
    return first(
      where,
      where.index.map((name) => join(path, name)),
    );
  const found = await look(where, path);
  if (found !== undefined || extname(path) !== '') return found;
  return first(
    where,
    where.extensions.map((extension) => `${path}.${extension}`),
  );
}

/** Of the compressed forms of a file that lie beside it, the one that the client likes best, and its Content-Encoding. */
export async function findEncoded(
  where: Where,
  path: string,
  req: IncomingMessage,
): Promise<(Found & { encoding: string }) | undefined> {
  // @ts-expect-error Its types know no second argument: what to take of encodings that the client likes equally.
  for (const encoding of new Negotiator(req).encodings([...ENCODINGS.keys(), 'identity'], { preferred: ['br'] })) {
    const ending = ENCODINGS.get(encoding);
    if (ending === undefined) return undefined;
    const found = await look(where, path + ending);
    if (found !== undefined && !found.isFolder) return { ...found, encoding };
  }
  return undefined;
}

const ENCODINGS = new Map([
  ['br', '.br'],
  ['gzip', '.gz'],
]);

async function first(where: Where, paths: string[]): Promise<Found | undefined> {
  for (const path of paths) {
    const found = await look(where, path);
    if (found !== undefined && !found.isFolder) return found;
  }
  return undefined;
}

/** A file or folder that may be seen. Rejects where the system will not tell. */
async function look({ root, symlinks }: Where, path: string): Promise<Found | undefined> {
  try {
    const real = await realpath(path);
    if (symlinks !== 'follow' && (await realNameWithin(root, real)) === undefined) return undefined;
    if (symlinks === 'deny' && real !== join(await realpath(root), path.slice(root.length))) return undefined;
    const stats = await stat(real);
    return stats.isFile() || stats.isDirectory() ? { path, real, isFolder: stats.isDirectory() } : undefined;
  } catch (error) {
    if (MISSING.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

const MISSING = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP']);
