import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import { connect } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { TcpAddress } from '../../src/adapters/address.ts';
import { type Doors, type ServeOptions, serve } from '../../src/adapters/serve.ts';
import { Client, eventually, held } from './fastcgi/client.ts';

let directory: string;
let socketPath: string;
const opened: Doors[] = [];
const clients: Client[] = [];

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'fcgi-serve-'));
  socketPath = path.join(directory, 'app.sock');
});

afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  for (const client of clients.splice(0)) client.destroy();
  for (const doors of opened.splice(0)) await doors.close();
  fs.rmSync(directory, { recursive: true });
});

async function open(listener: http.RequestListener, options: ServeOptions = {}): Promise<Doors> {
  const doors = await serve(listener, { closeTimeout: 1000, ...options });
  opened.push(doors);
  return doors;
}

async function dial(): Promise<Client> {
  const socket = connect(socketPath);
  const client = new Client(socket, once(socket, 'close'));
  clients.push(client);
  await once(socket, 'connect');
  return client;
}

const urlOf = ({ http: at }: Doors) => `http://127.0.0.1:${(at as TcpAddress).port}/`;

describe('serve', () => {
  test('opens both doors, tells where, and answers the same on both', async () => {
    const doors = await open((req, res) => res.end(`hello ${req.url}`), { fastcgi: socketPath, http: 0 });
    expect(doors.fastcgi).toEqual({ path: socketPath });
    expect(doors.http).toEqual({ host: '127.0.0.1', port: expect.any(Number) });
    expect(await (await fetch(urlOf(doors))).text()).toBe('hello /');
    expect((await (await dial()).get()).text).toBe('hello /');
  });

  test('opens one door alone', async () => {
    expect(await open(() => {}, { fastcgi: 0 })).toMatchObject({ fastcgi: { host: '127.0.0.1' }, http: undefined });
    expect(await open(() => {}, { http: 0 })).toMatchObject({ http: { host: '127.0.0.1' }, fastcgi: undefined });
  });

  test('with neither named opens HTTP on PORT', async () => {
    vi.stubEnv('PORT', '0');
    expect((await open(() => {})).http).toMatchObject({ host: '127.0.0.1' });
  });

  test('gives unix sockets the permissions asked for', async () => {
    await open(() => {}, { fastcgi: socketPath, mode: 0o600 });
    expect(fs.statSync(socketPath).mode & 0o777).toBe(0o600);
  });

  test.each([
    ['a listener that is no function', 'not a function' as never, {}, 'FCGI_ERR_ARGUMENT'],
    ['an option that cannot be', () => {}, { maxRequests: -1 }, 'FCGI_ERR_OPTION'],
    ['a closeTimeout that cannot be', () => {}, { closeTimeout: -1 }, 'FCGI_ERR_OPTION'],
    ['no address', () => {}, { http: 'nowhere' }, 'FCGI_ERR_ADDRESS'],
  ])('rejects %s, and leaves neither door open', async (_what, listener, options, code) => {
    const listeners = process.listenerCount('SIGTERM');
    await expect(serve(listener, { fastcgi: socketPath, http: 0, ...options })).rejects.toMatchObject({ code });
    expect(fs.existsSync(socketPath)).toBe(false);
    expect(process.listenerCount('SIGTERM')).toBe(listeners);
  });

  test('rejects an address in use, and leaves neither door open', async () => {
    const taken = http.createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    const options = { fastcgi: socketPath, http: port };
    await expect(serve(() => {}, options)).rejects.toMatchObject({ code: 'FCGI_ERR_ADDRESS_IN_USE' });
    expect(fs.existsSync(socketPath)).toBe(false);
    taken.close();
    await once(taken, 'close');
    await open((_req, res) => res.end('still here'), options);
    await expect(serve(() => {}, { http: 0, fastcgi: socketPath })).rejects.toMatchObject({
      code: 'FCGI_ERR_ADDRESS_IN_USE',
    });
    expect((await (await dial()).get()).text).toBe('still here');
  });
});

describe('close', () => {
  test('closes what is idle, finishes what is under way, on both doors, and then resolves', async () => {
    const requests = held();
    // Sooner than Node would give up the kept HTTP connection.
    const doors = await open(requests.listener, { fastcgi: socketPath, http: 0, closeTimeout: 3000 });
    const giveUp = vi.spyOn(http.Server.prototype, 'closeAllConnections');
    const [idle, client] = [await dial(), await dial()];
    client.request({ params: { REQUEST_URI: '/fastcgi' } });
    const agent = new http.Agent({ keepAlive: true });
    const asked = http.get(`${urlOf(doors)}http`, { agent });
    const [one, two] = [await requests.of('/fastcgi'), await requests.of('/http')];
    const closed = doors.close();
    await idle.closed;
    one.res.end('finished');
    two.res.end('finished');
    const [answer] = await once(asked, 'response');
    answer.resume();
    expect(answer.statusCode).toBe(200);
    await client.closed;
    expect(client.exchange()).toMatchObject({ text: 'finished', ends: 1 });
    await closed;
    expect(giveUp).not.toHaveBeenCalled();
    agent.destroy();
    expect(fs.existsSync(socketPath)).toBe(false);
  });

  test('gives up after closeTimeout what does not finish', async () => {
    const requests = held();
    const doors = await open(requests.listener, { fastcgi: socketPath, http: 0, closeTimeout: 50 });
    const client = await dial();
    client.request({ params: { REQUEST_URI: '/fastcgi' } });
    const asked = http.get(`${urlOf(doors)}http`);
    const failed = once(asked, 'error');
    const [one, two] = [await requests.of('/fastcgi'), await requests.of('/http')];
    const gone = [once(one.res, 'close'), once(two.res, 'close')];
    await doors.close();
    await Promise.all([...gone, failed, client.closed]);
  });

  test('waits without end for closeTimeout Infinity', async () => {
    const requests = held();
    const doors = await open(requests.listener, { fastcgi: socketPath, closeTimeout: Number.POSITIVE_INFINITY });
    const client = await dial();
    client.request();
    const { res } = await requests.of('/');
    const closed = doors.close();
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
    res.end('finished');
    expect((await client.answer()).text).toBe('finished');
    await closed;
  });

  test('a second time resolves as well', async () => {
    const doors = await open(() => {}, { fastcgi: socketPath });
    await doors.close();
    await doors.close();
  });
});

describe('signals', () => {
  test('SIGTERM and SIGINT finish what is under way, and then end the process with status 0', async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const exit = vi.spyOn(process, 'exit').mockImplementation(() => undefined as never);
      const requests = held();
      await open(requests.listener, { fastcgi: socketPath });
      const client = await dial();
      client.request();
      const { res } = await requests.of('/');
      process.emit(signal);
      expect(exit).not.toHaveBeenCalled();
      res.end('finished');
      await client.closed;
      expect(client.exchange().text).toBe('finished');
      await eventually(() => expect(exit.mock.calls).toEqual([[0]]));
      vi.restoreAllMocks();
    }
  });

  test('are let alone when asked, and once the doors are closed', async () => {
    const count = () => process.listenerCount('SIGTERM') + process.listenerCount('SIGINT');
    const before = count();
    await open(() => {}, { fastcgi: socketPath, signals: false });
    expect(count()).toBe(before);
    const doors = await open(() => {}, { http: 0 });
    expect(count()).toBe(before + 2);
    await doors.close();
    expect(count()).toBe(before);
  });
});
