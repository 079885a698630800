import type { IncomingMessage } from 'node:http';
import { finished, Readable } from 'node:stream';
import { fcgiError } from '../../core/errors.ts';
import { after } from '../../core/timer.ts';
import type { CgiLimits } from './limits.ts';
import { MAX_PIPED_AT_ONCE } from './stdio.ts';

export interface RequestBody {
  /** CONTENT_LENGTH. */
  length: string;
  /** All of it, or what is too much to be held in memory. */
  content: Buffer | Readable;
}

/**
 * The body of a request, undefined if it has none. A program has to know its length (RFC 3875, section 4.1.2): a body that
 * came without one is taken into memory first, as a short one is anyway.
 *
 * Rejects with FCGI_ERR_BODY_TOO_LARGE, FCGI_ERR_BODY_USED, FCGI_ERR_REQUEST_TIMEOUT, or as the request does.
 */
export async function readBody(req: IncomingMessage, limits: CgiLimits): Promise<RequestBody | undefined> {
  const length = req.headers['content-length'];
  if (length === undefined && req.headers['transfer-encoding'] === undefined) return undefined;
  if (length === '0') return { length, content: Buffer.alloc(0) };
  if (req.readableEnded) throw fcgiError('FCGI_ERR_BODY_USED', 'The body for a CGI program has been read already');
  if (Number(length) > MAX_PIPED_AT_ONCE) return { length: length!, content: req };

  const chunks = await collect(req, length === undefined ? limits.maxUncountedBytes : Number(length), limits.timeout);
  const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const content = size > MAX_PIPED_AT_ONCE ? Readable.from(chunks) : Buffer.concat(chunks, size);
  return { length: String(size), content };
}

function collect(req: IncomingMessage, limit: number, timeout: number): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (error?: Error | null) => {
      clearTimeout(clock);
      req.off('data', take);
      if (error) reject(error);
      else resolve(chunks);
    };
    const clock = after(timeout, () => {
      settle(fcgiError('FCGI_ERR_REQUEST_TIMEOUT', `Nothing came of a body for ${timeout} ms`));
    });
    const take = (chunk: Buffer) => {
      clock.refresh();
      size += chunk.length;
      chunks.push(chunk);
      if (size > limit) settle(fcgiError('FCGI_ERR_BODY_TOO_LARGE', `A body without a length has over ${limit} bytes`));
    };
    req.on('data', take);
    finished(req, { writable: false }, settle);
  });
}
