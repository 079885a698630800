import http, { STATUS_CODES } from 'node:http';
import { basename, extname } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { create as contentDisposition } from 'content-disposition';
import contentType from 'content-type';
import encodeUrl from 'encodeurl';
import escapeHtml from 'escape-html';
import mime from 'mime-types';
import vary from 'vary';
import type { Application } from './app.ts';
import { allow } from './authorizer.ts';
import { cgiSocket } from './env.ts';
import { fcgiError } from './errors.ts';
import type { Request } from './request.ts';
import { ANSWERING, SENT, sendFetched, sendStream, sendWhole, toReadable } from './send.ts';
import { type DownloadArguments, download, type FileCallback, type SendFileOptions, sendFile } from './send-file.ts';
import { type CookieOptions, clearing, makeSetCookie } from './set-cookie.ts';
import { type Settings, settingsOf } from './settings.ts';
import type { NextFunction } from './types.ts';

/** What a header can be set to; anything but an array is made a string. */
export type HeaderValue = string | number | boolean | readonly (string | number | boolean)[];

const HTML = 'text/html; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';
const BYTES = 'application/octet-stream';

/** The answer: Node's `ServerResponse` with Express's methods. docs/response.md has an example of each. */
export class Response extends http.ServerResponse<Request> {
  /** The application that is running. */
  declare app: Application;
  /** For whatever the handlers of this request have to tell each other, and the view. */
  declare locals: Record<string, unknown>;

  /** What `send` gave to `writeHead`, names and values in turn. */
  declare [SENT]?: readonly (string | number)[];
  declare [ANSWERING]?: true;

  constructor(req: Request, options?: object) {
    // @ts-expect-error Node hands it options, which its types do not know.
    super(req, options);
    // For listeners without an app, which would set it: `req.signal` and `req.fresh` ask the response.
    req.res = this;
  }

  // Of headers that are given to `writeHead` alone Node knows nothing afterwards, when a logger asks for them.

  override getHeader(name: string): number | string | string[] | undefined {
    return super.getHeader(name) ?? sentHeaders(this)[name.toLowerCase()];
  }

  override hasHeader(name: string): boolean {
    return super.hasHeader(name) || (this[SENT] !== undefined && name.toLowerCase() in sentHeaders(this));
  }

  override getHeaders(): http.OutgoingHttpHeaders {
    return this[SENT] === undefined ? super.getHeaders() : { ...super.getHeaders(), ...sentHeaders(this) };
  }

  override getHeaderNames(): string[] {
    return this[SENT] === undefined ? super.getHeaderNames() : Object.keys(this.getHeaders());
  }

  /** To the web server's error log on FastCGI (FCGI_STDERR), to the process's own stderr on HTTP. */
  get stderr(): Writable {
    // The request keeps its socket; the response loses it when it is done.
    return cgiSocket(this.req)?.stderr ?? process.stderr;
  }

  /** Throws TypeError unless the code is an integer, RangeError unless it is one from 100 to 999. */
  status(code: number): this {
    if (!Number.isInteger(code)) {
      throw new TypeError(`Invalid status code: ${JSON.stringify(code)}. Status code must be an integer.`);
    }
    if (code < 100 || code > 999) {
      throw new RangeError(`Invalid status code: ${code}. Status code must be greater than 99 and less than 1000.`);
    }
    this.statusCode = code;
    return this;
  }

  /**
   * Lets a request through that an Authorizer was asked about (`app.authorize`); the web server gives the variables to
   * what it protects, as `{ REMOTE_USER: 'ann' }`.
   *
   * @throws FcgiError FCGI_ERR_ARGUMENT: not an Authorizer request, or no name of a variable.
   */
  allow(variables: Record<string, string> = {}): this {
    allow(this, variables);
    return this;
  }

  /** Answers with the status and its name as the text. */
  sendStatus(code: number): this {
    return this.status(code)
      .type('txt')
      .send(STATUS_CODES[code] ?? String(code));
  }

  /** What a header has been set to. */
  get(name: string): number | string | string[] | undefined {
    return this.getHeader(name);
  }

  /** Sets one header or several; a Content-Type without a charset gets the one that is usual for it. */
  set(name: string, value: HeaderValue): this;
  set(headers: Record<string, HeaderValue>): this;
  set(name: string | Record<string, HeaderValue>, value?: HeaderValue): this {
    if (typeof name !== 'string') {
      for (const key of Object.keys(name)) this.set(key, name[key]);
      return this;
    }
    if (Array.isArray(value)) {
      if (name.toLowerCase() === 'content-type') throw new TypeError('Content-Type cannot be set to an Array');
      this.setHeader(name, value.map(String));
    } else if (name.toLowerCase() === 'content-type') {
      const type = mime.contentType(String(value));
      // What is no type, as `foo`, leaves none set: what is sent gets its own, as Express's does.
      if (type) this.setHeader(name, type);
      else this.removeHeader(name);
    } else {
      this.setHeader(name, String(value));
    }
    return this;
  }

  /** The same as `set`. */
  header(name: string, value: HeaderValue): this;
  header(headers: Record<string, HeaderValue>): this;
  header(name: string | Record<string, HeaderValue>, value?: HeaderValue): this {
    return this.set(name as string, value as HeaderValue);
  }

  /** Adds to a header what it has not replaced: as `Set-Cookie`, it is sent as several lines. */
  append(name: string, value: HeaderValue): this {
    const previous = this.get(name);
    return this.set(name, previous ? [previous, value as string].flat() : value);
  }

  /**
   * Adds a cookie to the answer: an object as JSON, anything else as a string.
   *
   * @throws FcgiError FCGI_ERR_ARGUMENT: a browser would not take it, or there is no secret to sign it with.
   */
  cookie(name: string, value: unknown, options: CookieOptions = {}): this {
    return this.append('Set-Cookie', makeSetCookie(name, value, options, this.req.secret));
  }

  /** Has the browser forget a cookie. The options are those that it was set with; `maxAge` and `expires` are ignored. */
  clearCookie(name: string, options: CookieOptions = {}): this {
    return this.cookie(name, '', clearing(name, options));
  }

  /** Sets Content-Type, of a type (`'text/csv'`) or of a file's extension (`'csv'`). */
  type(type: string): this {
    return this.set('Content-Type', type.includes('/') ? type : mime.contentType(type) || BYTES);
  }

  /** The same as `type`. */
  contentType(type: string): this {
    return this.type(type);
  }

  /** Adds names to Vary, each once. */
  vary(names: string | string[]): this {
    vary(this, names);
    return this;
  }

  /** Adds to Link: `{ next: '/2', last: ['/9'] }`. */
  links(links: Record<string, string | string[]>): this {
    const all = Object.entries(links).flatMap(([rel, urls]) => [urls].flat().map((url) => `<${url}>; rel="${rel}"`));
    const previous = this.get('Link');
    return this.set('Link', (previous ? [previous, ...all] : all).join(', '));
  }

  /** Sets Location, with whatever a URL cannot hold percent-encoded. */
  location(url: string): this {
    return this.set('Location', encodeUrl(url));
  }

  /** Answers with a redirect, 302 unless told; with a line of text or HTML for whom it does not take along. */
  redirect(url: string): void;
  redirect(status: number, url: string): void;
  redirect(...args: [url: string] | [status: number, url: string]): void {
    const [status, url] = args.length === 1 ? [302, args[0]] : args;
    this.location(url);
    const text = `${STATUS_CODES[status]}. Redirecting to `;
    const address = String(this.get('Location'));
    this.vary('Accept');
    const accepted = this.req.accepts('text', 'html');
    let body = '';
    if (accepted === 'text') {
      this.type('txt');
      body = text + address;
    } else if (accepted === 'html') {
      this.type('html');
      const head = `<!DOCTYPE html><head><title>${STATUS_CODES[status]}</title></head>`;
      body = `${head}<body><p>${text}${escapeHtml(address)}</p></body>`;
    }
    this.status(status).setHeader('Content-Length', Buffer.byteLength(body));
    if (this.req.method === 'HEAD') this.end();
    else this.end(body);
  }

  /**
   * HOT: answers with a value as JSON, by the settings `json replacer`, `json spaces` and `json escape`.
   * Throws what JSON.stringify does.
   */
  json(value: unknown): this {
    const body = stringify(value, settingsOf(this));
    if (this.hasHeader('content-type')) {
      if (body !== undefined) sayUtf8(this);
      sendWhole(this, body);
    } else {
      sendWhole(this, body, JSON_TYPE);
    }
    return this;
  }

  /**
   * Answers as `json` does, or with a script that calls the function that the query names (`?callback=f`; the setting
   * `jsonp callback name`).
   */
  jsonp(value: unknown): this {
    const settings = settingsOf(this);
    const json = stringify(value, settings);
    const given = this.req.query[String(settings['jsonp callback name'])];
    const callback = Array.isArray(given) ? given[0] : given;
    if (!this.get('Content-Type'))
      this.set({ 'X-Content-Type-Options': 'nosniff', 'Content-Type': 'application/json' });
    if (typeof callback !== 'string' || callback === '') return this.send(json);

    this.set({ 'X-Content-Type-Options': 'nosniff', 'Content-Type': 'text/javascript' });
    const name = callback.replace(/[^[\]\w$.]/g, '');
    // Line ends to JavaScript before 2019, though not to JSON.
    const script = (json ?? '').replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
    // The comment is before the name so that the answer cannot pass for a file of another kind (Rosetta Flash).
    return this.send(`/**/ typeof ${name} === 'function' && ${name}(${script});`);
  }

  /**
   * Answers in the one of several ways that the client likes best: by types (`'text/html'`) or extensions (`'html'`), in the
   * order of preference, or by `default`. Where there is none, FCGI_ERR_NOT_ACCEPTABLE goes to the error handlers.
   */
  format(answers: Record<string, (req: Request, res: this, next: NextFunction) => unknown>): this {
    const { req } = this;
    const next = req.next!;
    const types = Object.keys(answers).filter((type) => type !== 'default');
    const type = types.length > 0 && req.accepts(types);
    this.vary('Accept');
    if (type) {
      this.set('Content-Type', mediaType(type));
      answers[type]!(req, this, next);
    } else if (answers.default) {
      answers.default(req, this, next);
    } else {
      const error = fcgiError('FCGI_ERR_NOT_ACCEPTABLE', 'Not Acceptable');
      next(Object.assign(error, { types: types.map(mediaType) }));
    }
    return this;
  }

  /**
   * HOT: answers with anything. Unless Content-Type is set, a string is HTML, bytes and streams are `application/octet-stream`
   * and any other value is JSON.
   *
   * - string, Buffer, typed array, ArrayBuffer, `null` (empty), any value for JSON: with Content-Length and ETag; 304 when fresh.
   * - Readable, AsyncIterable, ReadableStream, Blob: as fast as the client takes it. Its errors go to the error handlers, as
   *   those of Express's `sendFile` do; if the head has gone out, the answer is broken off as well. To wait for the end:
   *   `await finished(res)` of `node:stream/promises`.
   * - a Fetch API `Response`: with its status and headers. Throws `FCGI_ERR_BODY_USED` if its body has been read.
   */
  send(body?: unknown): this {
    if (typeof body === 'string') {
      if (this.hasHeader('content-type')) {
        sayUtf8(this);
        sendWhole(this, body);
      } else {
        sendWhole(this, body, HTML);
      }
    } else if (body === undefined) sendWhole(this, undefined);
    else if (body === null) sendWhole(this, '');
    else if (typeof body === 'object') sendObject(this, body);
    else this.json(body);
    return this;
  }

  /**
   * Answers with a file: its type by its name; ranges and conditional requests. The path is absolute, or below
   * `options.root`. Without a callback, errors go to `next`, which a folder is passed on to. See docs/files.md.
   *
   * @throws TypeError for a path that is neither.
   */
  sendFile(path: string, callback?: FileCallback): void;
  sendFile(path: string, options: SendFileOptions, callback?: FileCallback): void;
  sendFile(path: string, options?: SendFileOptions | FileCallback, callback?: FileCallback): void {
    sendFile(this, path, options, callback);
  }

  /** Answers with a file to be saved, under its own name unless one is given; the rest is as in `sendFile`. */
  download(path: string, callback?: FileCallback): void;
  download(path: string, filename: string | null | undefined, callback?: FileCallback): void;
  download(path: string, options: SendFileOptions, callback?: FileCallback): void;
  download(path: string, filename: string | null | undefined, options: SendFileOptions, callback?: FileCallback): void;
  download(path: string, ...args: DownloadArguments): void {
    download(this, path, ...args);
  }

  /** Says by Content-Disposition that the answer is to be saved, and under which name, of which Content-Type comes as well. */
  attachment(filename?: string): this {
    const name = filename === undefined ? undefined : basename(filename);
    if (name) this.type(extname(name));
    return this.set('Content-Disposition', contentDisposition(name));
  }
}

/** Of a type with parameters, or of an extension. */
function mediaType(type: string): string {
  return type.includes('/') ? type.split(';', 1)[0]!.trim() : mime.lookup(type) || BYTES;
}

function sentHeaders(res: Response): http.OutgoingHttpHeaders {
  const sent = res[SENT];
  const headers: http.OutgoingHttpHeaders = Object.create(null);
  if (sent !== undefined) {
    for (let i = 0; i < sent.length; i += 2) headers[String(sent[i]).toLowerCase()] = sent[i + 1];
  }
  return headers;
}

function sendObject(res: Response, body: object): void {
  if (ArrayBuffer.isView(body)) {
    defaultType(res, BYTES);
    sendWhole(res, Buffer.from(body.buffer, body.byteOffset, body.byteLength));
  } else if (body instanceof ArrayBuffer) {
    defaultType(res, BYTES);
    sendWhole(res, Buffer.from(body));
  } else if (Symbol.asyncIterator in body) {
    defaultType(res, BYTES);
    sendStream(res, toReadable(body as Readable | AsyncIterable<unknown>));
  } else if (isTagged<globalThis.Response>(body, 'Response')) {
    sendFetched(res, body);
  } else if (isTagged<Blob>(body, 'Blob') || isTagged<Blob>(body, 'File')) {
    defaultType(res, body.type || BYTES);
    res.setHeader('Content-Length', body.size);
    sendStream(res, toReadable(body.stream() as ReadableStream));
  } else {
    res.json(body);
  }
}

/** Told by the tag: `instanceof` would load the Fetch API, and refuse the classes of a package that implements it. */
function isTagged<T extends object>(body: object, tag: string): body is T {
  return Symbol.toStringTag in body && body[Symbol.toStringTag] === tag;
}

function defaultType(res: Response, type: string): void {
  if (!res.hasHeader('content-type')) res.setHeader('content-type', type);
}

/** Strings are sent as UTF-8, whatever charset the type was set with. */
function sayUtf8(res: Response): void {
  const type = res.getHeader('content-type');
  if (typeof type !== 'string' || type.endsWith('; charset=utf-8')) return;
  const parsed = contentType.parse(type);
  parsed.parameters.charset = 'utf-8';
  res.setHeader('Content-Type', contentType.format(parsed));
}

function stringify(value: unknown, settings: Settings): string | undefined {
  const replacer = settings['json replacer'] as (() => unknown) | undefined;
  const spaces = settings['json spaces'] as string | number | undefined;
  // V8 takes a shorter way with one argument.
  const json = replacer || spaces ? JSON.stringify(value, replacer, spaces) : JSON.stringify(value);
  if (!settings['json escape'] || json === undefined) return json;
  return json.replace(/[<>&]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
}
