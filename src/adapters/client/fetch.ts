import { join } from 'node:path';
import { finished, type Readable } from 'node:stream';
import { fcgiError } from '../../core/errors.ts';
import { type Body, discard } from './body.ts';
import type { FcgiClient } from './client.ts';
import type { ParamValue, RequestOptions } from './request.ts';
import { type FcgiResponse, ResponseBody } from './response.ts';

export interface FetchInit extends RequestOptions {
  /** The folder that the URL's paths are in: DOCUMENT_ROOT, and before the path SCRIPT_FILENAME. */
  root?: string;
  /** The file to be run, as the application finds it, in the place of that. */
  scriptFilename?: string;
  /** CGI parameters that come before those made of the URL, the headers and the rest; an undefined one is left out. */
  params?: Record<string, ParamValue | undefined>;
  /** Default GET. */
  method?: string;
  headers?: ConstructorParameters<typeof Headers>[0];
  /** A stream of which `headers` has no Content-Length is counted first, in memory or a temporary file. */
  body?: Body | URLSearchParams | FormData;
}

type FetchParams = Record<string, ParamValue | undefined>;

/** Those that a web `Response` has no body with (Fetch standard, section 2.2.3). */
const BODILESS = new Set([101, 103, 204, 205, 304]);

/** Methods that may be given in any case (Fetch standard, section 2.2.1): `patch` is another than `PATCH`. */
const ANY_CASE = new Set(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT']);

/** Of a URL without an origin. */
const ORIGIN = 'http://localhost';

/** Rejects as `client.request`; with FCGI_ERR_ARGUMENT where the URL or what is beside it makes no request. */
export async function fetchOver(client: FcgiClient, url: string | URL, init: FetchInit): Promise<Response> {
  const { params, body } = sendable(url, init);
  return webResponse(await client.request(params, body, init));
}

function sendable(url: string | URL, init: FetchInit): ReturnType<typeof fetchRequest> {
  try {
    return fetchRequest(url, init);
  } catch (error) {
    discard(init.body);
    discard(init.data);
    throw error;
  }
}

/**
 * The parameters (RFC 3875, section 4.1, and what everyday web servers add to it) and the body of a request.
 *
 * @throws FcgiError FCGI_ERR_ARGUMENT
 */
export function fetchRequest(url: string | URL, init: FetchInit): { params: FetchParams; body: Body } {
  const { root } = init;
  const method = methodOf(init.method ?? 'GET');
  const { protocol, host, hostname, port, pathname, search } = parseUrl(url);
  const path = decodePath(pathname);
  const secure = protocol === 'https:';
  const script = init.scriptFilename ?? (root === undefined ? undefined : join(root, path));
  const { body, type } = bodyOf(init.body);
  const params: FetchParams = {
    GATEWAY_INTERFACE: 'CGI/1.1',
    SERVER_SOFTWARE: 'fcgi',
    SERVER_PROTOCOL: 'HTTP/1.1',
    SERVER_NAME: hostname,
    SERVER_PORT: port || (secure ? '443' : '80'),
    REQUEST_SCHEME: secure ? 'https' : 'http',
    HTTPS: secure ? 'on' : undefined,
    REMOTE_ADDR: '127.0.0.1',
    REQUEST_METHOD: method,
    REQUEST_URI: pathname + search,
    DOCUMENT_ROOT: root,
    SCRIPT_NAME: root !== undefined && script?.startsWith(`${root}/`) ? script.slice(root.length) : path,
    SCRIPT_FILENAME: script,
    QUERY_STRING: search.slice(1),
    CONTENT_TYPE: type,
    HTTP_HOST: host,
  };
  if (init.headers !== undefined) addHeaders(params, new Headers(init.headers));
  return { params: { ...params, ...init.params }, body };
}

function methodOf(given: string): string {
  if (!/^[!#$%&'*+.^`|~\w-]+$/.test(given)) throw fcgiError('FCGI_ERR_ARGUMENT', `Not a method: ${given}`);
  const upper = given.toUpperCase();
  return ANY_CASE.has(upper) ? upper : given;
}

function parseUrl(url: string | URL): URL {
  try {
    return new URL(url, ORIGIN);
  } catch (cause) {
    throw fcgiError('FCGI_ERR_ARGUMENT', `Not a URL: ${url}`, cause);
  }
}

/** The path of a URL as that of a file: decoded, and not out of its folder. */
function decodePath(pathname: string): string {
  let path: string;
  try {
    path = decodeURIComponent(pathname);
  } catch (cause) {
    throw fcgiError('FCGI_ERR_ARGUMENT', `The path cannot be decoded: ${pathname}`, cause);
  }
  if (path.includes('\0') || path.split(/[/\\]/).includes('..')) {
    throw fcgiError('FCGI_ERR_ARGUMENT', `The path leaves its folder, or has a NUL: ${pathname}`);
  }
  return path;
}

function addHeaders(params: FetchParams, headers: Headers): void {
  for (const [name, value] of headers) {
    // An underscore would let one header pass for another; HTTP_PROXY is what libraries take for a setting (httpoxy).
    if (name === 'proxy' || name.includes('_')) continue;
    const key = name.toUpperCase().replaceAll('-', '_');
    const own = name === 'content-type' || name === 'content-length';
    // Characters of headers are bytes; those of parameters would be sent as UTF-8.
    params[own ? key : `HTTP_${key}`] = /[\x80-\xff]/.test(value) ? Buffer.from(value, 'latin1') : value;
  }
}

/** What the web's fetch takes beyond a `Body`, as the Fetch standard has it sent. */
function bodyOf(given: FetchInit['body']): { body: Body; type?: string } {
  if (given instanceof URLSearchParams || given instanceof FormData) {
    const { headers, body } = new Response(given);
    return { body, type: headers.get('content-type')! };
  }
  if (typeof given === 'string') return { body: given, type: 'text/plain;charset=UTF-8' };
  if (given instanceof Blob && given.type !== '') return { body: given, type: given.type };
  return { body: given };
}

function webResponse({ status, statusText, headers, stdout }: FcgiResponse): Response {
  const list: [string, string][] = [];
  for (const [name, value] of Object.entries(headers)) {
    for (const each of Array.isArray(value) ? value : [value!]) list.push([name, each]);
  }
  try {
    return new Response(webBody(status, stdout), { status, statusText, headers: list });
  } catch (cause) {
    stdout.destroy();
    throw fcgiError('FCGI_ERR_CLIENT_PROTOCOL', `The answer is none for the web: status ${status}`, cause);
  }
}

function webBody(status: number, stdout: Readable): ConstructorParameters<typeof Response>[0] {
  if (BODILESS.has(status)) {
    // What comes of it is nobody's: no reader can be told that it was cut off.
    stdout.on('error', () => {}).resume();
    return null;
  }
  // All of it has come, as it mostly has of a small answer: no stream is built.
  if (stdout instanceof ResponseBody && stdout.complete) return stdout.read() ?? '';
  return webStream(stdout);
}

/** `Readable.toWeb` throws where nobody can catch it when data comes after it was cancelled (Node 20). */
function webStream(stdout: Readable): ReadableStream<Uint8Array> {
  let forget = () => {};
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const onData = (chunk: Uint8Array) => {
          controller.enqueue(chunk);
          if (controller.desiredSize! <= 0) stdout.pause();
        };
        const ignore = finished(stdout, (error) => {
          if (error) controller.error(error);
          else controller.close();
        });
        forget = () => {
          ignore();
          stdout.off('data', onData);
        };
        stdout.on('data', onData).pause();
      },
      pull() {
        stdout.resume();
      },
      cancel() {
        forget();
        stdout.on('error', () => {}).destroy();
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: stdout.readableHighWaterMark }),
  );
}
