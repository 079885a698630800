import { once } from 'node:events';
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type ListenOptions } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { listening, Spawned, type SpawnedOptions } from './spawned.ts';

const folder = mkdtempSync(join(tmpdir(), 'fcgi-inherited-'));
afterAll(() => rmSync(folder, { recursive: true }));

const NOTHING = { fastcgi: [], http: [], cgi: false };

describe('what the environment says', () => {
  let takeInherited: typeof import('../../src/adapters/inherited.ts').takeInherited;

  beforeEach(async () => {
    vi.resetModules();
    ({ takeInherited } = await import('../../src/adapters/inherited.ts'));
  });

  const LISTEN_PID = String(process.pid);

  test('nothing', () => {
    expect(takeInherited({})).toEqual(NOTHING);
  });

  test("systemd's sockets are FastCGI's, but for those with http in their name", () => {
    const env = { LISTEN_PID, LISTEN_FDS: '4', LISTEN_FDNAMES: 'app.socket:http:fcgi:my-https.socket', OTHER: '1' };
    expect(takeInherited(env)).toEqual({ fastcgi: [3, 5], http: [4, 6], cgi: false });
    expect(env).toEqual({ OTHER: '1' });
  });

  test('without names all are', () => {
    expect(takeInherited({ LISTEN_PID, LISTEN_FDS: '2' })).toEqual({ ...NOTHING, fastcgi: [3, 4] });
  });

  test.each(['', '0', 'some'])('no sockets in LISTEN_FDS=%s', (LISTEN_FDS) => {
    expect(takeInherited({ LISTEN_PID, LISTEN_FDS })).toEqual(NOTHING);
  });

  test('sockets that are meant for another process, as its parent, are left alone', () => {
    const env = { LISTEN_PID: String(process.ppid), LISTEN_FDS: '1' };
    expect(takeInherited(env)).toEqual(NOTHING);
    expect(env).toEqual({ LISTEN_PID: String(process.ppid), LISTEN_FDS: '1' });
  });

  test('a request makes it a CGI program', () => {
    expect(takeInherited({ GATEWAY_INTERFACE: 'CGI/1.1', REQUEST_METHOD: 'GET' })).toEqual({ ...NOTHING, cgi: true });
  });

  test.each([
    { GATEWAY_INTERFACE: 'CGI/1.1' },
    { REQUEST_METHOD: 'GET' },
    { GATEWAY_INTERFACE: 'other/1.0', REQUEST_METHOD: 'GET' },
  ])('%j alone does not', (env) => {
    expect(takeInherited(env)).toEqual(NOTHING);
  });

  test('whoever asks second gets nothing', () => {
    const env = { GATEWAY_INTERFACE: 'CGI/1.1', REQUEST_METHOD: 'GET' };
    takeInherited(env);
    expect(takeInherited(env)).toEqual(NOTHING);
  });
});

/** What a program finds as its file descriptor 0, and what it can still read from it. */
async function found(options: SpawnedOptions, write?: (program: Spawned) => void) {
  const code = `
    import { text } from 'node:stream/consumers';
    import { takeInherited } from './dist/adapters/inherited.js';
    const inherited = takeInherited();
    const stdin = inherited.fastcgi.length > 0 ? '' : await text(process.stdin);
    console.log(JSON.stringify({ inherited, stdin }));`;
  const program = new Spawned(code, options);
  write?.(program);
  expect(await program.ended, program.stderr).toBe(0);
  return JSON.parse(program.stdout);
}

describe('file descriptor 0 that does not listen is left as it is:', () => {
  test('a pipe', async () => {
    const shell = 'printf piped | exec "$@"';
    expect(await found({ shell })).toEqual({ inherited: NOTHING, stdin: 'piped' });
  });

  test('a file', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, 'from a file');
    expect(await found({ fds: [openSync(file, 'r')] })).toEqual({ inherited: NOTHING, stdin: 'from a file' });
  });

  test('/dev/null', async () => {
    expect(await found({ fds: ['ignore'] })).toEqual({ inherited: NOTHING, stdin: '' });
  });

  test('nothing at all', async () => {
    expect(await found({ shell: 'exec "$@" <&-' })).toEqual({ inherited: NOTHING, stdin: '' });
  });

  test('a connected unix socket, as the stdin of a child process of Node', async () => {
    const answer = found({ fds: ['pipe'] }, ({ child }) => child.stdin!.end('from the parent'));
    expect(await answer).toEqual({ inherited: NOTHING, stdin: 'from the parent' });
  });

  test('a connected TCP socket, as inetd gives', async () => {
    const server = createServer((socket) => socket.end('over TCP')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
    await once(socket, 'connect');
    expect(await found({ fds: [socket] })).toEqual({ inherited: NOTHING, stdin: 'over TCP' });
    socket.destroy();
    server.close();
  });
});

/** Some containers have none. */
const ipv6 = networkInterfaces().lo?.some(({ family }) => family === 'IPv6') ?? false;

describe('file descriptor 0 that listens is the FastCGI door:', () => {
  test.each<[string, ListenOptions]>([
    ['a unix socket', { path: join(folder, 'fd0.sock') }],
    ['TCP over IPv4', { host: '127.0.0.1', port: 0 }],
    ...(ipv6 ? [['TCP over IPv6', { host: '::1', port: 0 }] as [string, ListenOptions]] : []),
  ])('%s', async (_, at) => {
    const { inherited } = await found({ fds: [await listening(at)] });
    expect(inherited).toEqual({ ...NOTHING, fastcgi: [0] });
  });

  test('before what a CGI program would find in its environment', async () => {
    const env = { GATEWAY_INTERFACE: 'CGI/1.1', REQUEST_METHOD: 'GET' };
    const { inherited } = await found({ env, fds: [await listening({ host: '127.0.0.1', port: 0 })] });
    expect(inherited).toEqual({ ...NOTHING, fastcgi: [0] });
  });
});
