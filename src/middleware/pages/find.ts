import { join } from 'node:path';
import { decodePath, ENCODED_UNRESERVED } from '../cgi/url-text.ts';
import { ADD_SLASH, MAX_PATH } from '../script-folder.ts';
import type { Around, Site } from './site.ts';
import { statOf } from './stamp.ts';

/** A page that a request asks for. */
export interface Found {
  /** Its real path. */
  file: string;
  /** What of the URL's path names the page, decoded; undefined where the web server tells. */
  scriptName: string | undefined;
  /** What of the path follows that, decoded; mostly empty. */
  pathInfo: string;
  /** By the names in `[name]` of files and folders. */
  params: Record<string, string>;
  /** What runs around it, once it was looked for. */
  around?: Around;
  /** Bytes that there will be by and large: those that still waited when it last came to its end. */
  expectedBytes?: number;
}

export const NO_PARAMS: Found['params'] = {};

/**
 * Whether a URL's path names a page as every client does. `//admin`, `/x/../admin` and `/%61dmin` are other paths than
 * `/admin` for a route that guards it, but lead web servers to the same page. Behind a page's name nothing but dots does so.
 */
export function isPlain(site: Site, urlPath: string): boolean {
  const ends = site.extensions.map((extension) => urlPath.indexOf(extension)).filter((end) => end !== -1);
  const name = urlPath.slice(0, Math.min(...ends, urlPath.length));
  return !DOTS.test(urlPath) && !ENCODED_UNRESERVED.test(name) && !/\/\/|\\|%(?:2f|5c)/i.test(name);
}

/** `.` or `..` as a name, in any disguise. */
const DOTS = /(?:[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:[/\\]|%2f|%5c|$)/i;

/** Says that the web server looks for files in another folder: what it names tells nothing of this site. */
export const ELSEWHERE = Symbol('elsewhere');

/**
 * The page that a web server names by SCRIPT_FILENAME: that file or, where the path goes on behind a file, as PATH_INFO, that
 * one. Nothing else: not what lies outside of the site, nor a file that does not end as pages do.
 */
export function findScript(site: Site, named: string): Found | typeof ELSEWHERE | undefined {
  if (!named.startsWith('/')) return ELSEWHERE;
  if (named.length > MAX_PATH || named.includes('\0')) return undefined;
  for (let end = 0; end < named.length; ) {
    end = named.indexOf('/', end + 1);
    if (end === -1) end = named.length;
    const path = named.slice(0, end);
    if (!site.isScript(path) || site.isFolder(path)) continue;
    const file = site.confine(path);
    // What is to be a parameter is a name in a URL, and none that the web server knows.
    if (file === undefined || site.partsOf(file).some((part) => part.startsWith('['))) break;
    return { file, scriptName: undefined, pathInfo: named.slice(end), params: NO_PARAMS };
  }
  return site.surrounds(named) ? undefined : ELSEWHERE;
}

/** The page that a URL's path names: `/about` is about.jhtml, `/` is index.jhtml, `/users/7` may be users/[id].jhtml. */
export function findUrl(site: Site, urlPath: string): Found | typeof ADD_SLASH | undefined {
  const path = pathOf(urlPath);
  if (path === undefined) return undefined;
  const found = walk(site, site.root, path.slice(1).split('/'), { name: '', params: NO_PARAMS });
  const isNamed = typeof found !== 'object' || found.params === NO_PARAMS;
  // A file beside the pages comes before a parameter, as where the web server sends it.
  return isNamed || !statOf(join(site.root, path))?.isFile() || !isBeside(site, urlPath) ? found : undefined;
}

/** Whether a URL's path may name a file beside the pages: it is no page's under whatever name, and not hidden. */
export function isBeside(site: Site, urlPath: string): boolean {
  const path = pathOf(urlPath);
  return path !== undefined && site.isBeside(join(site.root, path));
}

/** The folder that a URL's path leads to, as far as there are folders. */
export function findFolder(site: Site, urlPath: string): string {
  let folder = site.root;
  for (const name of pathOf(urlPath)?.split('/') ?? []) {
    const inner = join(folder, name);
    if (!site.isFolder(inner)) break;
    folder = inner;
  }
  return folder;
}

function pathOf(urlPath: string): string | undefined {
  return urlPath.startsWith('/') && urlPath.length <= MAX_PATH ? decodePath(urlPath) : undefined;
}

interface Walked {
  /** What names the folder that was reached. */
  name: string;
  params: Record<string, string>;
}

function walk(site: Site, folder: string, segments: string[], at: Walked): Found | typeof ADD_SLASH | undefined {
  const [segment = '', ...rest] = segments;
  if (/^[._[]/.test(segment) || (segment === '' && rest.length > 0)) return undefined;
  const found = (entry: string, params = at.params, pathInfo = ''): Found | undefined => {
    const file = site.confine(join(folder, entry));
    return file === undefined ? undefined : { file, scriptName: `${at.name}/${entry}`, pathInfo, params };
  };

  // With the extension written out there may be more behind it.
  if (site.isScript(segment)) return found(segment, at.params, rest.map((part) => `/${part}`).join(''));
  if (rest.length === 0) {
    for (const extension of site.extensions) {
      const page = found((segment || 'index') + extension);
      if (page !== undefined) return page;
    }
    if (segment === '') return undefined;
  }
  const within = (entry: string, params = at.params): Found | typeof ADD_SLASH | undefined => {
    if (!site.isFolder(join(folder, entry))) return undefined;
    const page = walk(site, join(folder, entry), rest.length === 0 ? [''] : rest, {
      name: `${at.name}/${entry}`,
      params,
    });
    return page !== undefined && rest.length === 0 ? ADD_SLASH : page;
  };
  const parameters = site
    .parameters(folder)
    .map(({ entry, name }) => ({ entry, params: { ...at.params, [name]: segment } }));
  let page = within(segment);
  if (rest.length === 0) for (const { entry, params } of parameters) page ??= found(entry, params);
  for (const { entry, params } of parameters) page ??= within(entry, params);
  return page;
}
