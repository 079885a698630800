import type { IncomingMessage, ServerResponse } from 'node:http';
import { resolve } from 'node:path';
import { cgiSocket, roleOf } from './env.ts';
import { fcgiError } from './errors.ts';
import { realNameWithin } from './real-path.ts';

/**
 * How the web server is handed a file that it sends in the app's stead. `root` is the folder that the web server is told of;
 * `prefix` the path of nginx's internal location for it. See docs/files.md.
 */
export type Offload =
  | { header: 'X-Accel-Redirect'; root: string; prefix: string }
  | { header: 'X-Sendfile'; root: string };

/** Names a file to the web server, by a header and its value; undefined for a file that it cannot be handed. */
export type OffloadFunction = (file: string) => Promise<[header: string, value: string] | undefined>;

/** Throws `FCGI_ERR_OPTION` for what is no Offload; of `false` and undefined nothing comes. */
export function compileOffload(value: unknown): OffloadFunction | undefined {
  if (value === undefined || value === false) return undefined;
  const { header, root, prefix } = check(value);
  const folder = resolve(root);
  return async (file) => {
    const name = await realNameWithin(folder, file).catch(() => undefined);
    if (!name || /\p{Cc}/u.test(name)) return undefined;
    if (header === 'X-Accel-Redirect')
      return [header, `${prefix}/${name.split('/').map(encodeURIComponent).join('/')}`];
    return UNCLEAR.test(name) ? undefined : [header, Buffer.from(`${folder}/${name}`).toString('latin1')];
  };
}

/** lighttpd decodes what looks like percent-encoding, Apache nothing; for Caddy, `?` ends the path. */
const UNCLEAR = /[%?]/;

/**
 * Whether the web server may be handed a file as the answer to this request. Only one that has asked over FastCGI knows what
 * the header means; and it answers 200 with the bytes of the file, not with an encoding of others.
 */
export function takesOffload(req: IncomingMessage, res: ServerResponse): boolean {
  return (
    cgiSocket(req) !== undefined &&
    roleOf(req) === 'responder' &&
    (req.method === 'GET' || req.method === 'HEAD') &&
    res.statusCode === 200 &&
    !res.hasHeader('Content-Encoding')
  );
}

function check(value: unknown): { header: string; root: string; prefix: string } {
  const { header, root, prefix } = Object(value) as Record<string, unknown>;
  const isAccel = header === 'X-Accel-Redirect';
  if (!isAccel && header !== 'X-Sendfile') {
    throw fcgiError('FCGI_ERR_OPTION', `offload's header is 'X-Accel-Redirect' or 'X-Sendfile', not ${String(header)}`);
  }
  if (typeof root !== 'string' || root === '') {
    throw fcgiError('FCGI_ERR_OPTION', "offload's root is the path of a folder");
  }
  if (!isAccel) {
    if (UNCLEAR.test(resolve(root))) throw fcgiError('FCGI_ERR_OPTION', `X-Sendfile cannot tell of % and ? in ${root}`);
    return { header, root, prefix: '' };
  }
  if (typeof prefix !== 'string' || !/^(?:\/[\w.~-]+)+\/?$/.test(prefix)) {
    throw fcgiError('FCGI_ERR_OPTION', `offload's prefix is a path such as '/_files', not ${String(prefix)}`);
  }
  return { header, root, prefix: prefix.replace(/\/$/, '') };
}
