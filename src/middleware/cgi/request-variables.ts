import type { IncomingMessage } from 'node:http';
import { cgiSocket, makeEnv } from '../../core/env.ts';
import { originOf } from '../../core/path.ts';

/** A request that may have passed through mounts, ours or Connect's. */
export type RoutedRequest = IncomingMessage & { baseUrl?: string; originalUrl?: string };

/**
 * What only the web server knows. Of what it sends beside these and SSL_VARIABLE nothing is passed on: whoever can connect
 * to a FastCGI door could otherwise set `LD_PRELOAD`, `PYTHONPATH` and their like.
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

/** What mod_ssl tells of a connection, others in its words; SSL_CERT_FILE and SSL_CERT_DIR are settings of OpenSSL's. */
const SSL_VARIABLE =
  /^SSL_(?:(?:CLIENT|SERVER|SESSION|CIPHER|VERSION|SRP)_[A-Z0-9_]+|CIPHER|PROTOCOL|SECURE_RENEG|COMPRESS_METHOD|TLS_SNI)$/;

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
 * What CGI programs and FastCGI applications alike are told of a request (RFC 3875, section 4.1), but for what they are
 * themselves.
 *
 * @param text Makes a value of headers and URLs, which have a byte in each character.
 */
export function requestVariables<T>(
  req: RoutedRequest,
  text: (latin1: string) => T,
): Record<string, string | T | undefined> {
  const given = cgiSocket(req)?.params ?? makeEnv(req);
  const url = req.url!;
  const mark = url.indexOf('?');
  const original = req.originalUrl ?? url;
  const env: Record<string, string | T | undefined> = Object.create(null);
  for (const name of Object.keys(given)
    .filter((name) => SSL_VARIABLE.test(name))
    .concat(WEB_SERVERS_OWN)) {
    // nginx sends empty ones for what there is not.
    if (given[name]) env[name] = given[name];
  }
  for (const [name, value] of Object.entries(req.headers)) {
    // Any other character than these, an underscore above all, would let one header pass for another.
    if (NO_VARIABLE.has(name) || !/^[a-z0-9-]+$/.test(name)) continue;
    const all = typeof value === 'string' ? value : value?.join(', ');
    env[`HTTP_${name.toUpperCase().replaceAll('-', '_')}`] = all && text(all);
  }
  env.GATEWAY_INTERFACE = 'CGI/1.1';
  env.SERVER_PROTOCOL ??= `HTTP/${req.httpVersion}`;
  env.REQUEST_METHOD = req.method;
  env.REQUEST_URI = text(original.slice(originOf(original).length));
  env.QUERY_STRING = mark === -1 ? '' : text(url.slice(mark + 1));
  return env;
}
