import { resolve } from 'node:path';
import { fcgiError } from '../../core/errors.ts';
import type { CgiEnvironment } from '../cgi/environment.ts';
import { checkExtensions, ScriptFolder } from '../script-folder.ts';

export interface ProxyOptions {
  /**
   * The folder of the scripts, by the path that it has for the application as well. Files in it are sent, scripts run. Default:
   * none, and every request is passed on.
   */
  root?: string;
  /**
   * The script for a folder, and at the root for whatever is neither file nor script: the front controller; `false` for none.
   * Default `'index.php'`, with the extension that `split` has first.
   */
  index?: string | false;
  /** What the names of scripts end with, byte for byte; what follows in a URL's path is PATH_INFO. Default `'.php'`. */
  split?: string | readonly string[];
  /**
   * CGI parameters, beside the others and before them; or a function that makes them for each request, such as
   * `(req) => ({ REMOTE_USER: req.user })`. An undefined one is left out.
   */
  env?: CgiEnvironment | ((req: never) => CgiEnvironment);
}

/** Where scripts are, and which are run. */
export interface Scripts {
  /** As it was named, and made absolute. */
  root: string;
  index: string | false;
  /** The folder as it is now: a symbolic link may lead elsewhere with each release. */
  folder(): ScriptFolder;
}

/** What PHP takes for its own, whatever the option says. */
const PHP = ['.php', '.pht', '.phar'];

/** @throws FcgiError FCGI_ERR_OPTION */
export function scriptsFrom({ root, index, split }: ProxyOptions): Scripts | undefined {
  if (root === undefined) {
    if (index === undefined && split === undefined) return undefined;
    throw fcgiError('FCGI_ERR_OPTION', 'index and split tell of the files in a root, and there is none');
  }
  if (typeof root !== 'string' || root === '') throw fcgiError('FCGI_ERR_OPTION', 'root takes the path of a folder');
  const extensions = [split ?? '.php'].flat();
  checkExtensions('split', extensions);
  const path = resolve(root);
  const folder = () => new ScriptFolder(path, { extensions, sources: [...extensions, ...PHP], hidden: /^\./ });
  const now = folder();
  const script = index ?? `index${extensions[0]}`;
  if (
    script !== false &&
    !(typeof script === 'string' && /^[^./\\\0][^/\\\0]*$/.test(script) && now.isScript(script))
  ) {
    throw fcgiError('FCGI_ERR_OPTION', `index takes the name of a script as 'index.php', or false, not ${script}`);
  }
  return { root: path, index: script, folder };
}
