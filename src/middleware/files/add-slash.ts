import type { IncomingMessage, ServerResponse } from 'node:http';
import encodeUrl from 'encodeurl';
import { originOf, pathOf } from '../../core/path.ts';

/** What a client has asked for, whatever mounts have made of it. */
export interface AskedFor {
  /** Without scheme and host. */
  path: string;
  /** What follows the path: a query. */
  rest: string;
}

export function askedFor(req: IncomingMessage & { originalUrl?: string }): AskedFor {
  const url = req.originalUrl ?? req.url!;
  const origin = originOf(url);
  const path = pathOf(url, origin) ?? '';
  return { path, rest: url.slice(origin.length + path.length) };
}

/** Redirects to the same URL with a slash behind its path; what is no GET or HEAD keeps its method and body (308). */
export function addSlash({ path, rest }: AskedFor, req: IncomingMessage, res: ServerResponse): void {
  // Two slashes at its beginning would lead to another host.
  const location = encodeUrl(`${path.replace(/^[/\\]+/, '/')}/${rest}`);
  const status = req.method === 'GET' || req.method === 'HEAD' ? 301 : 308;
  res.writeHead(status, { Location: location, 'Content-Length': 0 }).end();
}
