import type { IncomingMessage, ServerResponse } from 'node:http';
import { join, resolve } from 'node:path';
import type { FcgiResponse } from '../../adapters/client/index.ts';
import { setCgiHeaders } from '../../core/cgi-headers.ts';
import { fcgiError } from '../../core/errors.ts';
import type { OffloadFunction } from '../../core/offload.ts';
import { realNameWithin } from '../../core/real-path.ts';
import { type Settings, settingsOf } from '../../core/settings.ts';
import { transfer } from '../../core/transfer.ts';
import { decodePath, fromLatin1 } from '../cgi/url-text.ts';
import { statOf } from '../pages/stamp.ts';
import type { ScriptFolder } from '../script-folder.ts';

/** What is said of the empty body, and what names the file. */
const NOT_THE_FILES = new Set(['content-length', 'content-encoding', 'x-sendfile', 'x-accel-redirect']);

/**
 * Has the web server's part of X-Sendfile, the path of a file, and of X-Accel-Redirect, a URL's path below the root: answers
 * with the file that the application names by them. False if it names none.
 *
 * Rejects with FCGI_ERR_PROXY_FILE, FCGI_ERR_FILE_NOT_FOUND, and as `send` makes errors.
 */
export async function sendNamedFile(
  { headers, rawHeaders, stdout }: FcgiResponse,
  folder: ScriptFolder,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<boolean> {
  const { 'x-sendfile': path, 'x-accel-redirect': url } = headers;
  if (path === undefined && url === undefined) return false;
  // The application may have more to do than to name it.
  stdout.on('error', () => {}).resume();
  const file = await within(folder, path === undefined ? pathOf(String(url), folder) : fromLatin1(String(path)));
  const { 'offload fn': offload } = settingsOf(res as { app?: { settings: Settings } });
  await new Promise<void>((done, fail) => {
    transfer(
      req,
      res,
      encodeURI(file),
      {
        dotfiles: 'allow',
        index: false,
        offload: offload as OffloadFunction | undefined,
        setHeaders: () => {
          const own = rawHeaders.filter(([name]) => !NOT_THE_FILES.has(name.toLowerCase()));
          setCgiHeaders(res, own, res.statusCode);
        },
      },
      (error) => (error === undefined ? done() : fail(error)),
    );
  });
  return true;
}

/** Undefined for what is no path, as the `@name` of a place in nginx's configuration. */
function pathOf(url: string, folder: ScriptFolder): string | undefined {
  const path = url.startsWith('/') ? decodePath(url.replace(/\?.*/s, '')) : undefined;
  return path && join(folder.root, path);
}

/** The real path of a file that an application may name. */
async function within(folder: ScriptFolder, named: string | undefined): Promise<string> {
  const refuse = (why: string) =>
    fcgiError('FCGI_ERR_PROXY_FILE', `The application named a file that ${why}: ${named}`);
  if (named === undefined || named.includes('\0')) throw refuse('cannot be one');
  const file = resolve(folder.root, named);
  if (!folder.surrounds(file)) throw refuse('lies outside of the root');
  const name = statOf(file)?.isFile() ? await realNameWithin(folder.root, file) : '';
  if (name === undefined) throw refuse('lies outside of the root');
  if (name === '')
    throw fcgiError('FCGI_ERR_FILE_NOT_FOUND', `The application named a file that is not there: ${file}`);
  if (name.split('/').some((part) => folder.isSource(part))) throw refuse("is a script's source");
  return join(folder.root, name);
}
