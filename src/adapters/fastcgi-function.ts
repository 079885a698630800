import { realpathSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import { fcgiError } from '../core/errors.ts';
import { READ_AHEAD_BYTES } from '../core/fcgi-handler.ts';
import type { Request } from '../core/request.ts';
import type { Response } from '../core/response.ts';
import { type SimpleHandler, type SimpleOptions, simple } from '../core/simple.ts';
import type { AddressLike } from './address.ts';
import { install, outside, surround } from './ambient.ts';
import { limitsFrom } from './fastcgi/limits.ts';
import { FcgiServer } from './fastcgi/server.ts';
import { HttpServer } from './http.ts';
import { makersFor, openDoors, planFor, type ServeOptions } from './serve.ts';

/** `serve`'s options, and: */
export interface FastcgiOptions extends ServeOptions, SimpleOptions {}

/** Where it listens unless told. */
const USUAL_SOCKET = './fcgi.sock';

/**
 * Makes a FastCGI server of a CGI script. Within the handler, and whatever it awaits or calls back, `process.env`,
 * `process.stdin`, `process.stdout`, `process.stderr`, `console` and the file descriptors 0, 1 and 2 of `fs`'s synchronous
 * functions are the request's. See docs/cgi-scripts.md.
 *
 * Called by the program that was started, it serves at once: on what the process was started with, as `serve`, else on
 * `./fcgi.sock`. In a module that is imported it starts nothing. Either way it gives the server: `server.listen(address)`.
 *
 * @param options An address, or `{ fastcgi }` or `{ http }` with one, and more options.
 * @throws FcgiError FCGI_ERR_OPTION, FCGI_ERR_ARGUMENT
 *
 * @example
 * fastcgi(() => {
 *   process.stdout.write(`Content-Type: text/plain\n\nHello ${fs.readFileSync(0, 'utf8')}\n`);
 * });
 */
export function fastcgi(handler: SimpleHandler): FcgiServer;
export function fastcgi(
  options: FastcgiOptions & { http: object | string | number },
  handler: SimpleHandler,
): HttpServer;
export function fastcgi(options: AddressLike | FastcgiOptions, handler: SimpleHandler): FcgiServer;
export function fastcgi(
  first: SimpleHandler | AddressLike | FastcgiOptions,
  second?: SimpleHandler,
): FcgiServer | HttpServer {
  const [given, handler] = typeof first === 'function' ? [{}, first] : [first, second];
  if (typeof handler !== 'function') throw fcgiError('FCGI_ERR_ARGUMENT', 'fastcgi takes a function');
  const options = isOptions(given) ? given : { fastcgi: given };
  const { readAhead = READ_AHEAD_BYTES, http } = options;
  limitsFrom(options);
  const installed = install();
  const handle = simple((context) => surround(context, () => handler(context)), { readAhead });
  // A request may come in another one's turn on their connection.
  const listener = ((req: Request, res: Response) => outside(() => handle(req, res))) as unknown as RequestListener;
  const server = http === undefined ? new FcgiServer(options, listener) : new HttpServer({}, listener);
  if (isMain(callerOf(fastcgi))) installed.then(() => start(server, listener, options));
  return server;
}

/** An address can be an object, too. */
function isOptions(given: AddressLike | FastcgiOptions): given is FastcgiOptions {
  return typeof given === 'object' && given !== null && !['port', 'path', 'fd'].some((name) => name in given);
}

function start(server: FcgiServer | HttpServer, listener: RequestListener, options: FastcgiOptions): void {
  const first: unknown[] = [server];
  const make = makersFor(listener, options);
  const makers = {
    fastcgi: () => (first[0] instanceof FcgiServer ? (first.pop() as FcgiServer) : make.fastcgi()),
    http: () => (first[0] instanceof HttpServer ? (first.pop() as HttpServer) : make.http()),
  };
  const { opened } = openDoors(makers, planFor(options, { fastcgi: [USUAL_SOCKET], http: [] }), options);
  opened.catch((error) => server.emit('error', error));
}

/** The file of the module that called a function. */
function callerOf(callee: (...args: never[]) => unknown): string | undefined {
  const { prepareStackTrace, stackTraceLimit } = Error;
  const at: { stack?: unknown } = {};
  Object.assign(Error, { prepareStackTrace: (_error: unknown, [site]: NodeJS.CallSite[]) => site?.getFileName() });
  Error.stackTraceLimit = 1;
  try {
    Error.captureStackTrace(at, callee);
    return at.stack as string | undefined;
  } finally {
    Object.assign(Error, { prepareStackTrace, stackTraceLimit });
  }
}

/** Whether a file is the program that Node was started with, or what it was given by `-e` or on stdin. */
function isMain(file: string | undefined): boolean {
  if (file === undefined || !isMainThread) return false;
  if (/\[(?:eval\d*|stdin)\]$/.test(file)) return true;
  const [, program] = process.argv;
  if (program === undefined) return false;
  const path = file.startsWith('file:') ? fileURLToPath(file) : file;
  try {
    // As node finds it: `node app` may mean app.js.
    return realpathSync(path) === realpathSync(createRequire(path).resolve(program));
  } catch {
    return false;
  }
}
