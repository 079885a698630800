import { once } from 'node:events';
import { rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { temporaryFolder } from '../servers/program.ts';
import type { Server } from './doors.ts';
import { differsServer, sameServer, settled } from './row.ts';

type Listen = (...args: unknown[]) => Server;

/** A server that does not listen, and how to have it do so. */
async function closed(server: Server): Promise<Listen> {
  server.close();
  await once(server, 'close');
  return (...args) => (server.listen as Listen)(...args);
}

differsServer(
  'server.listen(port): the address',
  { http: { notes: ['::'] }, fastcgi: { notes: ['127.0.0.1'] } },
  async ({ server, note }) => note((server.address() as AddressInfo).address),
);

sameServer('server.listen in its forms', async ({ server, note }) => {
  const listen = await closed(server);
  const folder = temporaryFolder();
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'app.sock');
  const forms: unknown[][] = [
    [],
    [0],
    [0, '127.0.0.1'],
    [0, '127.0.0.1', 10],
    [{ port: 0 }],
    [{ port: 0, host: '127.0.0.1', backlog: 10 }],
    [0, undefined, undefined],
    [path],
    [path, 10],
    [{ path }],
  ];
  for (const form of forms) {
    for (const callback of [[], [() => note('called back')]]) {
      note(listen(...form, ...callback) === server);
      await once(server, 'listening');
      const address = server.address();
      note(typeof address === 'string' ? address === path : (address as AddressInfo).port > 0);
      await closed(server);
    }
  }
});

sameServer('server.listen while it listens', async ({ server, attempt, note }) => {
  server.on('error', note);
  attempt(() => server.listen(0));
  note(server.listening);
});

differsServer(
  'server.listen of no port',
  {
    http: { notes: [expect.stringContaining('ERR_SOCKET_BAD_PORT')] },
    fastcgi: { notes: ['an emitter', expect.stringContaining('FCGI_ERR_ADDRESS')] },
  },
  async ({ server, attempt, note }) => {
    const listen = await closed(server);
    const told = once(server, 'error').then(([error]) => note(error));
    attempt(() => listen(99_999));
    await Promise.race([told, new Promise((resolve) => setTimeout(resolve, 20))]);
  },
);

sameServer("server 'error' of a port in use", async ({ server, note }) => {
  const { port } = server.address() as AddressInfo;
  const other = server.constructor as new () => Server;
  const second = new other();
  (second.listen as Listen)(port);
  const [error] = await once(second, 'error');
  note(error.code, error.syscall, error.port === port, second.listening);
});

sameServer('server.listen({ signal })', async ({ server, note }) => {
  const listen = await closed(server);
  const controller = new AbortController();
  listen({ port: 0, signal: controller.signal });
  await once(server, 'listening');
  controller.abort();
  await once(server, 'close');
  note(server.listening);
});

differsServer(
  'server.close before it listens',
  {
    http: { notes: ['undefined', false] },
    fastcgi: { notes: [expect.stringContaining('ERR_SERVER_NOT_RUNNING'), false] },
  },
  async ({ server, note }) => {
    const listen = await closed(server);
    listen(0);
    const listening = once(server, 'listening');
    await new Promise<void>((resolve) => {
      server.close((error) => {
        note(error);
        resolve();
      });
    });
    await Promise.race([listening, settled()]);
    note(server.listening);
  },
);
