import { realpath } from 'node:fs/promises';
import { relative, sep } from 'node:path';

/**
 * What a file is called within a folder, with `/` on every system, once all symbolic links are followed: `css/main.css`, empty
 * for the folder itself. Undefined where it lies elsewhere. Rejects where either does not exist.
 */
export async function realNameWithin(folder: string, file: string): Promise<string | undefined> {
  const [realFolder, realFile] = await Promise.all([realpath(folder), realpath(file)]);
  if (realFile === realFolder) return '';
  if (!realFile.startsWith(realFolder.endsWith(sep) ? realFolder : realFolder + sep)) return undefined;
  return relative(realFolder, realFile).replaceAll(sep, '/');
}
