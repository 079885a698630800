import { type ServerResponse, STATUS_CODES } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { FcgiResponse } from '../../adapters/client/index.ts';
import { ResponseBody } from '../../adapters/client/response.ts';
import { setCgiHeaders } from '../../core/cgi-headers.ts';

/** Passes on an application's answer, as fast as the client takes it; rejects where either breaks off. */
export async function passOn(
  { status, statusText, rawHeaders, stdout }: FcgiResponse,
  res: ServerResponse,
): Promise<void> {
  if (res.headersSent || res.destroyed) {
    stdout.on('error', () => {}).destroy();
    return;
  }
  setCgiHeaders(res, rawHeaders, status);
  res.writeHead(status, statusText || STATUS_CODES[status]);
  // What comes with its head leaves with it.
  if (!(stdout instanceof ResponseBody && stdout.complete)) res.flushHeaders();
  await pipeline(stdout, res);
}
