import type { Program } from './find.ts';
import { type RoutedRequest, requestVariables } from './request-variables.ts';
import { decodePath, fromLatin1 } from './url-text.ts';

/** Variables by name; an undefined one is left out. */
export type CgiEnvironment = Record<string, string | undefined>;

/**
 * The environment of a program (RFC 3875, section 4.1, and what everyday web servers add to it). Of this process's own it
 * has only PATH.
 *
 * @param root The folder that the program was found in.
 * @param contentLength Of the body, where there is one.
 * @param extra Comes before all others.
 */
export function makeEnvironment(
  req: RoutedRequest,
  program: Program,
  root: string,
  contentLength: string | undefined,
  extra: CgiEnvironment = {},
): Record<string, string> {
  const env: CgiEnvironment = requestVariables(req, fromLatin1);
  env.DOCUMENT_ROOT ??= root;
  env.PATH = process.env.PATH || '/usr/local/bin:/usr/bin:/bin';
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
