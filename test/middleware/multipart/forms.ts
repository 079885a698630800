import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';

export const BOUNDARY = '----fcgi';
export const TYPE = `multipart/form-data; boundary=${BOUNDARY}`;

export interface PartOptions {
  filename?: string;
  type?: string;
  /** In the place of Content-Disposition and Content-Type. */
  header?: string;
}

/** One part, with the delimiter before it. Text is UTF-8. */
export function part(name: string, content: string | Buffer, { filename, type, header }: PartOptions = {}): Buffer {
  const lines = [`Content-Disposition: form-data; name="${name}"`];
  if (filename !== undefined) lines[0] += `; filename="${filename}"`;
  if (type !== undefined) lines.push(`Content-Type: ${type}`);
  const head = `--${BOUNDARY}\r\n${header ?? lines.join('\r\n')}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), Buffer.from(content), Buffer.from('\r\n')]);
}

export const END = Buffer.from(`--${BOUNDARY}--\r\n`);

/** A whole form. */
export function form(...parts: Buffer[]): Buffer {
  return Buffer.concat([...parts, END]);
}

/** A request as Node's servers make them, whose body has come in these chunks, and is all there unless told. */
export function requestOf(
  chunks: Buffer[],
  { headers = { 'content-type': TYPE }, whole = true }: { headers?: Record<string, string>; whole?: boolean } = {},
): IncomingMessage {
  const req = new IncomingMessage(new Socket());
  req.headers = { 'transfer-encoding': 'chunked', ...headers };
  for (const chunk of chunks) req.push(chunk);
  if (whole) {
    req.complete = true;
    req.push(null);
  }
  return req;
}

/** The bytes in pieces of this size, or of those that the function says. */
export function cut(bytes: Buffer, size: number | (() => number)): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += pieces.at(-1)!.length) {
    pieces.push(bytes.subarray(at, at + (typeof size === 'number' ? size : size())));
  }
  return pieces;
}
