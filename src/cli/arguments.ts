import { statSync } from 'node:fs';
import type { ParseArgsConfig } from 'node:util';
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

type Options = NonNullable<ParseArgsConfig['options']>;

/** Of a command that web servers and browsers reach. */
export const DOORS = { fastcgi: { type: 'string' }, http: { type: 'string' } } satisfies Options;

export const DOORS_USAGE = `\
  --fastcgi        where web servers reach it: a path, a port or host:port
  --http           where browsers do`;

/** `--env`, which may come several times. */
export const ENV = { env: { type: 'string', multiple: true, default: [] } } satisfies Options;

/** What follows each `--env`: NAME=VALUE. */
export function variables(texts: string[]): Record<string, string> {
  return Object.fromEntries(texts.map(variable));
}

function variable(text: string): [name: string, value: string] {
  const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/s.exec(text) ?? [];
  if (name === undefined) throw fcgiError('FCGI_ERR_ARGUMENT', `--env takes NAME=VALUE, not ${text}`);
  return [name, value!];
}
