import { join } from 'node:path';
import { decodeBytes } from '../cgi/url-text.ts';
import { namesIn } from '../files/names.ts';
import { statOf } from '../pages/stamp.ts';
import { ADD_SLASH, MAX_PATH, type ScriptFolder } from '../script-folder.ts';

/** A script that is to be run. */
export interface Script {
  /** Its path below the root, decoded: `/dir/index.php`. */
  name: string;
  /** What of the URL's path follows that, decoded, a byte in each character; mostly empty. */
  pathInfo: string;
}

/** Says that the URL names a file that is to be sent as it is. */
export const FILE = Symbol('file');

/**
 * What a URL's path names: a script, also with a path behind it; a folder's index; a file. Undefined for whatever else.
 *
 * @param isFolder Whether the path that the client has asked for ends in a slash.
 */
export function find(
  folder: ScriptFolder,
  path: string,
  isFolder: boolean,
  index: string | false,
): Script | typeof ADD_SLASH | typeof FILE | undefined {
  const script = findScript(folder, path);
  if (script !== undefined || path.length > MAX_PATH) return script;
  const names = namesIn(path)?.names;
  if (names === undefined || names.some((name) => folder.isHidden(name))) return undefined;
  const at = join(folder.root, ...names);
  if (!folder.isFolder(at)) return !isFolder && folder.isBeside(at) && statOf(at)?.isFile() ? FILE : undefined;
  if (index === false || folder.confine(join(at, index)) === undefined) return undefined;
  return isFolder ? { name: `/${[...names, index].join('/')}`, pathInfo: '' } : ADD_SLASH;
}

/** The script that answers for what is none: the index at the root. */
export function frontController(folder: ScriptFolder, index: string | false): Script | undefined {
  if (index === false || folder.confine(join(folder.root, index)) === undefined) return undefined;
  return { name: `/${index}`, pathInfo: '' };
}

/** The first on the way down the path that ends as scripts do decides: it is one, or there is none. */
function findScript(folder: ScriptFolder, path: string): Script | undefined {
  for (let end = 0; end < path.length; ) {
    end = path.indexOf('/', end + 1);
    if (end === -1) end = path.length;
    if (end > MAX_PATH) return undefined;
    const named = path.slice(0, end);
    if (!folder.isScript(named)) continue;
    const names = namesIn(named)?.names;
    if (names === undefined || names.some((name) => folder.isHidden(name))) return undefined;
    const file = join(folder.root, ...names);
    if (folder.isFolder(file)) continue;
    const pathInfo = decodeBytes(path.slice(end));
    if (folder.confine(file) === undefined || LEADS_UP.test(pathInfo)) return undefined;
    return { name: `/${names.join('/')}`, pathInfo };
  }
  return undefined;
}

/** What clients and web servers resolve before they send it. */
const LEADS_UP = /(?:^|[/\\])\.\.?(?:[/\\]|$)/;
