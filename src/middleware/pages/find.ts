import { join } from 'node:path';
import { decodePath } from '../cgi/url-text.ts';
import type { Site } from './site.ts';
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
}

const NO_PARAMS = {};

/** Says that the URL lacks the slash of a folder: the page's own links would mean something else. */
export const ADD_SLASH = Symbol('add slash');

/**
 * The page that a web server names by SCRIPT_FILENAME: that file or, where the path goes on behind a file, as PATH_INFO, that
 * one. Nothing else: not what lies outside of the site, nor a file that does not end as pages do.
 */
export function findScript(site: Site, named: string): Found | undefined {
  if (named.includes('\0') || !named.startsWith('/')) return undefined;
  for (let path = named; path !== ''; path = path.slice(0, path.lastIndexOf('/'))) {
    const file = site.confine(path);
    if (file !== undefined) {
      // What is to be a parameter is a name in a URL, and none that the web server knows.
      if (site.partsOf(file).some((part) => part.startsWith('['))) return undefined;
      return { file, scriptName: undefined, pathInfo: named.slice(path.length), params: NO_PARAMS };
    }
    // There is something of another kind: what is behind that is none of ours.
    if (statOf(path) !== undefined) return undefined;
  }
  return undefined;
}

/** The page that a URL's path names: `/about` is about.jhtml, `/` is index.jhtml, `/users/7` may be users/[id].jhtml. */
export function findUrl(site: Site, urlPath: string): Found | typeof ADD_SLASH | undefined {
  const path = decodePath(urlPath);
  if (path === undefined) return undefined;
  const segments = path.slice(1).split('/');
  if (segments.some((segment, index) => /^[._[]/.test(segment) || (segment === '' && index < segments.length - 1))) {
    return undefined;
  }
  return walk(site, site.root, segments, { name: '', params: NO_PARAMS });
}

interface Walked {
  /** What names the folder that was reached. */
  name: string;
  params: Record<string, string>;
}

function walk(site: Site, folder: string, segments: string[], at: Walked): Found | typeof ADD_SLASH | undefined {
  const [segment = '', ...rest] = segments;
  const found = (entry: string, params = at.params, pathInfo = ''): Found | undefined => {
    const file = site.confine(join(folder, entry));
    return file === undefined ? undefined : { file, scriptName: `${at.name}/${entry}`, pathInfo, params };
  };

  // With the extension written out there may be more behind it.
  if (site.isPage(segment))
    return found(
      segment,
      at.params,
      rest.reduce((info, part) => `${info}/${part}`, ''),
    );
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
  return first([
    () => within(segment),
    ...parameters.map(
      ({ entry, params }) =>
        () =>
          rest.length === 0 ? found(entry, params) : undefined,
    ),
    ...parameters.map(
      ({ entry, params }) =>
        () =>
          within(entry, params),
    ),
  ]);
}

function first<T>(tries: (() => T | undefined)[]): T | undefined {
  for (const attempt of tries) {
    const result = attempt();
    if (result !== undefined) return result;
  }
  return undefined;
}
