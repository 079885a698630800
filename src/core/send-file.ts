import { basename, isAbsolute, resolve } from 'node:path';
import { create as contentDisposition } from 'content-disposition';
import { finalHandler } from './final-handler.ts';
import type { OffloadFunction } from './offload.ts';
import type { HeaderValue, Response } from './response.ts';
import { settingsOf } from './settings.ts';
import { transfer } from './transfer.ts';

/** Of `res.sendFile` and `res.download`; the names and defaults are Express's. */
export interface SendFileOptions {
  /** The folder that a path which is not absolute starts from; a path that leads out of it is answered 403. */
  root?: string;
  /** Headers to be set once the file is found. */
  headers?: Record<string, HeaderValue>;
  /** What of names that begin with a dot: 404 (`'ignore'`), 403 (`'deny'`), or sent. Default `'ignore'`. */
  dotfiles?: 'allow' | 'deny' | 'ignore';
  /** Cache-Control's `max-age`: milliseconds, or text as `'2 days'`; at most a year. Default 0. */
  maxAge?: number | string;
  /** Whether Cache-Control says `immutable`. Default false. */
  immutable?: boolean;
  /** Whether Cache-Control is sent. Default true. */
  cacheControl?: boolean;
  /** Whether Last-Modified is sent. Default true. */
  lastModified?: boolean;
  /** Whether ETag is sent. Default: unless the setting `etag` is off. */
  etag?: boolean;
  /** Whether ranges of the file can be asked for. Default true. */
  acceptRanges?: boolean;
  /** Offset of the first byte to be sent. Default 0. */
  start?: number;
  /** Offset of the last byte to be sent. Default: the file's last. */
  end?: number;
  /** `false`: not handed to the web server, whatever the setting `offload` says, as a file that is deleted afterwards. */
  offload?: false;
}

/** Called once: when the answer is out, or with the error. */
export type FileCallback = (error?: Error) => void;

/** What may follow the path: a name, options, a callback; each may be missing. */
export type DownloadArguments = (string | null | undefined | SendFileOptions | FileCallback)[];

/** Express 5's `res.sendFile`; the arguments are as in its methods. */
export function sendFile(
  res: Response,
  path: string,
  options?: SendFileOptions | FileCallback,
  last?: FileCallback,
): void {
  const [{ headers = {}, ...own }, callback] = typeof options === 'function' ? [{}, options] : [{ ...options }, last];
  if (!path) throw new TypeError('path argument is required to res.sendFile');
  if (typeof path !== 'string') throw new TypeError('path must be a string to res.sendFile');
  if (!own.root && !isAbsolute(path)) {
    throw new TypeError('path must be absolute or specify root to res.sendFile');
  }
  const { req } = res;
  const settings = settingsOf(res);
  const next = req.next ?? ((error?: unknown) => finalHandler(error, req, res, settings.env));
  transfer(
    req,
    res,
    encodeURI(path),
    {
      ...own,
      etag: own.etag ?? Boolean(settings.etag),
      offload: own.offload === false ? undefined : (settings['offload fn'] as OffloadFunction | undefined),
      setHeaders: () => {
        for (const [name, value] of Object.entries(headers)) res.setHeader(name, value as string);
      },
    },
    (error) => {
      if (callback !== undefined) callback(error);
      else if (error === undefined) return;
      else if (codeOf(error) === 'EISDIR') next();
      else if (codeOf(error) !== 'ECONNABORTED') next(error);
    },
  );
}

/** Express 5's `res.download`. */
export function download(res: Response, path: string, ...args: DownloadArguments): void {
  const callback = args.find((arg) => typeof arg === 'function');
  const options = args.find((arg) => typeof arg === 'object' && arg !== null) as SendFileOptions | undefined;
  const filename = typeof args[0] === 'string' ? args[0] : undefined;
  const headers: Record<string, HeaderValue> = {
    'Content-Disposition': contentDisposition(basename(filename || path)),
  };
  for (const [name, value] of Object.entries(options?.headers ?? {})) {
    if (name.toLowerCase() !== 'content-disposition') headers[name] = value;
  }
  sendFile(res, options?.root ? path : resolve(path), { ...options, headers }, callback as FileCallback | undefined);
}

function codeOf(error: Error): unknown {
  return (error as { code?: unknown }).code;
}
