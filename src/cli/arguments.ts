import { statSync } from 'node:fs';
import { fcgiError } from '../core/errors.ts';

/** The one folder that a command takes. */
export function folder(positionals: string[]): string {
  const [dir = '', ...rest] = positionals;
  if (dir === '' || rest.length > 0) throw fcgiError('FCGI_ERR_ARGUMENT', 'expected one folder');
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) {
    throw fcgiError('FCGI_ERR_ARGUMENT', `${dir} is no folder`);
  }
  return dir;
}

/** What follows `--env`: NAME=VALUE. */
export function variable(text: string): [name: string, value: string] {
  const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/s.exec(text) ?? [];
  if (name === undefined) throw fcgiError('FCGI_ERR_ARGUMENT', `--env takes NAME=VALUE, not ${text}`);
  return [name, value!];
}
