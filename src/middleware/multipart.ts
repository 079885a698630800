import { statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { fcgiError } from '../core/errors.ts';
import type { Middleware } from '../core/types.ts';
import { limitsFrom, type MultipartLimits } from './multipart/limits.ts';
import type { Part } from './multipart/part.ts';
import { isFormData, readParts } from './multipart/parts.ts';
import { type SpooledForm, spool } from './multipart/spool.ts';
import { TemporaryFolder } from './multipart/temporary-folder.ts';
import type { UploadedFile } from './multipart/uploaded-file.ts';

export interface MultipartOptions {
  /** What a form may have; see docs/uploads.md for the defaults. */
  limits?: Partial<MultipartLimits>;
  /** Where files are spooled, each request's in a folder of its own. Default: the system's folder for temporary files. */
  dir?: string;
  /** Reads nothing, and gives the request `parts()`. Default false. */
  stream?: boolean;
}

declare module '../core/request.ts' {
  interface Request<Params = Record<string, string | string[]>> {
    /** The files of a form, where `multipart()` is mounted and there was one. */
    files: UploadedFile[];
    /**
     * The parts of a form as they come, where `multipart({ stream: true })` is mounted; under its limits, but for those given
     * here. The loop throws what docs/uploads.md says.
     */
    parts(limits?: Partial<MultipartLimits>): AsyncIterableIterator<Part>;
  }
}

/**
 * Makes middleware that takes forms of parts (`multipart/form-data`, RFC 7578): it sets `req.body` to the fields and `req.files`
 * to the files, which lie in a temporary folder until the response closes. What is no such form is passed on. With `stream`, it
 * gives the request `parts()` instead. See docs/uploads.md.
 *
 * `next` gets FCGI_ERR_BODY_SYNTAX (400), FCGI_ERR_BODY_TOO_LARGE (413), FCGI_ERR_BODY_TYPE (415), FCGI_ERR_BODY_USED (500),
 * or the file system's error. Where the client leaves before the form has come, nobody is called.
 *
 * @example
 * app.post('/photos', multipart({ limits: { files: 5 } }), (req, res) => res.json(req.files.map(({ filename }) => filename)));
 *
 * @throws FcgiError FCGI_ERR_OPTION
 */
export function multipart(options: MultipartOptions = {}): Middleware {
  const limits = limitsFrom(options.limits);
  if (options.stream) {
    return (req, _res, next) => {
      Object.assign(req, { parts: (own?: Partial<MultipartLimits>) => readParts(req, limitsFrom(own, limits)) });
      next();
    };
  }
  const dir = resolve(options.dir ?? tmpdir());
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) {
    throw fcgiError('FCGI_ERR_OPTION', `there is no folder ${dir} to spool files in`);
  }

  return async (req, res, next) => {
    if (!isFormData(req)) {
      next();
      return;
    }
    const folder = new TemporaryFolder(dir);
    const closing = new AbortController();
    if (res.destroyed) closing.abort();
    else res.once('close', () => closing.abort());
    let form: SpooledForm;
    try {
      form = await spool(req, folder, limits, closing.signal);
    } catch (error) {
      await folder.remove();
      // Nobody is there to be told.
      if (!closing.signal.aborted && (!req.destroyed || req.complete)) next(error);
      return;
    }
    closing.signal.addEventListener('abort', () => folder.remove());
    Object.assign(req, form);
    next();
  };
}
