import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, resolve } from 'node:path';
import mime from 'mime-types';
import type send from 'send';
import vary from 'vary';
import { type FcgiError, fcgiError } from '../core/errors.ts';
import { compileOffload, type OffloadFunction } from '../core/offload.ts';
import { originOf, pathOf } from '../core/path.ts';
import { type Settings, settingsOf } from '../core/settings.ts';
import { transfer } from '../core/transfer.ts';
import type { Middleware, NextFunction } from '../core/types.ts';
import { addSlash, askedFor } from './files/add-slash.ts';
import { type Found, findEncoded, findFile, type Where } from './files/find.ts';
import { namesIn } from './files/names.ts';
import { checkOptions, type FilesOptions } from './files/options.ts';

/**
 * Makes middleware that answers GET and HEAD with the files of a folder and the folders in it. What is none is passed on. See
 * docs/files.md.
 *
 * `next` gets FCGI_ERR_FILE_PATH (400) for a NUL; without `fallthrough` also for other paths that can be no file's, and
 * FCGI_ERR_FILE_FORBIDDEN (403) and FCGI_ERR_FILE_NOT_FOUND (404); and as `send` makes them, with their `status`, those of
 * ranges (416) and conditions (412) that cannot be met, and of files that cannot be read (500).
 *
 * @example
 * app.use('/static', files('public', { maxAge: '1 day' }));
 *
 * @throws FcgiError FCGI_ERR_OPTION
 */
export function files(root: string, options: FilesOptions = {}): Middleware {
  checkOptions(root, options);
  const { dotfiles = 'ignore', fallthrough = true, redirect = true, precompressed, offload, setHeaders } = options;
  const where: Where = {
    root: resolve(root),
    symlinks: options.symlinks ?? 'within',
    index: listOf(options.index ?? 'index.html'),
    extensions: listOf(options.extensions ?? []),
  };
  const ownOffload = compileOffload(offload && { root, ...offload });
  const { cacheControl, maxAge, immutable, etag, lastModified, acceptRanges } = options;
  const sendOptions: send.SendOptions = {
    ...{ cacheControl, maxAge, immutable, etag, lastModified, acceptRanges },
    // Decided here, by the names in the URL; `send` gets the path of the file itself.
    ...{ dotfiles: 'allow', index: false },
  };

  /** Answers with the file that the URL names, or with where it is to be asked for; gives the reason why not. */
  async function answer(
    path: string,
    req: IncomingMessage,
    res: ServerResponse,
    next: NextFunction,
  ): Promise<FcgiError | undefined> {
    const named = namesIn(path);
    if (named === undefined) return fcgiError('FCGI_ERR_FILE_PATH', `${path} can be no file's path`);
    const asked = askedFor(req);
    // Where this is mounted, the path is `/` with a slash behind it and without.
    if (named.names.length === 0) named.isFolder = asked.path.endsWith('/');

    if (dotfiles !== 'allow' && named.names.some((name) => name.startsWith('.'))) {
      return dotfiles === 'deny' ? fcgiError('FCGI_ERR_FILE_FORBIDDEN', `${path} has a name with a dot`) : none(path);
    }
    const found = await findFile(where, named);
    if (found === undefined) return none(path);
    if (!found.isFolder) {
      await give(found, req, res, next);
      return undefined;
    }
    if (!redirect || asked.path.endsWith('/')) return none(path);
    addSlash(asked, req, res);
    return undefined;
  }

  async function give(found: Found, req: IncomingMessage, res: ServerResponse, next: NextFunction): Promise<void> {
    if (precompressed) vary(res, 'Accept-Encoding');
    const encoded = precompressed ? await findEncoded(where, found.path, req) : undefined;
    transfer(
      req,
      res,
      encodeURI(encoded?.real ?? found.real),
      {
        ...sendOptions,
        offload: offloadOf(res),
        setHeaders: (_path, stats) => {
          setHeaders?.(res, found.path, stats);
          if (encoded !== undefined) res.setHeader('Content-Encoding', encoded.encoding);
          if (!res.hasHeader('Content-Type')) res.setHeader('Content-Type', typeOf(found.path));
        },
      },
      (error) => {
        if (error !== undefined && (error as { code?: unknown }).code !== 'ECONNABORTED') next(error);
      },
    );
  }

  function offloadOf(res: ServerResponse): OffloadFunction | undefined {
    if (offload !== undefined) return ownOffload;
    return settingsOf(res as { app?: { settings: Settings } })['offload fn'] as OffloadFunction | undefined;
  }

  return async (req, res, next) => {
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      if (fallthrough) next();
      else res.writeHead(405, { Allow: 'GET, HEAD', 'Content-Length': 0 }).end();
      return;
    }
    const path = pathOf(req.url, originOf(req.url)) ?? '';
    let failure: FcgiError | undefined;
    try {
      failure = await answer(path, req, res, next);
    } catch (error) {
      next(error);
      return;
    }
    if (failure === undefined) return;
    if (fallthrough && !path.includes('%00')) next();
    else next(failure);
  };
}

function none(path: string): FcgiError {
  return fcgiError('FCGI_ERR_FILE_NOT_FOUND', `there is no file ${path}`);
}

function typeOf(path: string): string {
  return mime.contentType(extname(path)) || 'application/octet-stream';
}

function listOf(value: string | readonly string[] | false): readonly string[] {
  return value === false ? [] : [value].flat();
}
