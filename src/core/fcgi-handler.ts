import type { Writable } from 'node:stream';
import { readNow } from './body.ts';
import type { Request } from './request.ts';
import type { Response } from './response.ts';
import { type SimpleContext, simple } from './simple.ts';

/** Up to how much of a body is there when a handler is called. */
export const READ_AHEAD_BYTES = 1024 * 1024;

/**
 * Handles one request, as the handlers of Python's `socketserver` do: a new object for each, whose `handle` reads stdin and
 * writes a CGI answer (RFC 3875, section 6) to stdout. Its answer ends when `handle` has returned, and its promise, if it
 * returns one, has settled. What it throws is a 500.
 *
 * @example
 * class Hello extends FcgiHandler {
 *   handle() {
 *     this.print(`Content-Type: text/html\n\nHello ${this.content()}`);
 *   }
 * }
 * createServer(Hello).listen(1234);
 */
export abstract class FcgiHandler {
  readonly #context: SimpleContext;
  #content: string | undefined;

  constructor(context: SimpleContext) {
    this.#context = context;
  }

  abstract handle(): unknown;

  /** Called before `handle`. */
  setup(): unknown {
    return undefined;
  }

  /** Called after `handle`, also where that has thrown, but not where `setup` has. */
  finish(): unknown {
    return undefined;
  }

  get req(): Request {
    return this.#context.req;
  }

  get res(): Response {
    return this.#context.res;
  }

  /** The CGI parameters: `QUERY_STRING`, `REMOTE_ADDR`, … */
  get environ(): Record<string, string> {
    return this.#context.env;
  }

  /** The request body: a Readable with `text()`, `json()`, `bytes()` and `form()`. */
  get stdin(): Request {
    return this.#context.stdin;
  }

  /** Takes a CGI answer: a head, an empty line, a body. */
  get stdout(): Writable {
    return this.#context.stdout;
  }

  /** To the web server's error log. */
  get stderr(): Writable {
    return this.#context.stderr;
  }

  stream(name: 'stdin'): Request;
  stream(name: 'stdout' | 'stderr'): Writable;
  stream(name: 'stdin' | 'stdout' | 'stderr'): Request | Writable {
    return this[name];
  }

  /** Writes a line to stdout; line ends become CRLF. */
  print(text: unknown = ''): void {
    this.stdout.write(`${text}\n`.replace(/\r?\n/g, '\r\n'));
  }

  /** Writes a line to stderr: as it is, since a log has no CR. */
  err(text: unknown = ''): void {
    this.stderr.write(`${text}\n`);
  }

  /**
   * The body, or what nobody has read of `stdin` before, as UTF-8.
   *
   * @throws FcgiError FCGI_ERR_BODY_TOO_LARGE: it has more than 1 MiB. Read `stdin` then.
   */
  content(): string {
    this.#content ??= readNow(this.stdin).toString();
    return this.#content;
  }

  /** Writes to stdout, or to stderr. */
  write(bytes: string | Uint8Array, toStderr = false): void {
    (toStderr ? this.stderr : this.stdout).write(bytes);
  }
}

export type FcgiHandlerClass = new (context: SimpleContext) => FcgiHandler;

export function isFcgiHandler(listener: unknown): listener is FcgiHandlerClass {
  return typeof listener === 'function' && listener.prototype instanceof FcgiHandler;
}

/** Serves each request with an object of its own. */
export function serveFcgiHandler(Handler: FcgiHandlerClass): ReturnType<typeof simple> {
  return simple(
    async (context) => {
      const handler = new Handler(context);
      await handler.setup();
      try {
        await handler.handle();
      } finally {
        await handler.finish();
      }
    },
    { readAhead: READ_AHEAD_BYTES },
  );
}
