import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { HttpServer } from '../../src/adapters/http.ts';
import { Request } from '../../src/core/request.ts';
import { Response } from '../../src/core/response.ts';

test("is node:http's server, with this package's two classes and the options given", async () => {
  const seen: unknown[] = [];
  const server = new HttpServer({ keepAliveTimeout: 1234 }, (req, res) => {
    seen.push(req instanceof Request, res instanceof Response);
    res.end('over HTTP');
  });
  expect([server instanceof http.Server, server.keepAliveTimeout]).toEqual([true, 1234]);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  expect([answer.status, await answer.text()]).toEqual([200, 'over HTTP']);
  expect(seen).toEqual([true, true]);
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});
