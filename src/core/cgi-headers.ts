import type { ServerResponse } from 'node:http';
import { HOP_BY_HOP } from './hop-by-hop.ts';

/** Of these the last one counts (section 6.3 allows but one). */
const ONCE = new Set(['content-type', 'content-length', 'location']);

/** The program's come beside what middleware has set; any other header takes the place of that. */
const ADDED = new Set(['set-cookie', 'vary']);

/** Gives an answer the headers of a CGI answer, as far as they are the client's. */
export function setCgiHeaders(
  res: ServerResponse,
  headers: Iterable<readonly [name: string, value: string]>,
  status: number,
): void {
  const own = new Set<string>();
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    // Of the connection to the client a program knows nothing (RFC 3875, section 6.3.4).
    if (key === 'status' || HOP_BY_HOP.has(key) || (key === 'content-length' && status === 204)) continue;
    if (ONCE.has(key) || !(own.has(key) || ADDED.has(key))) res.setHeader(name, value);
    else res.appendHeader(name, value);
    own.add(key);
  }
}
