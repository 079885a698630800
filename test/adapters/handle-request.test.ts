import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import http from 'node:http';
import { type AddressInfo, connect, type Server } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createServer } from '../../src/adapters/create-server.ts';
import { encodeGetValues } from '../../src/adapters/fastcgi/records.ts';
import { FcgiServer } from '../../src/adapters/fastcgi/server.ts';
import { HttpServer } from '../../src/adapters/http.ts';
import { temporaryFolder } from '../servers/program.ts';
import { Client, eventually, held } from './fastcgi/client.ts';

let folder: string;
const clients: Client[] = [];

beforeEach(() => {
  folder = temporaryFolder();
});

afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
  rmSync(folder, { recursive: true });
});

async function listen(server: Server, at: number | string = 0): Promise<void> {
  server.listen(at);
  if (!server.listening) await once(server, 'listening');
}

async function dial(server: Server): Promise<Client> {
  const at = server.address() as AddressInfo | string;
  const socket = typeof at === 'string' ? connect(at) : connect(at.port, '127.0.0.1');
  const client = new Client(socket, once(socket, 'close'));
  clients.push(client);
  await once(socket, 'connect');
  return client;
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;

async function ask(server: Server, agent: http.Agent | false = false): Promise<string> {
  const [answer] = await once(http.get({ port: portOf(server), host: '127.0.0.1', agent }), 'response');
  return `${answer.statusCode} ${await text(answer)}`;
}

describe.each([
  ['a unix socket', () => join(folder, 'fcgi.sock')],
  ['TCP', () => 0],
])('handleRequest over FastCGI on %s', (_where, at) => {
  it('serves one request, and resolves when all is closed', async () => {
    const server = createServer((_req, res) => res.end('one'));
    await listen(server, at());
    const handled = server.handleRequest();
    const [client, idle] = [await dial(server), await dial(server)];
    expect((await client.get()).text).toBe('one');
    await Promise.all([client.closed, idle.closed, handled]);
    expect(server.listening).toBe(false);
    expect(existsSync(join(folder, 'fcgi.sock'))).toBe(false);
  });

  it('answers 503 to those who come while it is served, on its own connection and on others', async () => {
    const requests = held();
    const server = createServer(requests.listener);
    await listen(server, at());
    const handled = server.handleRequest();
    const [client, other] = [await dial(server), await dial(server)];
    // Its answer says that the request before it has begun: an idle connection would be closed.
    other.begin().send(encodeGetValues([]));
    await other.until(() => other.management.length > 0);
    client.request();
    const { res } = await requests.of('/');
    other.params().stdinEnd();
    expect((await client.get({ id: 2 })).status).toBe(503);
    expect((await other.answer()).status).toBe(503);
    res.end('one');
    expect((await client.answer()).text).toBe('one');
    await handled;
  });
});

describe('handleRequest over HTTP', () => {
  it('serves one request, also of a client that would keep its connection, and resolves when all is closed', async () => {
    const server = new HttpServer({}, (_req, res) => res.end('one'));
    await listen(server);
    const silent = connect(portOf(server), '127.0.0.1');
    await once(silent, 'connect');
    const handled = server.handleRequest();
    const agent = new http.Agent({ keepAlive: true });
    expect(await ask(server, agent)).toBe('200 one');
    await Promise.all([handled, once(silent.resume(), 'close')]);
    expect(server.listening).toBe(false);
  });

  it('answers 503 to those who come while it is served', async () => {
    const requests = held();
    const server = new HttpServer({ keepAlive: true }, requests.listener);
    await listen(server);
    const kept = connect(portOf(server), '127.0.0.1');
    kept.write('GET /second HTTP/1.1\r\n');
    const [socket] = await once(server, 'connection');
    // From now on it is not idle.
    await eventually(() => expect(socket.bytesRead).toBeGreaterThan(0));
    const handled = server.handleRequest();
    const answer = ask(server);
    const { res } = await requests.of('/');
    kept.write('Host: a\r\n\r\n');
    expect(await text(kept)).toMatch(/^HTTP\/1.1 503 /);
    res.end('one');
    expect(await answer).toBe('200 one');
    await handled;
  });
});

it('the server can listen anew, and handles as before', async () => {
  let calls = 0;
  for (const server of [
    createServer((_req, res) => res.end('again')),
    new HttpServer({}, (_req, res) => res.end('again')),
  ]) {
    server.on('request', () => calls++);
    server.once('request', () => calls++);
    for (let i = 0; i < 3; i++) {
      await listen(server);
      const handled = server.handleRequest();
      if (server instanceof FcgiServer) expect((await (await dial(server)).get()).text).toBe('again');
      else expect(await ask(server)).toBe('200 again');
      await handled;
    }
    expect(calls).toBe(4);
    calls = 0;
  }
});

it('a request whose client leaves is the one, too', async () => {
  for (const make of [
    (listener: http.RequestListener) => createServer(listener),
    (listener: http.RequestListener) => new HttpServer({}, listener),
  ]) {
    const requests = held();
    const server = make(requests.listener);
    await listen(server);
    const handled = server.handleRequest();
    const client = await dial(server);
    if (server instanceof FcgiServer) client.request();
    else client.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await requests.of('/');
    client.destroy();
    await handled;
  }
});
