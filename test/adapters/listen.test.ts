import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, connect, createServer, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Address } from '../../src/adapters/address.ts';
import { listen } from '../../src/adapters/listen.ts';

let directory: string;
let path: string;
const servers: Server[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fcgi-listen-'));
  path = join(directory, 'app.sock');
});

afterEach(async () => {
  vi.restoreAllMocks();
  for (const server of servers.splice(0)) await close(server);
  rmSync(directory, { recursive: true });
});

/** Whoever asks only whether somebody listens does not wait for what is said. */
const ignore = () => {};

/** A server that says its name to whoever connects. */
function named(name: string): Server {
  const server = createServer((socket) => socket.on('error', ignore).end(name));
  servers.push(server);
  return server;
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  server.close();
  await once(server, 'close');
}

/** What listens there says. */
async function ask(address: Address): Promise<string> {
  const socket = connect(address);
  socket.setEncoding('utf8');
  let said = '';
  socket.on('data', (text) => {
    said += text;
  });
  await once(socket, 'close');
  return said;
}

/** A process that listens by itself, as any other program would. */
async function listenElsewhere(path: string): Promise<ChildProcess> {
  const program = `require('node:net').createServer((s) => s.on('error', () => {}).end('elsewhere')).listen(${JSON.stringify(path)}, () => console.log())`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

function modeOf(path: string): number {
  return lstatSync(path).mode & 0o777;
}

function refused(code: string, message: RegExp) {
  return expect.objectContaining({ code, message: expect.stringMatching(message) });
}

describe('unix sockets', () => {
  test('it listens, and says where', async () => {
    expect(await listen(named('a'), { path })).toEqual({ path });
    expect(await ask({ path })).toBe('a');
  });

  test('the socket is gone when the server closes', async () => {
    const server = named('a');
    await listen(server, { path });
    await close(server);
    expect(readdirSync(directory)).toEqual([]);
  });

  test('a server can listen again where it has closed', async () => {
    const server = named('a');
    await listen(server, { path });
    await close(server);
    await listen(server, { path });
    expect(await ask({ path })).toBe('a');
    await close(server);
    expect(readdirSync(directory)).toEqual([]);
  });

  test('a socket left behind by a process that was killed is replaced', async () => {
    await kill(await listenElsewhere(path));
    expect(existsSync(path)).toBe(true);
    await listen(named('a'), { path });
    expect(await ask({ path })).toBe('a');
  });

  test('a socket on which another process listens is refused, and left alone', async () => {
    const child = await listenElsewhere(path);
    await expect(listen(named('a'), { path })).rejects.toEqual(
      refused('FCGI_ERR_ADDRESS_IN_USE', /Somebody else is listening on unix:.*app\.sock/),
    );
    expect(await ask({ path })).toBe('elsewhere');
    await kill(child);
  });

  test('a socket on which this process listens is refused, and left alone', async () => {
    await listen(named('a'), { path });
    await expect(listen(named('b'), { path })).rejects.toEqual(refused('FCGI_ERR_ADDRESS_IN_USE', /app\.sock/));
    expect(await ask({ path })).toBe('a');
  });

  test('of many that find the same stale socket at the same time, one gets it and the others are refused', async () => {
    for (let run = 0; run < 20; run++) {
      await kill(await listenElsewhere(path));
      const rivals = Array.from({ length: 8 }, (_, i) => named(`${i}`));
      const outcomes = await Promise.allSettled(rivals.map((server) => listen(server, { path })));
      const winners = outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [`${i}`] : []));
      expect(winners).toEqual([await ask({ path })]);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason.code).toBe('FCGI_ERR_ADDRESS_IN_USE');
      }
      for (const rival of rivals) await close(rival);
    }
  });

  test('a file is refused, and left alone', async () => {
    writeFileSync(path, 'precious');
    await expect(listen(named('a'), { path })).rejects.toEqual(refused('FCGI_ERR_ADDRESS', /no socket/));
    expect(readFileSync(path, 'utf8')).toBe('precious');
  });

  test('a directory, and a link, is refused', async () => {
    await expect(listen(named('a'), { path: directory })).rejects.toEqual(refused('FCGI_ERR_ADDRESS', /no socket/));
    symlinkSync(join(directory, 'nowhere'), path);
    await expect(listen(named('a'), { path })).rejects.toEqual(refused('FCGI_ERR_ADDRESS', /no socket/));
  });

  test('a missing directory is an error that says so', async () => {
    await expect(listen(named('a'), { path: join(directory, 'missing', 'app.sock') })).rejects.toEqual(
      refused('FCGI_ERR_ADDRESS', /its directory is missing/),
    );
  });

  test('a path that systems would cut off is refused, counted in bytes', async () => {
    const long = join(directory, 'é'.repeat(54 - directory.length / 2));
    expect(long.length).toBeLessThan(107);
    await expect(listen(named('a'), { path: long })).rejects.toEqual(
      refused('FCGI_ERR_ADDRESS', /at most 10[37] bytes/),
    );
    expect(readdirSync(directory)).toEqual([]);
  });

  test('the longest path that fits is listened on', async () => {
    const longest = join(directory, 'x'.repeat((process.platform === 'linux' ? 107 : 103) - directory.length - 1));
    await listen(named('a'), { path: longest });
    expect(await ask({ path: longest })).toBe('a');
  });

  test('what the system refuses is an error with its cause', async () => {
    const cause = Object.assign(new Error('EPERM: operation not permitted'), { code: 'EPERM' });
    vi.spyOn(Server.prototype, 'listen').mockImplementation(() => {
      throw cause;
    });
    await expect(listen(named('a'), { path })).rejects.toMatchObject({ code: 'FCGI_ERR_ADDRESS', cause });
  });
});

describe('permissions of a unix socket', () => {
  test('by default the owner and the group may connect', async () => {
    await listen(named('a'), { path });
    expect(modeOf(path)).toBe(0o660);
  });

  test.each([0o600, 0o660, 0o666, 0o777])('mode %o', async (mode) => {
    await listen(named('a'), { path }, { mode });
    expect(modeOf(path)).toBe(mode);
  });

  test('they are never wider, from the moment there is a socket', async () => {
    const before = process.umask(0);
    try {
      const { listen: original } = Server.prototype;
      let atBirth: number | undefined;
      vi.spyOn(Server.prototype, 'listen').mockImplementation(function (this: Server, ...args: unknown[]) {
        Reflect.apply(original, this, args);
        atBirth = modeOf(path);
        return this;
      });
      await listen(named('a'), { path });
      expect(atBirth).toBe(0o660);
    } finally {
      process.umask(before);
    }
  });

  test('the umask of the process is as it was, also after an error', async () => {
    const before = process.umask();
    await listen(named('a'), { path });
    expect(process.umask()).toBe(before);
    await expect(listen(named('b'), { path: join(directory, 'missing', 'app.sock') })).rejects.toThrow();
    expect(process.umask()).toBe(before);
  });

  test('they hold in a worker thread too, which may not set the umask', async () => {
    vi.doMock('node:worker_threads', () => ({ isMainThread: false, threadId: 1 }));
    vi.resetModules();
    const inWorker = await import('../../src/adapters/listen.ts');
    vi.doUnmock('node:worker_threads');
    const umask = vi.spyOn(process, 'umask');
    await inWorker.listen(named('a'), { path }, { mode: 0o600 });
    expect(umask).not.toHaveBeenCalled();
    expect(modeOf(path)).toBe(0o600);
  });
});

describe('the socket of another at our path', () => {
  test('is still there when our server closes', async () => {
    const server = named('ours');
    await listen(server, { path });
    rmSync(path);
    const child = await listenElsewhere(path);
    await close(server);
    expect(await ask({ path })).toBe('elsewhere');
    expect(readdirSync(directory)).toEqual(['app.sock']);
    await kill(child);
  });

  test('closing twice is what it is without us', async () => {
    const server = named('ours');
    await listen(server, { path });
    await close(server);
    const child = await listenElsewhere(path);
    const error = await new Promise((resolve) => server.close(resolve));
    expect(error).toMatchObject({ code: 'ERR_SERVER_NOT_RUNNING' });
    expect(await ask({ path })).toBe('elsewhere');
    await kill(child);
  });

  test('a server whose socket somebody removed closes all the same', async () => {
    const server = named('ours');
    await listen(server, { path });
    rmSync(path);
    await close(server);
    expect(server.listening).toBe(false);
  });
});

describe('TCP', () => {
  test('it listens, and says on which port', async () => {
    const address = await listen(named('a'), { host: '127.0.0.1', port: 0 });
    expect(address).toEqual({ host: '127.0.0.1', port: expect.any(Number) });
    expect(await ask(address)).toBe('a');
  });

  test('a name is resolved', async () => {
    const address = await listen(named('a'), { host: 'localhost', port: 0 });
    expect(['127.0.0.1', '::1']).toContain((address as { host: string }).host);
  });

  test('a port on which somebody listens is refused', async () => {
    const address = await listen(named('a'), { host: '127.0.0.1', port: 0 });
    await expect(listen(named('b'), address)).rejects.toEqual(
      refused('FCGI_ERR_ADDRESS_IN_USE', /Somebody else is listening on 127\.0\.0\.1:\d+/),
    );
    expect(await ask(address)).toBe('a');
  });

  test('an address of another machine is an error with its cause', async () => {
    await expect(listen(named('a'), { host: '192.0.2.1', port: 0 })).rejects.toMatchObject({
      code: 'FCGI_ERR_ADDRESS',
      message: expect.stringContaining('192.0.2.1:0'),
      cause: { code: 'EADDRNOTAVAIL' },
    });
  });

  test('a server whose own listen leads here listens', async () => {
    class Own extends Server {
      override listen(): this {
        listen(this, { host: '127.0.0.1', port: 0 });
        return this;
      }
    }
    const server = new Own((socket) => socket.end('own')).listen();
    servers.push(server);
    await once(server, 'listening');
    const { address, port } = server.address() as AddressInfo;
    expect(await ask({ host: address, port })).toBe('own');
  });

  test('after an error the server can listen elsewhere', async () => {
    const address = await listen(named('a'), { host: '127.0.0.1', port: 0 });
    const server = named('b');
    await expect(listen(server, address)).rejects.toThrow();
    expect(await ask(await listen(server, { path }))).toBe('b');
  });
});
