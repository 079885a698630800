import { once } from 'node:events';
import type http from 'node:http';
import { type AddressInfo, connect, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createApp } from '../../src/adapters/app.ts';
import { createServer } from '../../src/adapters/create-server.ts';
import { FcgiServer } from '../../src/adapters/fastcgi/server.ts';
import { HttpServer } from '../../src/adapters/http.ts';
import { FcgiHandler } from '../../src/core/fcgi-handler.ts';
import { MinimalHttpHandler } from '../../src/core/minimal-http-handler.ts';
import { Client } from './fastcgi/client.ts';

const servers: Server[] = [];
const clients: Client[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  for (const server of servers.splice(0)) server.close();
});

async function portOf(server: Server): Promise<number> {
  servers.push(server);
  if (!server.listening) await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function dial(server: Server): Promise<Client> {
  const socket = connect(await portOf(server), '127.0.0.1');
  const client = new Client(socket, once(socket, 'close'));
  clients.push(client);
  await once(socket, 'connect');
  return client;
}

class Hello extends FcgiHandler {
  handle() {
    this.err(`asked for\n${this.environ.REQUEST_URI}`);
    this.write('logged', true);
    this.print(`Content-Type: text/plain\n\nHello ${this.content()}`);
  }
}

class Minimal extends MinimalHttpHandler {
  handle() {
    this.sendResponse(200);
    this.endHeaders();
    this.wfile.write(`Hello ${this.path}`);
  }
}

describe('createServer', () => {
  it('serves a class of FcgiHandler over FastCGI', async () => {
    const client = await dial(createServer(Hello).listen(0));
    const answer = await client.get({ params: { REQUEST_URI: '/here' }, body: 'World' });
    expect(answer).toMatchObject({ status: 200, text: 'Hello World\r\n' });
    expect(answer.stderr).toBe('asked for\n/here\nlogged');
    expect((await client.get()).text).toBe('Hello \r\n');
  });

  it('serves a class of MinimalHttpHandler over HTTP', async () => {
    const server = createServer(Minimal).listen(0, '127.0.0.1');
    expect(server).toBeInstanceOf(HttpServer);
    expect(await (await fetch(`http://127.0.0.1:${await portOf(server)}/here`)).text()).toBe('Hello /here');
  });

  it('serves a function, or an app, over FastCGI', async () => {
    const listeners = [
      (_req: unknown, res: http.ServerResponse) => res.end('served'),
      createApp().use((_req, res) => res.send('served')),
    ];
    for (const listener of listeners) {
      const client = await dial(createServer(listener as http.RequestListener).listen(0));
      expect((await client.get()).text).toBe('served');
    }
  });

  it('takes options first: those of the FastCGI door, or of node:http', () => {
    expect(createServer({ maxRequests: 3 }, Hello).limits.maxRequests).toBe(3);
    expect(createServer({ maxRequests: 3 }).limits.maxRequests).toBe(3);
    expect(createServer({ keepAliveTimeout: 1234 }, Minimal).keepAliveTimeout).toBe(1234);
    expect(createServer()).toBeInstanceOf(FcgiServer);
  });

  it.each<[what: string, call: () => unknown, code: string]>([
    ['what is no listener', () => createServer({}, 'no' as never), 'FCGI_ERR_ARGUMENT'],
    ['an object for a listener', () => createServer({}, { handle() {} } as never), 'FCGI_ERR_ARGUMENT'],
    ['an option that cannot be', () => createServer({ maxRequests: 0 }, Hello), 'FCGI_ERR_OPTION'],
  ])('refuses %s', (_what, call, code) => {
    expect(call).toThrow(expect.objectContaining({ code }));
  });

  it('serves one request of either class by handleRequest', async () => {
    const one = createServer(Hello).listen(0);
    const client = await dial(one);
    const handled = one.handleRequest();
    expect((await client.get()).text).toBe('Hello \r\n');
    await handled;
    const two = createServer(Minimal).listen(0, '127.0.0.1');
    const port = await portOf(two);
    const served = two.handleRequest();
    expect(await (await fetch(`http://127.0.0.1:${port}/once`)).text()).toBe('Hello /once');
    await served;
  });
});
