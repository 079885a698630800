import http from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { afterEach } from 'vitest';
import { Request } from '../../src/core/request.ts';
import { Response } from '../../src/core/response.ts';
import type { Router } from '../../src/core/router.ts';

type HttpServer = Server & Pick<http.Server, 'closeAllConnections'>;

const servers: HttpServer[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** Starts a server and gives its origin, `http://127.0.0.1:port`; closed after the test. */
export async function listen(server: HttpServer): Promise<string> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Serves an application with this package's request and response. */
export function served(app: http.RequestListener<typeof Request, typeof Response>): Promise<string> {
  return listen(http.createServer({ IncomingMessage: Request, ServerResponse: Response }, app));
}

/** Serves a router alone: what it passes on is answered with `404` or the error's message. */
export function servedRouter(router: Router): Promise<string> {
  return served((req, res) =>
    router(req, res, (error) => {
      res.statusCode = (error as { status?: number } | undefined)?.status ?? (error ? 500 : 404);
      res.end(error ? (error instanceof Error ? error.message : String(error)) : 'not found');
    }),
  );
}

/** The answer's status and body, `'200 hello'`, to a request sent with its target as it stands. */
export function ask(origin: string, target: string, method = 'GET'): Promise<string> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const request = http.request({ hostname, port, path: target, method, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text) => {
        body += text;
      });
      response.on('end', () => resolve(`${response.statusCode} ${body}`.trimEnd()));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end();
  });
}
