import type { Stats } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { fcgiError } from '../../core/errors.ts';
import type { Symlinks } from './find.ts';

/** Of `files`; the names and defaults are serve-static's as far as it has them. */
export interface FilesOptions {
  /** What of names that begin with a dot: as if there were none (`'ignore'`), 403 (`'deny'`), or sent. Default `'ignore'`. */
  dotfiles?: 'allow' | 'deny' | 'ignore';
  /** Which symbolic links are followed: those that lead to somewhere within the folder, all, or none. Default `'within'`. */
  symlinks?: Symlinks;
  /** What is sent for a folder, the first that is there. Default `'index.html'`; `false` for none. */
  index?: string | readonly string[] | false;
  /** Extensions to be tried where there is no such file, as `['html']`. Default: none. */
  extensions?: readonly string[] | false;
  /** Whether a folder's URL without a slash at its end is redirected to the one with it. Default true. */
  redirect?: boolean;
  /** Whether what is no file is passed on; else it is answered with an error, or 405. Default true. */
  fallthrough?: boolean;
  /** Whether `app.js.br` or `app.js.gz` is sent for `app.js` to whom accepts it. Default false. */
  precompressed?: boolean;
  /** Cache-Control's `max-age`: milliseconds, or text as `'2 days'`; at most a year. Default 0. */
  maxAge?: number | string;
  /** Whether Cache-Control says `immutable`. Default false. */
  immutable?: boolean;
  /** Whether Cache-Control is sent. Default true. */
  cacheControl?: boolean;
  /** Whether ETag is sent. Default true. */
  etag?: boolean;
  /** Whether Last-Modified is sent. Default true. */
  lastModified?: boolean;
  /** Whether ranges of the file can be asked for. Default true. */
  acceptRanges?: boolean;
  /** Called with each file that is to be sent, to set headers; what it throws goes to `next`. */
  setHeaders?: (res: ServerResponse, path: string, stats: Stats) => void;
  /** How the files are handed to the web server; `root` is this folder unless told. Default: the app's setting `offload`. */
  offload?: FilesOffload | false;
}

/** An Offload whose `root` is the folder of `files` unless told. */
export type FilesOffload =
  | { header: 'X-Accel-Redirect'; root?: string; prefix: string }
  | { header: 'X-Sendfile'; root?: string };

/** Throws `FCGI_ERR_OPTION` for what means nothing. */
export function checkOptions(root: string, options: FilesOptions): void {
  const { dotfiles = 'ignore', symlinks = 'within', setHeaders } = options;
  if (typeof root !== 'string' || root === '') throw fcgiError('FCGI_ERR_OPTION', 'files takes the path of a folder');
  if (!['allow', 'deny', 'ignore'].includes(dotfiles)) {
    throw fcgiError('FCGI_ERR_OPTION', `dotfiles is 'allow', 'deny' or 'ignore', not ${String(dotfiles)}`);
  }
  if (!['within', 'follow', 'deny'].includes(symlinks)) {
    throw fcgiError('FCGI_ERR_OPTION', `symlinks is 'within', 'follow' or 'deny', not ${String(symlinks)}`);
  }
  if (setHeaders !== undefined && typeof setHeaders !== 'function') {
    throw fcgiError('FCGI_ERR_OPTION', 'setHeaders is a function');
  }
}
