import { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { onDrain } from './drain.ts';
import { fcgiError } from './errors.ts';
import { HOP_BY_HOP } from './hop-by-hop.ts';
import { isConditional, isFresh } from './request.ts';
import type { Response } from './response.ts';
import { type ETagFunction, settingsOf, weakETag } from './settings.ts';

/** On a response: the headers that `sendWhole` gave to `writeHead`, names and values in turn. */
export const SENT: unique symbol = Symbol('sent');

/** On a response: that it is being answered, though nothing may have gone out yet. */
export const ANSWERING: unique symbol = Symbol('answering');

/**
 * HOT: answers with a whole body, with its length and entity tag; 304 if the client has it already.
 *
 * Node's table of headers costs as much as all else that `send` does. Where no middleware waits to see them in it, the
 * headers are given to `writeHead` alone.
 *
 * @param type The Content-Type, if none is set.
 * @param tagged Whether it gets an entity tag, unless the settings say otherwise.
 */
export function sendWhole(res: Response, body: string | Buffer | undefined, type?: string, tagged = true): void {
  const headers: (string | number)[] = type === undefined ? [] : ['Content-Type', type];
  if (body !== undefined) {
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    if (!res.hasHeader('transfer-encoding')) headers.push('Content-Length', length);
    const etagOf = tagged ? (settingsOf(res)['etag fn'] as ETagFunction | undefined) : undefined;
    if (etagOf !== undefined && !res.hasHeader('etag')) {
      const etag =
        etagOf === weakETag ? weakETag(body, length) : etagOf(typeof body === 'string' ? Buffer.from(body) : body);
      if (etag) headers.push('ETag', etag);
    }
  }
  if (body !== undefined && isUnseen(res)) {
    const before = res[SENT];
    res[SENT] = headers;
    try {
      // Node's types have no array that holds numbers, too.
      res.writeHead(res.statusCode, headers as string[]);
    } catch (error) {
      res[SENT] = before;
      throw error;
    }
    res.end(body, 'utf8');
    return;
  }
  for (let i = 0; i < headers.length; i += 2) res.setHeader(headers[i] as string, headers[i + 1]!);
  if (isBodyless(res)) res.end();
  // A string, not its bytes: Node puts head and body into one write then.
  else res.end(body, 'utf8');
}

const node = ServerResponse.prototype;

/** Whether the answer is a plain 200, and nobody has put himself between to change it, as compression and sessions do. */
function isUnseen(res: Response): boolean {
  const { req } = res;
  return (
    res.statusCode === 200 &&
    res.end === node.end &&
    res.writeHead === node.writeHead &&
    res.setHeader === node.setHeader &&
    res.write === node.write &&
    req.method !== 'HEAD' &&
    !isConditional(req)
  );
}

/**
 * Answers with what a stream brings, as fast as the client takes it. When the client goes away, the stream is destroyed.
 * When the stream fails, the error goes to `req.next`; once the head is out, the answer is broken off as well, so that
 * nobody takes it for whole.
 */
export function sendStream(res: Response, source: Readable): void {
  res[ANSWERING] = true;
  // What fails when nobody reads it any more is nobody's concern, and no reason for the process to end.
  source.on('error', () => {});
  if (isBodyless(res) || res.destroyed) {
    source.destroy();
    res.end();
  } else void pump(source, res);
}

async function pump(source: Readable, res: Response): Promise<void> {
  const stop = () => source.destroy();
  res.once('close', stop);
  try {
    for await (const chunk of source) {
      if (!res.write(chunk) && !res.destroyed) await new Promise<void>((resolve) => onDrain(res, resolve));
    }
    res.end();
  } catch (error) {
    if (res.destroyed) return;
    const { next } = res.req;
    if (res.headersSent || !next) res.destroy(error as Error);
    next?.(error);
  } finally {
    res.off('close', stop);
  }
}

/** Answers with status, headers and body of a Fetch API `Response`; headers set before stay, unless it has them too. */
export function sendFetched(res: Response, answer: globalThis.Response): void {
  if (answer.bodyUsed) throw fcgiError('FCGI_ERR_BODY_USED', 'the body of the Response to send has been read already');
  res.status(answer.status);
  if (answer.statusText) res.statusMessage = answer.statusText;
  // What came by `fetch` is inflated already, whatever these say.
  const inflated = answer.url !== '' && answer.headers.has('content-encoding');
  for (const [name, value] of answer.headers) {
    if (name === 'set-cookie') res.appendHeader(name, value);
    else if (!HOP_BY_HOP.has(name) && !(inflated && /^content-(encoding|length)$/.test(name)))
      res.setHeader(name, value);
  }
  if (answer.body) sendStream(res, toReadable(answer.body));
  else sendWhole(res, undefined);
}

/** A source of bytes as a Readable: of the three kinds the one that can be destroyed while it has nothing to give. */
export function toReadable(source: Readable | ReadableStream | AsyncIterable<unknown>): Readable {
  if ('pipe' in source) return source;
  if ('getReader' in source) return Readable.fromWeb(source as ReadableStream);
  // Not in object mode, so that a chunk that is neither string nor bytes is an error of the stream.
  return Readable.from(source, { objectMode: false });
}

/** Whether the answer has no body (RFC 9110, section 6.4.1): makes it 304 if it may be, and removes what describes a body. */
function isBodyless(res: Response): boolean {
  if (isFresh(res.req, res)) res.statusCode = 304;
  const { statusCode } = res;
  if (statusCode === 204 || statusCode === 304) {
    res.removeHeader('Content-Type');
    res.removeHeader('Content-Length');
    res.removeHeader('Transfer-Encoding');
    return true;
  }
  if (statusCode === 205) {
    res.setHeader('Content-Length', 0);
    res.removeHeader('Transfer-Encoding');
    return true;
  }
  return res.req.method === 'HEAD';
}
