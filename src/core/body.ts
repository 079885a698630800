import type { IncomingMessage } from 'node:http';
import querystring from 'node:querystring';
import { finished, type Readable, type Transform } from 'node:stream';
import { TextDecoder } from 'node:util';
import zlib from 'node:zlib';
import contentType from 'content-type';
import { fcgiError } from './errors.ts';
import { type PoisonOptions, refusePoison } from './poison.ts';

/** Bytes of a body, counted after inflating, that are taken unless told: nginx's own `client_max_body_size`. */
export const BODY_LIMIT = 1024 * 1024;

/** How much of a body to take. */
export interface BodyOptions {
  /** Bytes, counted after inflating: 1 MiB unless told. A larger body is refused with `FCGI_ERR_BODY_TOO_LARGE` (413). */
  limit?: number;
}

export interface JsonBodyOptions extends BodyOptions, PoisonOptions {}

/** What was sent as `application/x-www-form-urlencoded`; a name that came more than once has an array. */
export type Form = Record<string, string | string[]>;

const BYTES = Symbol('body bytes');
const AHEAD = Symbol('body read ahead');

type Message = IncomingMessage & {
  [BYTES]?: Promise<Buffer>;
  /** How much was put back, and whether that is all. */
  [AHEAD]?: { size: number; whole: boolean };
  _consuming?: boolean;
};

/** The whole body; a second call answers with the same bytes. */
export async function readBytes(req: Message, options?: BodyOptions): Promise<Buffer> {
  const limit = options?.limit ?? BODY_LIMIT;
  if (typeof limit !== 'number' || !(limit >= 0)) {
    throw fcgiError('FCGI_ERR_OPTION', `limit takes a number of bytes, not ${limit}`);
  }
  req[BYTES] ??= collect(req, limit);
  const bytes = await req[BYTES];
  if (bytes.length > limit) throw tooLarge(limit);
  return bytes;
}

export async function readText(req: Message, options?: BodyOptions): Promise<string> {
  const decoder = decoderOf(req);
  return decoder.decode(await readBytes(req, options));
}

export async function readJson(req: Message, options?: JsonBodyOptions): Promise<unknown> {
  const text = await readText(req, options);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw fcgiError('FCGI_ERR_BODY_SYNTAX', 'the request body is not JSON', cause);
  }
  refusePoison(value, options);
  return value;
}

export async function readForm(req: Message, options?: BodyOptions): Promise<Form> {
  const header = req.headers['content-type'] ?? '';
  const { type, parameters } = contentType.parse(header);
  if (type !== 'application/x-www-form-urlencoded') {
    throw fcgiError('FCGI_ERR_BODY_TYPE', `the request body is not a URL-encoded form but ${header || 'of no type'}`);
  }
  // What is percent-encoded would be decoded wrongly.
  if (!/^utf-?8$/i.test(parameters.charset ?? 'utf-8')) {
    throw fcgiError('FCGI_ERR_BODY_TYPE', `a form in ${parameters.charset}, not in UTF-8`);
  }
  // The limit on bytes bounds the number of fields: none of them is dropped.
  return querystring.parse(await readText(req, options), '&', '=', { maxKeys: 0 }) as Form;
}

function collect(req: Message, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (isUsed(req)) {
      throw fcgiError('FCGI_ERR_BODY_USED', 'the request body has been read already');
    }
    const inflater = inflaterOf(req);
    if (!inflater && Number(req.headers['content-length']) > limit) throw tooLarge(limit);

    const chunks: Buffer[] = [];
    let size = 0;
    const source: Readable = inflater ? req.pipe(inflater) : req;
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) settle(tooLarge(limit));
      else chunks.push(chunk);
    };
    const settle = (error?: Error | null) => {
      source.off('data', onData);
      if (!error) return resolve(Buffer.concat(chunks, size));
      // Let run dry, not destroyed: the connection has to carry the answer.
      if (inflater) req.unpipe(inflater).resume();
      inflater?.destroy();
      reject(error);
    };
    source.on('data', onData);
    finished(req, { writable: false }, (error) => {
      if (error || !inflater) settle(error);
    });
    if (inflater) {
      finished(inflater, { writable: false }, (error) => {
        settle(error && fcgiError('FCGI_ERR_BODY_SYNTAX', 'the request body is not what Content-Encoding says', error));
      });
    }
  });
}

/** Whether somebody has had some of the body, or has it otherwise than as bytes. What was read ahead was put back. */
export function isUsed(req: Message): boolean {
  if (req.readableEncoding) return true;
  const ahead = req[AHEAD];
  return ahead === undefined ? req.readableDidRead : req.readableLength < ahead.size;
}

/**
 * Waits until all of the body is there, or more than `limit` bytes of it, and leaves it in the stream for whoever reads.
 * False if the client went away before.
 */
export function readAhead(req: Message, limit: number): Promise<boolean> {
  const { readableAborted: left, readableDidRead, readableEnded } = req;
  if (left || readableDidRead || readableEnded || limit === 0 || !hasBody(req)) return Promise.resolve(!left);
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (stayed: boolean) => {
      req.off('readable', take).off('end', take).off('close', leave).off('error', leave);
      // In the same turn as the last `read`: 'end' waits for what is in the stream.
      if (size > 0) req.unshift(Buffer.concat(chunks, size));
      req[AHEAD] = { size, whole: req.complete && size <= limit };
      // To Node nobody has read yet: it lets a body that nobody reads run dry, so that its connection can go on.
      req._consuming = false;
      resolve(stayed);
    };
    const leave = () => settle(false);
    const take = () => {
      while (size <= limit && req.readableLength > 0) {
        const chunk: Buffer = req.read();
        size += chunk.length;
        chunks.push(chunk);
      }
      if (req.complete || size > limit) settle(true);
    };
    req.on('readable', take).on('end', take).on('close', leave).on('error', leave);
  });
}

/**
 * What is left of a body that was read ahead, at most `size` bytes of it.
 *
 * @throws FcgiError FCGI_ERR_BODY_TOO_LARGE: it is larger than what was to be read ahead.
 */
export function readNow(req: Message, size?: number): Buffer {
  if (hasBody(req) && req[AHEAD]?.whole !== true) {
    throw fcgiError('FCGI_ERR_BODY_TOO_LARGE', 'The body is larger than what is read ahead: read it as a stream');
  }
  const wanted = size === undefined || size >= req.readableLength ? req.readableLength : size;
  const chunk: Buffer | string | null = wanted > 0 ? req.read(wanted) : null;
  // Its end is to be told.
  if (req.complete && req.readableLength === 0) req.read();
  return typeof chunk === 'string' ? Buffer.from(chunk, req.readableEncoding!) : (chunk ?? Buffer.alloc(0));
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > 0;
}

/** What undoes the request's Content-Encoding (RFC 9110, section 8.4). */
function inflaterOf(req: Message): Transform | undefined {
  const encoding = req.headers['content-encoding']?.trim().toLowerCase() || 'identity';
  if (encoding === 'identity') return undefined;
  if (encoding === 'gzip' || encoding === 'x-gzip') return zlib.createGunzip();
  if (encoding === 'deflate') return zlib.createInflate();
  if (encoding === 'br') return zlib.createBrotliDecompress();
  throw fcgiError('FCGI_ERR_BODY_TYPE', `unknown Content-Encoding: ${encoding}`);
}

function decoderOf(req: Message): TextDecoder {
  const { charset = 'utf-8' } = contentType.parse(req.headers['content-type'] ?? '').parameters;
  try {
    return new TextDecoder(charset);
  } catch (cause) {
    throw fcgiError('FCGI_ERR_BODY_TYPE', `unknown charset: ${charset}`, cause);
  }
}

function tooLarge(limit: number): Error {
  return fcgiError('FCGI_ERR_BODY_TOO_LARGE', `the request body is larger than ${limit} bytes`);
}
