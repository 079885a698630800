import type { IncomingMessage } from 'node:http';
import type { Readable, Writable } from 'node:stream';

/** What the web server asks for: an answer; a decision about access; a file processed. */
export type Role = 'responder' | 'authorizer' | 'filter';

/** What the socket of a request that came over FastCGI has besides a socket's own. */
export interface CgiSocket {
  /** The number of the role, in FCGI_BEGIN_REQUEST. */
  readonly role: number;
  /** The CGI parameters as the web server sent them. */
  readonly params: Record<string, string>;
  /** One of them, or `''`: for this the others are not decoded. */
  readonly cgi: { get(name: string): string };
  /** To the web server's error log. */
  readonly stderr: Writable;
  /** FCGI_DATA. */
  readonly data: Readable;
}

/** By the numbers that the FastCGI specification gives them in section 6. */
const ROLES: readonly Role[] = ['responder', 'responder', 'authorizer', 'filter'];

/** The socket of a message, when it came over FastCGI. */
export function cgiSocket(message: IncomingMessage): CgiSocket | undefined {
  const socket = message.socket as unknown as CgiSocket | undefined;
  return socket && 'params' in socket ? socket : undefined;
}

/** Where the errors of a request go: to the web server, or without FastCGI to this process's stderr. */
export function errorLog(message: IncomingMessage): Writable {
  return cgiSocket(message)?.stderr ?? process.stderr;
}

/** Without FastCGI, a message is for a responder. */
export function roleOf(message: IncomingMessage): Role {
  return ROLES[cgiSocket(message)?.role ?? 0];
}

/** The CGI/1.1 parameters (RFC 3875, section 4) of a request that came over HTTP. */
export function makeEnv(req: IncomingMessage & { originalUrl?: string }): Record<string, string> {
  const { socket, headers } = req;
  const uri = req.originalUrl ?? req.url ?? '/';
  const mark = uri.indexOf('?');
  const host = /^(\[[^\]]*\]|[^:]*)/.exec(headers.host ?? '')![0];
  const env: Record<string, string> = Object.create(null);
  env.GATEWAY_INTERFACE = 'CGI/1.1';
  env.SERVER_SOFTWARE = `node/${process.versions.node}`;
  env.SERVER_PROTOCOL = `HTTP/${req.httpVersion}`;
  env.SERVER_NAME = host || socket.localAddress || '';
  env.SERVER_PORT = String(socket.localPort ?? '');
  env.SERVER_ADDR = socket.localAddress ?? '';
  env.REMOTE_ADDR = socket.remoteAddress ?? '';
  env.REMOTE_PORT = String(socket.remotePort ?? '');
  env.REQUEST_METHOD = req.method ?? 'GET';
  env.REQUEST_URI = uri;
  env.SCRIPT_NAME = '';
  env.PATH_INFO = decoded(mark === -1 ? uri : uri.slice(0, mark));
  env.QUERY_STRING = mark === -1 ? '' : uri.slice(mark + 1);
  if ('encrypted' in socket && socket.encrypted) env.HTTPS = 'on';
  for (const [name, value] of Object.entries(headers)) {
    // An underscore would let one header pass for another; HTTP_PROXY is what libraries take for a setting (httpoxy).
    if (value === undefined || name === 'proxy' || name.includes('_')) continue;
    const key = name.toUpperCase().replaceAll('-', '_');
    const own = name === 'content-type' || name === 'content-length';
    env[own ? key : `HTTP_${key}`] = typeof value === 'string' ? value : value.join(', ');
  }
  return env;
}

/** PATH_INFO is not URL-encoded (RFC 3875, section 4.1.5). */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
