import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { TcpAddress } from '../../src/adapters/address.ts';
import { type Doors, type ServeOptions, serve } from '../../src/adapters/serve.ts';
import { Client, eventually, held } from './fastcgi/client.ts';
import { listening, Spawned, type SpawnedOptions } from './spawned.ts';

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

async function dial(at: string | AddressInfo = socketPath): Promise<Client> {
  const socket = typeof at === 'string' ? connect(at) : connect(at.port, '127.0.0.1');
  const client = new Client(socket, new Promise((resolve) => socket.once('close', resolve)));
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

  test('with neither named opens HTTP on PORT, and says so', async () => {
    vi.stubEnv('PORT', '0');
    const log = vi.spyOn(console, 'log').mockReturnValue();
    const doors = await open(() => {});
    expect(doors.http).toMatchObject({ host: '127.0.0.1' });
    expect(log.mock.calls).toEqual([[`Listening on http://127.0.0.1:${(doors.http as TcpAddress).port}`]]);
  });

  test('says nothing of what it was told', async () => {
    const log = vi.spyOn(console, 'log').mockReturnValue();
    await open(() => {}, { fastcgi: socketPath, http: 0 });
    expect(log).not.toHaveBeenCalled();
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
    ['a file descriptor of nothing', () => {}, { http: { fd: 9999 } }, 'FCGI_ERR_ADDRESS'],
    ['what is no file descriptor', () => {}, { http: { fd: -1 } }, 'FCGI_ERR_ADDRESS'],
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

/** A program that says which doors it has opened, in a process that was started somehow. */
function start(options: SpawnedOptions, code = 'console.log(JSON.stringify(await serve(app)));'): Spawned {
  return new Spawned(
    `import { once } from 'node:events';
    import { serve } from 'fcgi';
    const app = async (req, res) => {
      res.write('begun ');
      for await (const chunk of req) res.write(chunk);
      res.end();
    };
    ${code}`,
    options,
  );
}

describe('what the process was started as', () => {
  test('a socket on file descriptor 0 is the FastCGI door', async () => {
    const server = await listening({ host: '127.0.0.1', port: 0 });
    const at = server.address() as AddressInfo;
    const program = start({ fds: [server] });
    await program.prints(/^{"fastcgi":{"fd":0}}\n$/);
    expect((await (await dial(at)).get({ body: 'body' })).text).toBe('begun body');
  });

  test('belongs to whoever asks first: the next one serves HTTP', async () => {
    const fds = [await listening({ path: socketPath })];
    const program = start(
      { fds, env: { PORT: '0' } },
      `const first = await serve(app, { signals: false });
      const second = await serve(app, { signals: false });
      console.log(JSON.stringify([first, second]));
      await first.close();
      await second.close();
      process.exit();`,
    );
    expect(await program.ended).toBe(0);
    expect(program.stdout).toMatch(/"fastcgi":{"fd":0}},{"http":{"host":"127.0.0.1","port":\d+}}\]\n$/);
  });

  test('can be said, where it is not recognized', async () => {
    const program = start(
      { fds: [await listening({ path: socketPath })] },
      'console.log(JSON.stringify(await serve(app, { fastcgi: { fd: 0 } })));',
    );
    await program.prints(/^{"fastcgi":{"fd":0}}\n$/);
    expect((await (await dial()).get()).text).toBe('begun ');
  });

  test('does not count where a door is named', async () => {
    const fds = [await listening({ path: socketPath })];
    const program = start({ fds }, 'console.log(JSON.stringify(await serve(app, { http: 0 })));');
    await program.prints(/^{"http":{"host":"127.0.0.1","port":\d+}}\n$/);
  });

  /** What systemd does; its LISTEN_PID is the program's, which the shell becomes. */
  const shell = 'LISTEN_PID=$$ exec "$@"';

  test("systemd's sockets are the doors that their names say, any number of each", async () => {
    const servers = [
      await listening({ path: socketPath }),
      await listening({ host: '127.0.0.1', port: 0 }),
      await listening({ host: '127.0.0.1', port: 0 }),
    ];
    const [, browsers, second] = servers.map((server) => server.address() as AddressInfo);
    const env = { LISTEN_FDS: '3', LISTEN_FDNAMES: 'app.socket:http:more' };
    const program = start({ shell, env, fds: ['ignore', 'pipe', 'pipe', ...servers] });
    await program.prints(/^{"fastcgi":{"fd":3},"http":{"fd":4}}\n$/);
    expect((await (await dial(socketPath)).get()).text).toBe('begun ');
    expect((await (await dial(second!)).get()).text).toBe('begun ');
    expect(await (await fetch(`http://127.0.0.1:${browsers!.port}`)).text()).toBe('begun ');
  });

  test.each<[string, () => Promise<SpawnedOptions['fds']>]>([
    ['a file', async () => [fs.openSync('/dev/null', 'r')]],
    ['a connection, as with Accept=yes', async () => [await accepted()]],
    ['nothing', async () => []],
  ])('fails with status 1 where what systemd passes is %s', async (_, rest) => {
    const fds = ['ignore', 'pipe', 'pipe', ...(await rest())!] as SpawnedOptions['fds'];
    const program = start({ shell, env: { LISTEN_FDS: '1' }, fds });
    expect(await program.ended).toBe(1);
    expect(program.stderr).toMatch(/file descriptor 3: cannot listen.*FCGI_ERR_ADDRESS'/s);
  });

  async function accepted(): Promise<Socket> {
    const server = await listening({ host: '127.0.0.1', port: 0 });
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    server.close();
    return socket;
  }

  test('FCGI_WEB_SERVER_ADDRS says who may connect to an inherited TCP socket', async () => {
    for (const [addresses, answers] of [
      ['127.0.0.1,192.0.2.1', true],
      ['192.0.2.1', false],
    ] as const) {
      const server = await listening({ host: '127.0.0.1', port: 0 });
      const at = server.address() as AddressInfo;
      const program = start({ fds: [server], env: { FCGI_WEB_SERVER_ADDRS: addresses } });
      await program.prints(/fd/);
      const client = (await dial(at)).request();
      if (answers) expect((await client.answer()).text).toBe('begun ');
      else await client.closed;
      expect(client.exchanges.size).toBe(answers ? 1 : 0);
    }
  });

  test('is one process, whatever PHP_FCGI_CHILDREN says', async () => {
    const program = start({ fds: [await listening({ path: socketPath })], env: { PHP_FCGI_CHILDREN: '4' } });
    await program.prints(/fd/);
    expect((await (await dial(socketPath)).get()).text).toBe('begun ');
    const { pid } = program.child;
    expect(fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')).toBe('');
  });
});

describe('a graceful end', () => {
  const BODY = { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '4' };

  /** A program with a request under way and a connection that is idle. */
  async function busy(options: SpawnedOptions, code?: string) {
    const program = start(options, code);
    await program.prints(/fastcgi/);
    const [idle, client] = [await dial(), await dial()];
    client.begin().params(1, BODY).stdin(1, 'bo');
    await eventually(() => expect(client.exchange().text).toContain('begun'));
    return { program, idle, client };
  }

  test("answers what is under way, accepts nothing more, and takes the program's own socket away", async () => {
    const code = `console.log(JSON.stringify(await serve(app, { fastcgi: ${JSON.stringify(socketPath)} })));`;
    const { program, idle, client } = await busy({}, code);
    program.child.kill('SIGTERM');
    await idle.closed;
    await expect(dial()).rejects.toThrow('ENOENT');
    client.stdin(1, 'dy').stdinEnd();
    await client.closed;
    expect(client.exchange()).toMatchObject({ text: 'begun body', ends: 1 });
    expect(await program.ended).toBe(0);
  });

  test('waits for all that was served, each by a call of its own', async () => {
    const other = path.join(directory, 'other.sock');
    const code = `
      await serve(app, { fastcgi: ${JSON.stringify(other)} });
      console.log(JSON.stringify(await serve(app, { fastcgi: ${JSON.stringify(socketPath)} })));`;
    const { program, idle, client } = await busy({}, code);
    const elsewhere = await dial(other);
    program.child.kill('SIGTERM');
    await Promise.all([idle.closed, elsewhere.closed]);
    client.stdin(1, 'dy').stdinEnd();
    await client.closed;
    expect(client.exchange()).toMatchObject({ text: 'begun body', ends: 1 });
    expect(await program.ended).toBe(0);
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  test('leaves an inherited socket where it is', async () => {
    const { program, idle, client } = await busy({ fds: [await listening({ path: socketPath })] });
    program.child.kill('SIGTERM');
    await idle.closed;
    const late = (await dial()).request();
    client.stdin(1, 'dy').stdinEnd();
    await client.closed;
    expect(client.exchange()).toMatchObject({ text: 'begun body', ends: 1 });
    expect(await program.ended).toBe(0);
    await late.closed;
    expect(late.exchanges.size).toBe(0);
    expect(fs.statSync(socketPath).isSocket()).toBe(true);
  });

  test('is cut short by a second signal', async () => {
    const { program, idle, client } = await busy({ fds: [await listening({ path: socketPath })] });
    program.child.kill('SIGTERM');
    await idle.closed;
    program.child.kill('SIGTERM');
    expect(await program.ended).toBe('SIGTERM');
    await client.closed;
  });
});
