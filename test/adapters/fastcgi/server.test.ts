import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { createServer } from '../../../src/adapters/create-server.ts';
import { FCGI_RESPONDER } from '../../../src/adapters/fastcgi/constants.ts';
import { FcgiServer, type ServerOptions } from '../../../src/adapters/fastcgi/server.ts';
import { Request } from '../../../src/core/request.ts';
import { Response } from '../../../src/core/response.ts';
import { codesOf, Door, eventually, held } from './client.ts';

const door = new Door();

let directory: string;
let socketPath: string;

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'fcgi-server-'));
  socketPath = path.join(directory, 'app.sock');
});

afterEach(async () => {
  await door.close();
  fs.rmSync(directory, { recursive: true });
});

describe('createServer', () => {
  test('takes a listener, options, both or neither', () => {
    const listener = () => {};
    expect(createServer().listeners('request')).toEqual([]);
    expect(createServer(listener).listeners('request')).toEqual([listener]);
    expect(createServer({ maxRequests: 3 }).limits.maxRequests).toBe(3);
    const both = createServer({ maxConnections: 4 }, listener);
    expect([both.listeners('request'), both.maxConnections, both instanceof FcgiServer]).toEqual([[listener], 4, true]);
  });

  test("gives the application this package's classes, or those it was told", async () => {
    class MyRequest extends http.IncomingMessage {}
    class MyResponse extends http.ServerResponse {}
    const seen: unknown[] = [];
    const own: ServerOptions = { IncomingMessage: MyRequest, ServerResponse: MyResponse };
    for (const options of [{}, own]) {
      const { client } = await door.serve((req, res) => {
        seen.push(req.constructor, res.constructor);
        res.end();
      }, options);
      await client.get();
    }
    expect(seen).toEqual([Request, Response, MyRequest, MyResponse]);
  });

  test('refuses allowedPeers that are no addresses', () => {
    expect(() => createServer({ allowedPeers: ['localhost'] })).toThrow(
      expect.objectContaining({ code: 'FCGI_ERR_OPTION' }),
    );
  });
});

describe('listen', () => {
  test('is on 127.0.0.1 unless a host is named', async () => {
    const server = createServer();
    for (const args of [
      [0],
      ['0'],
      [],
      [{ port: 0 }],
      [{ port: 0, host: undefined }],
      [{ port: 0, host: '' }],
      [() => {}],
      [0, () => {}],
      [undefined, () => {}],
    ]) {
      server.listen(...args);
      await once(server, 'listening');
      expect((server.address() as AddressInfo).address).toBe('127.0.0.1');
      server.close();
      await once(server, 'close');
    }
    for (const args of [[0, '0.0.0.0'], ['0.0.0.0:0'], [{ port: 0, host: '0.0.0.0' }]]) {
      server.listen(...args);
      await once(server, 'listening');
      expect((server.address() as AddressInfo).address).toBe('0.0.0.0');
      server.close();
      await once(server, 'close');
    }
  });

  test('calls back when it listens', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, resolve));
    expect(server.listening).toBe(true);
    server.close();
    await new Promise<void>((resolve) => server.listen({ port: 0 }, resolve).once('error', () => {}));
    server.close();
  });

  test('serves on a unix socket of the permissions asked for, and removes it', async () => {
    const server = createServer((_req, res) => res.end('unix'));
    server.listen(socketPath, { mode: 0o600 });
    await once(server, 'listening');
    const client = await door.connect(server);
    expect((await client.get()).text).toBe('unix');
    expect(fs.statSync(socketPath).mode & 0o777).toBe(0o600);
    client.destroy();
    server.close();
    await once(server, 'close');
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  test('replaces a unix socket that is left over, also for the options that frameworks listen with', async () => {
    // A process that is killed leaves its socket behind.
    const program = `require('net').createServer().listen(${JSON.stringify(socketPath)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', program]);
    expect(fs.existsSync(socketPath)).toBe(true);
    const server = createServer((_req, res) => res.end('anew'));
    await new Promise<void>((resolve) => server.listen({ path: socketPath, host: undefined, mode: 0o600 }, resolve));
    expect(fs.statSync(socketPath).mode & 0o777).toBe(0o600);
    const client = await door.connect(server);
    expect((await client.get()).text).toBe('anew');
    client.destroy();
    server.close();
    await once(server, 'close');
  });

  test("tells by 'error' what is no address, also who listens for it behind the call", async () => {
    const server = createServer();
    server.listen('no address');
    const [error] = await once(server, 'error');
    expect(error.code).toBe('FCGI_ERR_ADDRESS');
  });

  test('shares the handle of another server', async () => {
    const other = http.createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const server = createServer((_req, res) => res.end('shared'));
    server.listen({ _handle: (other as unknown as { _handle: object })._handle } as object);
    await once(server, 'listening');
    expect((server.address() as AddressInfo).port).toBe((other.address() as AddressInfo).port);
    server.close();
  });

  test('long after the server was made begins with a clock that is right', async () => {
    const server = createServer({ requestTimeout: 60_000 }, () => {});
    server.now = performance.now() - 100_000;
    server.listen(0);
    await once(server, 'listening');
    expect(performance.now() - server.now).toBeLessThan(50_000);
    server.close();
  });
});

describe('allowedPeers', () => {
  test('lets in who is listed, and closes on all others without a word', async () => {
    const listed = await door.serve((_req, res) => res.end('in'), { allowedPeers: ['127.0.0.0/8'] });
    expect((await listed.client.get()).text).toBe('in');
    const other = await door.serve((_req, res) => res.end('in'), { allowedPeers: ['10.0.0.1'] });
    other.client.request();
    await other.client.closed;
    expect(other.client.exchanges.size).toBe(0);
  });
});

describe('overload', () => {
  const refused = { status: 503, text: '503 Service Unavailable\n', end: { appStatus: 0, protocolStatus: 0 } };

  test('of a connection is a real 503, and what is under way goes on', async () => {
    const requests = held();
    const { server, client } = await door.serve(requests.listener, { maxRequestsPerConnection: 2 });
    const codes = codesOf(server);
    for (const id of [1, 2]) client.request({ id, params: { REQUEST_URI: `/${id}` } });
    expect(await client.get({ id: 3 })).toMatchObject(refused);
    expect(codes).toEqual(['FCGI_ERR_OVERLOADED']);
    (await requests.of('/1')).res.end('one');
    await client.answer(1);
    client.request({ id: 4, params: { REQUEST_URI: '/4' } });
    (await requests.of('/4')).res.end('four');
    (await requests.of('/2')).res.end('two');
    expect([(await client.answer(2)).text, (await client.answer(4)).text]).toEqual(['two', 'four']);
  });

  test('of all connections together is a real 503', async () => {
    const requests = held();
    const { server, client } = await door.serve(requests.listener, { maxRequests: 2 });
    const other = await door.connect(server);
    client.request({ id: 1 }).request({ id: 2, params: { REQUEST_URI: '/2' } });
    await requests.of('/2');
    expect(await other.get()).toMatchObject(refused);
    expect(await other.get({ body: 'x'.repeat(100_000) })).toMatchObject(refused);
    (await requests.of('/')).res.end();
    await client.answer(1);
    other.request({ params: { REQUEST_URI: '/3' } });
    expect(await requests.of('/3')).toBeDefined();
  });

  test('a connection too many is closed', async () => {
    const { server, client } = await door.serve((_req, res) => res.end('in'), { maxConnections: 1 });
    const late = await door.connect(server);
    await late.closed;
    expect((await client.get()).text).toBe('in');
  });
});

describe('an answer that comes before the body is read', () => {
  test('leaves at once with its END_REQUEST, and the connection is half-closed', async () => {
    const { client } = await door.serve((_req, res) => res.writeHead(413).end('too large'));
    client.socket.allowHalfOpen = true;
    client.begin(1, 1, 0).params(1, { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '1000' }).stdin(1, 'abc');
    await once(client.socket, 'end');
    expect(client.exchange()).toMatchObject({ status: 413, text: 'too large', ends: 1 });
    client.stdin(1, 'x'.repeat(997)).stdinEnd();
    client.socket.end();
    await client.left;
  });

  test('on a kept connection, the rest is thrown away and the next request served', async () => {
    const { client } = await door.serve((req, res) => res.end(req.url));
    client.begin(1).params(1, { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '3000000' });
    await client.answer();
    client.stdin(1, Buffer.alloc(3_000_000)).stdinEnd();
    expect((await client.get({ params: { REQUEST_URI: '/next' } })).text).toBe('/next');
  });

  test('is followed by no more than maxDrainBytes: then the connection is closed', async () => {
    const { server, client } = await door.serve((_req, res) => res.end('early'), { maxDrainBytes: 100_000 });
    client.begin(1).params(1, { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '30000000' });
    await client.answer();
    client.stdin(1, Buffer.alloc(30_000_000));
    await client.left;
    expect(server.live).toBe(0);
  });

  test('is followed for no longer than closeTimeout, though bytes keep coming', async () => {
    const { client } = await door.serve((_req, res) => res.end('early'), { closeTimeout: 100 });
    client.socket.allowHalfOpen = true;
    client.begin(1, 1, 0).params(1, { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '30000000' });
    await once(client.socket, 'end');
    const drip = setInterval(() => client.stdin(1, 'x'), 10);
    await client.left;
    clearInterval(drip);
    expect(client.exchange().ends).toBe(1);
  });
});

describe('timeouts', () => {
  test('headersTimeout: parameters that do not come are answered with 408', async () => {
    const { server, client } = await door.serve(() => {}, { headersTimeout: 50 });
    const codes = codesOf(server);
    client.begin();
    expect((await client.answer()).status).toBe(408);
    expect(codes).toEqual(['FCGI_ERR_REQUEST_TIMEOUT']);
    expect(server.live).toBe(0);
  });

  test('requestTimeout: a body that does not come is answered with 408, and whoever reads it is told', async () => {
    const failed: Promise<unknown>[] = [];
    const { server, client } = await door.serve(
      (req) => {
        failed.push((req as Request).text().catch((error) => error.code));
      },
      { requestTimeout: 50 },
    );
    client.begin().params(1, { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '10' }).stdin(1, 'abc');
    expect((await client.answer()).status).toBe(408);
    expect(await failed[0]).toBe('FCGI_ERR_REQUEST_TIMEOUT');
    expect(server.live).toBe(0);
  });

  test('requestTimeout: a body that is still read behind the answer fails, and is told once', async () => {
    const failed: Promise<unknown>[] = [];
    const { server, client } = await door.serve(
      (req, res) => {
        failed.push((req as Request).text().catch((error) => error.code));
        res.end('early');
      },
      { requestTimeout: 100 },
    );
    const codes = codesOf(server);
    client.begin().params(1, { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '100000' }).stdin(1, 'a');
    expect((await client.answer()).text).toBe('early');
    const drip = setInterval(() => client.stdin(1, 'b'), 5);
    onTestFinished(() => clearInterval(drip));
    expect(await failed[0]).toBe('FCGI_ERR_REQUEST_TIMEOUT');
    const { now } = server;
    await eventually(() => expect(server.now).toBeGreaterThan(now + 50));
    expect(codes).toEqual(['FCGI_ERR_REQUEST_TIMEOUT']);
    clearInterval(drip);
    client.stdinEnd();
    expect((await client.get({ id: 2, body: 'x' })).text).toBe('early');
  });

  test('neither ends a request that has come whole', async () => {
    const requests = held();
    const { client } = await door.serve(requests.listener, { headersTimeout: 20, requestTimeout: 20, idleTimeout: 20 });
    client.request();
    const { res } = await requests.of('/');
    const slow = await door.serve(() => {}, { headersTimeout: 60 });
    slow.client.begin();
    await slow.client.answer();
    res.end('whole');
    expect(await client.answer()).toMatchObject({ status: 200, text: 'whole' });
  });

  test('idleTimeout: a connection without a request is closed, before the first and after the last', async () => {
    const { server, client } = await door.serve((_req, res) => res.end(), { idleTimeout: 50 });
    await client.closed;
    const used = await door.connect(server);
    await used.get();
    await used.closed;
    expect(used.exchange().ends).toBe(1);
  });

  test('idleTimeout counts from the end of the last request, however long that took', async () => {
    const requests = held();
    const { server, client } = await door.serve(requests.listener, { idleTimeout: 300 });
    client.request();
    const { res } = await requests.of('/');
    const other = await door.connect(server);
    await other.closed;
    res.end();
    await client.answer();
    const ticks = server.now;
    await eventually(() => expect(server.now).toBeGreaterThan(ticks + 80));
    expect(client.socket.closed || client.socket.readableEnded).toBe(false);
    await client.closed;
  });

  test('idleTimeout: a web server that takes nothing of an answer is left, its request aborted', async () => {
    const requests = held();
    const { server, client } = await door.serve(requests.listener, { idleTimeout: 100 });
    client.socket.pause();
    client.request();
    const { res } = await requests.of('/');
    res.write(Buffer.alloc(30_000_000));
    await once(res, 'close');
    expect(server.live).toBe(0);
  });

  test('neither idleTimeout nor closeTimeout cuts off who takes a large answer slowly', async () => {
    // Over a unix socket it is seen at once that something was taken.
    const server = await door.open(
      (_req, res) => res.end(Buffer.alloc(12_000_000)),
      { idleTimeout: 200, closeTimeout: 200 },
      socketPath,
    );
    for (const flags of [0, 1]) {
      const client = await door.connect(server);
      client.request({ flags });
      const halt = () => {
        client.socket.pause();
        setTimeout(() => client.socket.resume(), 20);
      };
      client.socket.on('data', halt);
      await client.until(() => client.exchange().records.length > 60);
      client.socket.off('data', halt);
      client.socket.resume();
      expect((await client.answer()).body.length).toBe(12_000_000);
    }
  });
});

describe('close', () => {
  test('lets the requests under way finish, and closes what is idle', async () => {
    const requests = held();
    const { server, client } = await door.serve(requests.listener);
    const idle = await door.connect(server);
    client.request();
    const { res } = await requests.of('/');
    const closed = once(server, 'close');
    server.close();
    await idle.closed;
    res.end('finished');
    await client.closed;
    expect(client.exchange()).toMatchObject({ text: 'finished', ends: 1 });
    await closed;
  });

  test('answers the first request of a connection that has just been opened', async () => {
    const { server } = await door.serve((_req, res) => res.end('in time'));
    const accepted = once(server, 'connection');
    const client = await door.connect(server);
    await accepted;
    const closed = once(server, 'close');
    server.close();
    expect((await client.get()).text).toBe('in time');
    await client.closed;
    await closed;
  });

  test('is bound by closeAllConnections, which aborts what is under way', async () => {
    const requests = held();
    const { server, client } = await door.serve(requests.listener);
    client.request();
    const { res } = await requests.of('/');
    const closed = [once(server, 'close'), once(res, 'close')];
    server.close();
    server.closeAllConnections();
    await Promise.all(closed);
    expect(server.live).toBe(0);
  });

  test('closeIdleConnections closes those without a request', async () => {
    const requests = held();
    const { server, client } = await door.serve(requests.listener);
    const idle = await door.connect(server);
    client.request();
    const { res } = await requests.of('/');
    server.closeIdleConnections();
    await idle.closed;
    res.end('goes on');
    expect((await client.answer()).text).toBe('goes on');
  });

  test('of a web server that does not close its side is bound by closeTimeout', async () => {
    const { server, client } = await door.serve(() => {}, { closeTimeout: 50 });
    client.socket.allowHalfOpen = true;
    await client.get({ role: 9 });
    server.close();
    await once(server, 'close');
  });
});

describe('close with kept connections', () => {
  test('a web server that does not close its side of an idle one is not waited for', async () => {
    const { server, client } = await door.serve((_req, res) => res.end('done'), {
      closeTimeout: Number.POSITIVE_INFINITY,
    });
    client.socket.allowHalfOpen = true;
    await client.get();
    server.close();
    await once(server, 'close');
    expect(client.socket.writableEnded).toBe(false);
  });

  test('nor is one whose last request was under way', async () => {
    const { listener, of } = held();
    const { server, client } = await door.serve(listener, { closeTimeout: Number.POSITIVE_INFINITY });
    client.socket.allowHalfOpen = true;
    client.request();
    const { res } = await of('/');
    server.close();
    res.end('last');
    await once(server, 'close');
    expect((await client.answer()).text).toBe('last');
  });

  test('one that has not ended its STDIN yet, although there is no body, gets no reset', async () => {
    const { client } = await door.serve((_req, res) => res.end('done'));
    client.socket.allowHalfOpen = true;
    client.begin(1, FCGI_RESPONDER, 0).params(1, { CONTENT_LENGTH: '0' });
    await once(client.socket, 'end');
    expect(client.exchange().text).toBe('done');
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    client.stdinEnd();
    client.socket.end();
    await client.left;
    expect(client.socket.errored).toBe(null);
  });

  test('one that still sends a body which was refused gets its answer, and no reset', async () => {
    const { server, client } = await door.serve(() => {}, { maxBodyBytes: 10 });
    client.socket.allowHalfOpen = true;
    client.begin().params(1, { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '1000' });
    await client.answer();
    server.close();
    await once(client.socket, 'end');
    client.stdin(1, 'x'.repeat(1000)).stdinEnd();
    expect(client.exchange()).toMatchObject({ status: 413, ends: 1 });
    expect(client.socket.errored).toBe(null);
    client.socket.end();
    await client.left;
  });
});
