import type { IncomingMessage } from 'node:http';
import { cgiSocket, makeEnv } from '../../core/env.ts';
import type { Program } from './find.ts';
import { decodePath, fromLatin1 } from './url-text.ts';

/** Variables by name; an undefined one is left out. */
export type CgiEnvironment = Record<string, string | undefined>;

/**
 * What only the web server knows. Of what it sends beside these nothing is passed on: whoever can connect to a FastCGI
 * door could otherwise set `LD_PRELOAD`, `PYTHONPATH` and their like.
 */
const WEB_SERVERS_OWN = [
  'AUTH_TYPE',
  'DOCUMENT_ROOT',
  'HTTPS',
  'REDIRECT_STATUS',
  'REMOTE_ADDR',
  'REMOTE_HOST',
  'REMOTE_IDENT',
  'REMOTE_PORT',
  'REMOTE_USER',
  'REQUEST_SCHEME',
  'SERVER_ADDR',
  'SERVER_ADMIN',
  'SERVER_NAME',
  'SERVER_PORT',
  'SERVER_PROTOCOL',
  'SERVER_SOFTWARE',
  'UNIQUE_ID',
];

/** Headers that have a variable of their own, have been dealt with, or pass for a setting (httpoxy, CVE-2016-5385). */
const NO_VARIABLE = new Set([
  'content-length',
  'content-type',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'proxy',
]);

/**
 * The environment of a program (RFC 3875, section 4.1, and what everyday web servers add to it). Of this process's own it
 * has only PATH.
 *
 * @param root The folder that the program was found in.
 * @param contentLength Of the body, where there is one.
 * @param extra Comes before all others.
 */
export function makeEnvironment(
  req: IncomingMessage & { baseUrl?: string; originalUrl?: string },
  program: Program,
  root: string,
  contentLength: string | undefined,
  extra: CgiEnvironment = {},
): Record<string, string> {
  const given = cgiSocket(req)?.params ?? makeEnv(req);
  const url = req.url!;
  const mark = url.indexOf('?');
  const env: CgiEnvironment = Object.create(null);
  for (const name of Object.keys(given)
    .filter((name) => /^SSL_[A-Z0-9_]+$/.test(name))
    .concat(WEB_SERVERS_OWN)) {
    // nginx sends empty ones for what there is not.
    if (given[name]) env[name] = given[name];
  }
  for (const [name, value] of Object.entries(req.headers)) {
    // Any other character than these, an underscore above all, would let one header pass for another.
    if (NO_VARIABLE.has(name) || !/^[a-z0-9-]+$/.test(name)) continue;
    const all = typeof value === 'string' ? value : value?.join(', ');
    env[`HTTP_${name.toUpperCase().replaceAll('-', '_')}`] = all && fromLatin1(all);
  }
  env.GATEWAY_INTERFACE = 'CGI/1.1';
  env.SERVER_PROTOCOL ??= `HTTP/${req.httpVersion}`;
  env.DOCUMENT_ROOT ??= root;
  env.PATH = process.env.PATH || '/usr/local/bin:/usr/bin:/bin';
  env.REQUEST_METHOD = req.method;
  env.REQUEST_URI = fromLatin1(req.originalUrl ?? url);
  env.QUERY_STRING = mark === -1 ? '' : fromLatin1(url.slice(mark + 1));
  env.SCRIPT_NAME = (decodePath(req.baseUrl ?? '') ?? '') + program.name;
  env.SCRIPT_FILENAME = program.file;
  if (program.pathInfo !== '') {
    env.PATH_INFO = program.pathInfo;
    env.PATH_TRANSLATED = env.DOCUMENT_ROOT + program.pathInfo;
  }
  env.CONTENT_LENGTH = contentLength;
  env.CONTENT_TYPE = contentLength === undefined ? undefined : req.headers['content-type'];
  Object.assign(env, extra);
  // No variable can hold NUL: a FastCGI peer may have sent one.
  const set = Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return Object.fromEntries(set.filter(([, value]) => !value.includes('\0')));
}
