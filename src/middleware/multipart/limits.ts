import { BODY_LIMIT } from '../../core/body.ts';
import { fcgiError } from '../../core/errors.ts';

/** What a form may have. Counts and bytes; `Infinity` for no limit. Beyond any of them: 413. */
export interface MultipartLimits {
  /** Fields and files together. Default 1000. */
  parts: number;
  /** Parts that are no files. Default 1000. */
  fields: number;
  /** Default 20. */
  files: number;
  /** Of one file. Default 104857600 (100 MiB). */
  fileSize: number;
  /** Of all fields together: what is held in memory of a form. Default 1048576 (1 MiB). */
  fieldsSize: number;
  /** Of the whole body. Default 209715200 (200 MiB). */
  totalSize: number;
  /** Of a part's name. Default 100. */
  fieldNameSize: number;
  /** Header lines of a part. Default 32. */
  headerPairs: number;
  /** Of a part's header. Default 16384. */
  headerSize: number;
}

const MIB = 1024 ** 2;

const DEFAULTS: MultipartLimits = {
  parts: 1000,
  fields: 1000,
  files: 20,
  fileSize: 100 * MIB,
  fieldsSize: BODY_LIMIT,
  totalSize: 200 * MIB,
  fieldNameSize: 100,
  headerPairs: 32,
  headerSize: 16 * 1024,
};

/**
 * Those that are given, over others.
 *
 * @throws FcgiError FCGI_ERR_OPTION for a limit that is no number, or less than 0, and for an unknown one.
 */
export function limitsFrom(given: Partial<MultipartLimits> = {}, others = DEFAULTS): MultipartLimits {
  const limits = { ...others };
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(limits, name)) throw fcgiError('FCGI_ERR_OPTION', `multipart has no limit ${name}`);
    if (typeof value !== 'number' || !(value >= 0)) {
      throw fcgiError('FCGI_ERR_OPTION', `${name} takes a number of at least 0 (or Infinity), not ${String(value)}`);
    }
    limits[name as keyof MultipartLimits] = value;
  }
  return limits;
}
