import type { IncomingMessage } from 'node:http';
import type { Params, ParamValue } from '../../adapters/client/index.ts';
import { fcgiError } from '../../core/errors.ts';
import type { CgiEnvironment } from '../cgi/environment.ts';
import { type RoutedRequest, requestVariables } from '../cgi/request-variables.ts';
import { decodeBytes } from '../cgi/url-text.ts';
import type { Script } from './find.ts';

/**
 * The parameters for an application (RFC 3875, section 4.1), as nginx sends them.
 *
 * @param script Where there is no root: what of the URL follows the mount, and no name.
 * @param extra Comes before all others.
 */
export function makeParams(
  req: RoutedRequest,
  script: Script,
  root: string | undefined,
  extra: CgiEnvironment = {},
): Params {
  const params: Record<string, ParamValue | undefined> = requestVariables(req, bytesOf);
  const mount = decodeBytes(req.baseUrl ?? '');
  // Names of files are text, what is of the URL are bytes.
  const name = mount + Buffer.from(script.name).toString('latin1');
  params.REQUEST_SCHEME ??= params.HTTPS === 'on' ? 'https' : 'http';
  // Without it, php-cgi takes itself for a program that somebody has called by its URL.
  params.REDIRECT_STATUS ??= '200';
  // Scripts take it for granted: most web servers send it, empty where there is nobody.
  params.REMOTE_USER ??= '';
  params.SCRIPT_NAME = bytesOf(name);
  params.PATH_INFO = bytesOf(script.pathInfo);
  params.DOCUMENT_URI = bytesOf(name + script.pathInfo);
  if (root !== undefined) {
    params.DOCUMENT_ROOT = root;
    params.SCRIPT_FILENAME = root + script.name;
    if (script.pathInfo !== '') params.PATH_TRANSLATED = Buffer.concat([Buffer.from(root), latin1(script.pathInfo)]);
  }
  const { 'content-type': type, 'content-length': length } = req.headers;
  params.CONTENT_TYPE = type && bytesOf(type);
  params.CONTENT_LENGTH = length;
  return Object.assign(params, extra);
}

/** Undefined where there is none. */
export function bodyOf(req: RoutedRequest): ReturnType<IncomingMessage['iterator']> | undefined {
  const { 'content-length': length, 'transfer-encoding': encoding } = req.headers;
  if (encoding === undefined && (length === undefined || length === '0')) return undefined;
  if (req.readableEnded) throw fcgiError('FCGI_ERR_BODY_USED', 'The body to be passed on has been read already');
  // To destroy the request itself would be to destroy its connection, before the answer.
  return req.iterator({ destroyOnReturn: false });
}

function bytesOf(latin: string): string | Buffer {
  return /[\x80-\xff]/.test(latin) ? latin1(latin) : latin;
}

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}
