import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createApp } from '../../src/adapters/app.ts';
import type { Application } from '../../src/core/app.ts';
import type { Request } from '../../src/core/request.ts';
import type { Response } from '../../src/core/response.ts';
import { listening, Spawned } from './spawned.ts';

const servers: Server[] = [];
const log = vi.spyOn(console, 'log');

beforeEach(() => {
  log.mockReset().mockReturnValue();
});

afterEach(async () => {
  vi.unstubAllEnvs();
  for (const server of servers.splice(0)) {
    if (!server.listening) continue;
    server.close();
    await once(server, 'close');
  }
});

function hello(): Application {
  return createApp().get('/hello', (_req: Request, res: Response) => res.send('Hello World'));
}

async function ask(server: Server): Promise<string> {
  const { port } = server.address() as AddressInfo;
  const answer = await fetch(`http://127.0.0.1:${port}/hello`, { headers: { Connection: 'close' } });
  return answer.text();
}

/** Listens, and keeps what the callback was given. */
function listen(app: Application, ...args: unknown[]) {
  const called = new Promise<{ it: unknown; given: unknown[] }>((resolve) => {
    args.push(function (this: unknown, ...given: unknown[]) {
      resolve({ it: this, given });
    });
  });
  const server = (app.listen as (...args: unknown[]) => http.Server)(...args);
  servers.push(server);
  return { server, called };
}

describe('listen with an address', () => {
  test("is Express's: HTTP, without a word, and signals are let alone", async () => {
    const signals = process.listenerCount('SIGTERM');
    const { server, called } = listen(hello(), 0, '127.0.0.1');
    expect((await called).it).toBe(server);
    expect(server).toBeInstanceOf(http.Server);
    expect(await ask(server)).toBe('Hello World');
    expect(log).not.toHaveBeenCalled();
    expect(process.listenerCount('SIGTERM')).toBe(signals);
  });
});

describe('listen without an address', () => {
  test.each([
    ['', []],
    [' that the environment might have had', [undefined]],
  ])('%s serves HTTP on PORT, and says so', async (_, args) => {
    vi.stubEnv('PORT', '0');
    const { server, called } = listen(hello(), ...args);
    const emitted = once(server, 'listening');
    expect(await called).toEqual({ it: server, given: [] });
    await emitted;
    expect(await ask(server)).toBe('Hello World');
    expect(log.mock.calls).toEqual([[`Listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`]]);
  });

  test('needs no callback', async () => {
    vi.stubEnv('PORT', '0');
    const server = hello().listen();
    servers.push(server);
    await once(server, 'listening');
    expect(await ask(server)).toBe('Hello World');
  });

  test('tells its callback of an error', async () => {
    const taken = await listening({ host: '127.0.0.1', port: 0 });
    servers.push(taken);
    vi.stubEnv('PORT', `${(taken.address() as AddressInfo).port}`);
    const { server, called } = listen(hello());
    const told = { code: 'FCGI_ERR_ADDRESS_IN_USE' };
    expect(await called).toEqual({ it: server, given: [expect.objectContaining(told)] });
    expect(server.listening).toBe(false);
  });

  test("emits an error as 'error' where there is no callback", async () => {
    vi.stubEnv('PORT', 'nowhere');
    const server = hello().listen();
    const [error] = await once(server, 'error');
    expect(error).toMatchObject({ code: 'FCGI_ERR_ADDRESS' });
  });

  test('ends the program with status 1 and the error where nobody listens to it', async () => {
    const program = new Spawned(`import { createApp } from 'fcgi'; createApp().listen();`, {
      env: { PORT: 'nowhere' },
    });
    expect(await program.ended).toBe(1);
    expect(program.stderr).toContain('FCGI_ERR_ADDRESS');
  });

  test('answers as a CGI program where it was started as one', async () => {
    const program = new Spawned(
      `import { createApp } from 'fcgi';
      createApp().get('/hello', (req, res) => res.send('Hello World')).listen(() => console.log('called'));`,
      { env: { GATEWAY_INTERFACE: 'CGI/1.1', REQUEST_METHOD: 'GET', REQUEST_URI: '/hello' } },
    );
    expect(await program.ended).toBe(0);
    expect(program.stdout).toMatch(/^Status: 200 OK\r\n.*\r\n\r\nHello World$/s);
    expect(program.stderr).toBe('called\n');
  });
});
