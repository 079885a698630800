import type { IncomingMessage } from 'node:http';
import querystring from 'node:querystring';
import { finished, type Readable, type Transform } from 'node:stream';
import { TextDecoder } from 'node:util';
import zlib from 'node:zlib';
import contentType from 'content-type';
import { fcgiError } from './errors.ts';

/** How much of a body to take. */
export interface BodyOptions {
  /** Bytes, counted after inflating: 1 MiB unless told. A larger body is refused with `FCGI_ERR_BODY_TOO_LARGE` (413). */
  limit?: number;
}

/** What was sent as `application/x-www-form-urlencoded`; a name that came more than once has an array. */
export type Form = Record<string, string | string[]>;

const MIB = 1024 * 1024;
const BYTES = Symbol('body bytes');

type Message = IncomingMessage & { [BYTES]?: Promise<Buffer> };

/** The whole body; a second call answers with the same bytes. */
export async function readBytes(req: Message, options?: BodyOptions): Promise<Buffer> {
  const limit = options?.limit ?? MIB;
  req[BYTES] ??= collect(req, limit);
  const bytes = await req[BYTES];
  if (bytes.length > limit) throw tooLarge(limit);
  return bytes;
}

export async function readText(req: Message, options?: BodyOptions): Promise<string> {
  const decoder = decoderOf(req);
  return decoder.decode(await readBytes(req, options));
}

export async function readJson(req: Message, options?: BodyOptions): Promise<unknown> {
  const text = await readText(req, options);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw fcgiError('FCGI_ERR_BODY_SYNTAX', 'the request body is not JSON', cause);
  }
}

export async function readForm(req: Message, options?: BodyOptions): Promise<Form> {
  const type = req.headers['content-type'] ?? '';
  if (contentType.parse(type).type !== 'application/x-www-form-urlencoded') {
    throw fcgiError('FCGI_ERR_BODY_TYPE', `the request body is not a URL-encoded form but ${type || 'of no type'}`);
  }
  // The limit on bytes bounds the number of fields: none of them is dropped.
  return querystring.parse(await readText(req, options), '&', '=', { maxKeys: 0 }) as Form;
}

function collect(req: Message, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (req.readableDidRead || req.readableEncoding) {
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
