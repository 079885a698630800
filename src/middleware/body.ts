import type { IncomingMessage, ServerResponse } from 'node:http';
import bodyParser from 'body-parser';
import { BODY_LIMIT } from '../core/body.ts';
import { FcgiError, type FcgiErrorCode, fcgiError } from '../core/errors.ts';
import { type PoisonOptions, refusePoison } from '../core/poison.ts';
import type { Middleware } from '../core/types.ts';

/** body-parser's options, which all four have. */
export interface BodyParserOptions {
  /** Bytes, or a string as `'100kb'`; counted after inflating: 1 MiB unless told. */
  limit?: number | string;
  /** Whether compressed bodies are taken, and inflated (gzip, deflate, br; zstd where Node has it): yes unless told. */
  inflate?: boolean;
  /** The types that are parsed, as `req.is` takes them, or a function that says so of a request. */
  type?: string | string[] | ((req: IncomingMessage) => unknown);
  /** Is given the body before it is parsed, and throws where it is not to be: 403, unless the error has another `status`. */
  verify?: (req: IncomingMessage, res: ServerResponse, body: Buffer, encoding: string) => void;
}

export interface JsonOptions extends BodyParserOptions, PoisonOptions {
  /** Whether nothing but objects and arrays is taken: yes unless told. */
  strict?: boolean;
  /** As `JSON.parse` takes it. */
  reviver?: (key: string, value: unknown) => unknown;
}

export interface TextOptions extends BodyParserOptions {
  /** The charset of a body whose type has none: `'utf-8'` unless told. */
  defaultCharset?: string;
}

export interface UrlencodedOptions extends BodyParserOptions, PoisonOptions {
  /** Whether `a[b]=c` is an object in an object (by the package `qs`): no unless told. */
  extended?: boolean;
  /** How many fields are taken: 1000 unless told. */
  parameterLimit?: number;
  /** How deep objects are in each other, if extended: 32 unless told. */
  depth?: number;
  /** The charset of a body whose type has none: `'utf-8'` unless told. */
  defaultCharset?: 'utf-8' | 'iso-8859-1';
  /** Whether a field `utf8=✓` tells the charset, as qs has it: no unless told. */
  charsetSentinel?: boolean;
  /** Whether `&#9786;` is decoded, which browsers send for what the charset has not: no unless told. */
  interpretNumericEntities?: boolean;
}

/**
 * Parses bodies of the type `application/json` into `req.body`. See docs/bodies.md.
 *
 * `next` gets body-parser's error, with a `code` of ours: FCGI_ERR_BODY_TOO_LARGE (413), FCGI_ERR_BODY_TYPE (415),
 * FCGI_ERR_BODY_SYNTAX (400), FCGI_ERR_BODY_VERIFY (403), FCGI_ERR_BODY_USED (500), FCGI_ERR_BODY_UNDERRUN (400).
 *
 * @example
 * app.use(json());
 *
 * @throws FcgiError FCGI_ERR_OPTION
 */
export function json(options: JsonOptions = {}): Middleware {
  const { onProtoPoisoning, onConstructorPoisoning, ...rest } = options;
  return parser(bodyParser.json, rest, options);
}

/**
 * Parses bodies of the type `application/x-www-form-urlencoded` into `req.body`. See docs/bodies.md.
 *
 * `next` gets the errors that `json` gives; FCGI_ERR_BODY_TOO_LARGE also for too many fields.
 *
 * @throws FcgiError FCGI_ERR_OPTION
 */
export function urlencoded(options: UrlencodedOptions = {}): Middleware {
  const { onProtoPoisoning, onConstructorPoisoning, ...rest } = options;
  return parser(bodyParser.urlencoded, rest, options);
}

/**
 * Decodes bodies of the type `text/plain` into the string `req.body`. See docs/bodies.md.
 *
 * `next` gets the errors that `json` gives, but for FCGI_ERR_BODY_SYNTAX of what is no JSON.
 *
 * @throws FcgiError FCGI_ERR_OPTION
 */
export function text(options: TextOptions = {}): Middleware {
  return parser(bodyParser.text, options);
}

/**
 * Reads bodies of the type `application/octet-stream` into the Buffer `req.body`. See docs/bodies.md.
 *
 * `next` gets the errors that `text` gives.
 *
 * @throws FcgiError FCGI_ERR_OPTION
 */
export function raw(options: BodyParserOptions = {}): Middleware {
  return parser(bodyParser.raw, options);
}

function parser<Options extends BodyParserOptions>(
  make: (options: Options) => Middleware,
  options: Options,
  poison?: PoisonOptions,
): Middleware {
  let parse: Middleware;
  try {
    parse = make({ ...options, limit: options.limit ?? BODY_LIMIT });
  } catch (cause) {
    throw fcgiError('FCGI_ERR_OPTION', (cause as Error).message, cause);
  }
  return (req: IncomingMessage & { body?: unknown }, res, next) => {
    const before = req.body;
    let settled = false;
    const settle = (error?: unknown) => {
      if (settled) return;
      settled = true;
      req.off('aborted', onAborted);
      if (error) next(withCode(error as BodyError));
      else if (poison === undefined || req.body === before) next();
      else next(poisoned(req, poison));
    };
    const onAborted = () =>
      settle(fcgiError('FCGI_ERR_BODY_UNDERRUN', 'the client went away before the body was whole'));
    parse(req, res, settle);
    // Behind body-parser's own listener, which is not told where the body is inflated.
    if (!settled) req.on('aborted', onAborted);
  };
}

/** The error of a body that is refused, and is not to be found on the request. */
function poisoned(req: { body?: unknown }, options: PoisonOptions): unknown {
  try {
    refusePoison(req.body, options);
    return undefined;
  } catch (error) {
    req.body = undefined;
    return error;
  }
}

/** As body-parser's documentation lists them. */
interface BodyError extends Error {
  type?: string;
  code?: string;
}

const CODES: Record<string, FcgiErrorCode> = {
  'entity.too.large': 'FCGI_ERR_BODY_TOO_LARGE',
  'parameters.too.many': 'FCGI_ERR_BODY_TOO_LARGE',
  'charset.unsupported': 'FCGI_ERR_BODY_TYPE',
  'encoding.unsupported': 'FCGI_ERR_BODY_TYPE',
  'entity.parse.failed': 'FCGI_ERR_BODY_SYNTAX',
  'querystring.parse.rangeError': 'FCGI_ERR_BODY_SYNTAX',
  'entity.verify.failed': 'FCGI_ERR_BODY_VERIFY',
  'request.aborted': 'FCGI_ERR_BODY_UNDERRUN',
  'request.size.invalid': 'FCGI_ERR_BODY_UNDERRUN',
  'stream.encoding.set': 'FCGI_ERR_BODY_USED',
  'stream.not.readable': 'FCGI_ERR_BODY_USED',
};

function withCode(error: BodyError): BodyError {
  if (error instanceof FcgiError) return error;
  // Without a type it is the inflater's.
  const code = error.type === undefined ? 'FCGI_ERR_BODY_SYNTAX' : CODES[error.type];
  // What `verify` throws may have a type or a code of its own.
  const isOwn = code === undefined || (code === 'FCGI_ERR_BODY_VERIFY' && error.code !== undefined);
  if (!isOwn) error.code = code;
  return error;
}
