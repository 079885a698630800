import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { originOf, pathOf } from '../../core/path.ts';
import { realNameWithin } from '../../core/real-path.ts';
import { decodePath } from './url-text.ts';

/** What a URL's path names. */
export interface Program {
  /** The absolute path of the executable file. */
  file: string;
  /** What of the URL's path names it, decoded: `/tools/hello.py`. */
  name: string;
  /** What follows that, decoded; empty where nothing does. */
  pathInfo: string;
  /** Whether it writes HTTP's own head (RFC 3875, section 5), as its name tells. */
  nph: boolean;
}

/**
 * Finds the program in a folder that a URL names: the first file on the way down its path. Undefined where that is none,
 * not executable, hidden or, by symbolic links, outside of the folder.
 */
export async function findProgram(root: string, url: string | undefined): Promise<Program | undefined> {
  const path = decodePath(pathOf(url, originOf(url)) ?? '');
  if (path === undefined) return undefined;
  const segments = path.slice(1).split('/');
  let file = root;
  for (const [index, segment] of segments.entries()) {
    if (segment === '' || segment.startsWith('.')) return undefined;
    file = join(file, segment);
    const found = await stat(file).catch(() => undefined);
    if (found?.isDirectory()) continue;
    if (!found?.isFile() || !(await isWithin(root, file)) || !(await isExecutable(file))) return undefined;
    return {
      file,
      name: `/${segments.slice(0, index + 1).join('/')}`,
      pathInfo: segments.slice(index + 1).reduce((info, part) => `${info}/${part}`, ''),
      nph: basename(file).startsWith('nph-'),
    };
  }
  return undefined;
}

async function isWithin(root: string, file: string): Promise<boolean> {
  return (await realNameWithin(root, file).catch(() => undefined)) !== undefined;
}

function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}
