import http from 'node:http';
import { expect } from 'vitest';
import { type Application, createApp } from '../../src/core/app.ts';
import type { FcgiError } from '../../src/core/errors.ts';
import type { Request } from '../../src/core/request.ts';
import type { ErrorHandler } from '../../src/core/types.ts';
import { type CgiOptions, cgi } from '../../src/middleware/index.ts';
import { type Door, eventually } from '../adapters/fastcgi/client.ts';
import { served } from '../core/served.ts';

export interface TestRequest {
  method?: string;
  headers?: Record<string, string>;
  body?: Buffer | string;
  /** Without a length. */
  chunked?: boolean;
  /** What the web server says beside that, on FastCGI. */
  params?: Record<string, string>;
}

export interface TestAnswer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
  text: string;
}

/** Sends requests to an application; rejects where an answer breaks off. */
export type Ask = (path: string, request?: TestRequest) => Promise<TestAnswer>;

export interface CgiApp {
  app: Application;
  errors: FcgiError[];
  /** Resolves when the body of the request that came last is being read. */
  reading(): Promise<void>;
}

/**
 * An application with the programs of a folder at /cgi-bin, and the errors that came of them; the client gets their codes.
 */
export function cgiApp(folder: string, options?: CgiOptions): CgiApp {
  const errors: FcgiError[] = [];
  const app = createApp({ env: 'test' });
  let last: Request | undefined;
  app.use((req, _res, next) => {
    last = req;
    next();
  });
  app.use('/cgi-bin', cgi(folder, options));
  const onError: ErrorHandler = (error, _req, res, next) => {
    errors.push(error as FcgiError);
    if (res.headersSent) next(error);
    else res.status((error as FcgiError).status).send((error as FcgiError).code);
  };
  app.use(onError);
  return { app, errors, reading: () => eventually(() => expect(last?.readableDidRead).toBe(true)) };
}

/** Both ways into an application. */
export const DOORS: [name: string, open: (app: Application, door: Door) => Promise<Ask>][] = [
  ['HTTP', overHttp],
  ['FastCGI', overFastcgi],
];

async function overHttp(app: Application): Promise<Ask> {
  const { hostname, port } = new URL(await served(app));
  return (path, { method = 'GET', headers = {}, body, chunked } = {}) =>
    new Promise((resolve, reject) => {
      const length = body === undefined || chunked ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
      const options = { hostname, port, path, method, headers: { ...length, ...headers }, agent: false };
      const request = http.request(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk)).on('error', reject);
        response.on('end', () => {
          resolve(answerOf(response.statusCode!, response.headers as Record<string, string>, Buffer.concat(chunks)));
        });
      });
      request.on('error', reject);
      if (chunked) request.flushHeaders();
      request.end(body);
    });
}

async function overFastcgi(app: Application, door: Door): Promise<Ask> {
  const server = await door.open(app);
  return async (path, { method = 'GET', headers = {}, body, chunked, params = {} } = {}) => {
    const client = await door.connect(server);
    const own: Record<string, string | undefined> = { REQUEST_METHOD: method, REQUEST_URI: path };
    for (const [name, value] of Object.entries(headers)) {
      const key = name.toUpperCase().replaceAll('-', '_');
      own[key === 'CONTENT_TYPE' ? key : `HTTP_${key}`] = value;
    }
    if (chunked) own.CONTENT_LENGTH = undefined;
    const exchange = await client.get({ body, params: { ...own, ...params } }).finally(() => client.destroy());
    const answer: Record<string, string> = {};
    for (const line of exchange.head) {
      const [name = '', value = ''] = line.split(/: (.*)/s);
      answer[name.toLowerCase()] = value;
    }
    return answerOf(Number.parseInt(answer.status!, 10), answer, exchange.body);
  };
}

function answerOf(status: number, headers: Record<string, string>, body: Buffer): TestAnswer {
  return { status, headers, body, text: body.toString() };
}
