import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { finalHandler } from './final-handler.ts';

/**
 * Handles one request over HTTP, as `FcgiHandler` does over FastCGI, in the words of Python's `http.server`: a new object
 * for each, whose answer ends when `handle` has returned, and its promise has settled. What it throws is a 500.
 *
 * @example
 * class Hello extends MinimalHttpHandler {
 *   handle() {
 *     this.sendResponse(200);
 *     this.sendHeader('Content-Type', 'text/plain');
 *     this.endHeaders();
 *     this.wfile.write('ok');
 *   }
 * }
 * createServer(Hello).listen(1234);
 */
export abstract class MinimalHttpHandler {
  /** The method: `'GET'`. */
  readonly command: string;
  /** With the query, as it was sent. */
  readonly path: string;
  /** `'1.1'`. */
  readonly requestVersion: string;
  readonly headers: IncomingHttpHeaders;
  /** The request's body. */
  readonly rfile: Readable;
  /** Takes the answer's body. */
  readonly wfile: Writable;
  readonly #res: ServerResponse;

  constructor(req: IncomingMessage, res: ServerResponse) {
    this.command = req.method!;
    this.path = req.url!;
    this.requestVersion = req.httpVersion;
    this.headers = req.headers;
    this.rfile = req;
    this.wfile = res;
    this.#res = res;
  }

  abstract handle(): unknown;

  /** Begins the head; the message is the status's usual one unless told. */
  sendResponse(code: number, message = ''): void {
    this.#res.statusCode = code;
    this.#res.statusMessage = message;
  }

  /** Adds a header to the head; several of one name are sent as they come. */
  sendHeader(keyword: string, value: string | number): void {
    this.#res.appendHeader(keyword, String(value));
  }

  /** Sends the head. */
  endHeaders(): void {
    this.#res.flushHeaders();
  }
}

export type MinimalHttpHandlerClass = new (req: IncomingMessage, res: ServerResponse) => MinimalHttpHandler;

export function isMinimalHttpHandler(listener: unknown): listener is MinimalHttpHandlerClass {
  return typeof listener === 'function' && listener.prototype instanceof MinimalHttpHandler;
}

/** Serves each request with an object of its own. */
export function serveMinimalHttpHandler(Handler: MinimalHttpHandlerClass) {
  return async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    try {
      await new Handler(req, res).handle();
      res.end();
    } catch (error) {
      finalHandler(error || new Error(`The handler threw ${String(error)}`), req, res);
    }
  };
}
