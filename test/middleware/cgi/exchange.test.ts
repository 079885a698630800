import { once } from 'node:events';
import { appendFileSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createApp } from '../../../src/core/app.ts';
import type { Request } from '../../../src/core/request.ts';
import type { Response } from '../../../src/core/response.ts';
import type { ErrorHandler } from '../../../src/core/types.ts';
import { type CgiOptions, cgi } from '../../../src/middleware/index.ts';
import { Door, eventually } from '../../adapters/fastcgi/client.ts';
import { ask, served } from '../../core/served.ts';
import { cgiApp, DOORS } from '../doors.ts';
import { ended, folderOf, isRunning, lineIn, sh } from '../programs.ts';

const door = new Door();
afterEach(async () => {
  vi.useRealTimers();
  await door.close();
});

/** Writes the numbers of two processes that do nothing, into `pids`. */
const BUSY = ['sleep 60 &', 'echo $$ $! >pids'];

const pidsIn = async (folder: string) => (await lineIn(join(folder, 'pids'))).split(' ');

/** Tells that it ran. */
const QUICK = sh('echo ran >>ran', 'printf "A: b\\n\\n"');

/** Serves over HTTP, to a client that writes as it likes. */
async function serveHttp(files: Record<string, string>, options?: CgiOptions) {
  const folder = folderOf(files);
  const { app, errors, reading } = cgiApp(folder, options);
  const { port } = new URL(await served(app));
  const begin = (head: string): { socket: Socket; closed: Promise<unknown>; received(): string } => {
    const socket = connect(Number(port), '127.0.0.1');
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', () => {});
    const closed = once(socket, 'close');
    socket.write(`${head}\r\nHost: a\r\n\r\n`);
    return { socket, closed, received: () => text };
  };
  return { folder, errors, port, begin, reading };
}

describe('a client that leaves', () => {
  it('over HTTP ends the program, and what that has started', async () => {
    const { folder, begin, errors } = await serveHttp({ 'a.sh': sh(...BUSY, 'wait') });
    const { socket } = begin('GET /cgi-bin/a.sh HTTP/1.1');
    const pids = await pidsIn(folder);
    socket.destroy();
    await ended(...pids);
    expect(errors).toEqual([]);
  });

  it.each([
    ['closing the connection', false],
    ['aborting the request', true],
  ])('over FastCGI, by %s, ends the program, and what that has started', async (_, aborts) => {
    const folder = folderOf({ 'a.sh': sh(...BUSY, 'wait') });
    const { app, errors } = cgiApp(folder);
    const client = await door.connect(await door.open(app));
    client.request({ params: { REQUEST_URI: '/cgi-bin/a.sh' } });
    const pids = await pidsIn(folder);
    if (aborts) client.abort();
    else client.destroy();
    await ended(...pids);
    expect(errors).toEqual([]);
  });

  it('in the middle of a long body ends the program', async () => {
    const { folder, begin, errors } = await serveHttp({ 'a.sh': sh(...BUSY, 'cat') });
    const { socket } = begin('POST /cgi-bin/a.sh HTTP/1.1\r\nContent-Length: 2000000');
    socket.write('some');
    const pids = await pidsIn(folder);
    socket.destroy();
    await ended(...pids);
    expect(errors).toEqual([]);
  });

  it.each([
    ['with a length', 'Content-Length: 100\r\n', 'some'],
    ['in chunks', 'Transfer-Encoding: chunked\r\n', '4\r\nsome\r\n'],
  ])('over HTTP in the middle of a short body %s starts no program', async (_, header, some) => {
    const { folder, begin, errors, reading } = await serveHttp({ 'a.sh': QUICK }, { maxProcesses: 1 });
    const { socket } = begin(`POST /cgi-bin/a.sh HTTP/1.1\r\n${header}Connection: close`);
    socket.write(some);
    await reading();
    socket.destroy();
    // There is but one place: it is free again.
    const other = begin('GET /cgi-bin/a.sh HTTP/1.1\r\nConnection: close');
    await other.closed;
    expect(other.received()).toContain(' 200 OK');
    expect(readFileSync(join(folder, 'ran'), 'utf8')).toBe('ran\n');
    expect(errors).toEqual([]);
  });

  it('over FastCGI in the middle of a short body starts no program', async () => {
    const folder = folderOf({ 'a.sh': QUICK });
    const { app, errors, reading } = cgiApp(folder, { maxProcesses: 1 });
    const server = await door.open(app);
    const client = await door.connect(server);
    const params = { REQUEST_METHOD: 'POST', REQUEST_URI: '/cgi-bin/a.sh', CONTENT_LENGTH: '100' };
    client.begin().params(1, params).stdin(1, 'some');
    await reading();
    client.destroy();
    const other = await door.connect(server);
    expect((await other.get({ params: { REQUEST_URI: '/cgi-bin/a.sh' } })).status).toBe(200);
    expect(readFileSync(join(folder, 'ran'), 'utf8')).toBe('ran\n');
    expect(errors).toEqual([]);
  });

  it('while its program is being started ends that', async () => {
    const responses: Response[] = [];
    const { app, errors } = cgiApp(folderOf({ 'a.sh': sh('exec sleep 60') }), {
      maxProcesses: 1,
      timeout: 60_000,
      env: (req: Request) => {
        responses.push(req.res);
        if (responses.length === 1) req.res.destroy();
        return {};
      },
    });
    const { port } = new URL(await served(app));
    await expect(fetch(`http://127.0.0.1:${port}/cgi-bin/a.sh`)).rejects.toThrow();
    // There is but one place.
    fetch(`http://127.0.0.1:${port}/cgi-bin/a.sh`).catch(() => {});
    await eventually(() => expect(responses).toHaveLength(2));
    expect(errors).toEqual([]);
  });

  it('in the middle of the answer ends the program', async () => {
    const { folder, begin, errors } = await serveHttp({
      'a.sh': sh(...BUSY, 'echo A: b', 'echo', 'exec cat /dev/zero'),
    });
    const { socket } = begin('GET /cgi-bin/a.sh HTTP/1.1');
    await once(socket, 'data');
    socket.pause();
    socket.destroy();
    await ended(...(await pidsIn(folder)));
    expect(errors).toEqual([]);
  });

  it('having the whole answer lets the program do what else it has to do', async () => {
    const { folder, begin, errors } = await serveHttp({
      'a.sh': sh('printf "Content-Length: 4\\n\\nbody"', 'until [ -e left ]; do sleep 0.01; done', 'echo done >done'),
    });
    const { socket, closed, received } = begin('GET /cgi-bin/a.sh HTTP/1.1');
    while (!received().endsWith('body')) await once(socket, 'data');
    socket.destroy();
    await closed;
    appendFileSync(join(folder, 'left'), '');
    expect(await lineIn(join(folder, 'done'))).toBe('done');
    expect(errors).toEqual([]);
  });

  it('has a program killed that does not mind SIGTERM, once killTimeout has passed', async () => {
    const { folder, begin } = await serveHttp(
      {
        'a.sh': sh('trap "echo asked >asked" TERM', 'echo $$ >pids', 'while :; do sleep 0.01; done'),
      },
      { killTimeout: 3_600_000 },
    );
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { socket } = begin('GET /cgi-bin/a.sh HTTP/1.1');
    const [pid] = await pidsIn(folder);
    socket.destroy();
    await lineIn(join(folder, 'asked'));
    expect(isRunning(pid!)).toBe(true);
    vi.advanceTimersByTime(3_600_000);
    vi.useRealTimers();
    await ended(pid!);
  });

  it('has what the program has started killed as well', async () => {
    const { folder, begin } = await serveHttp(
      {
        'a.sh': sh('(trap "" TERM; exec sleep 60) &', 'echo $$ $! >pids', 'wait'),
      },
      { killTimeout: 50 },
    );
    const { socket } = begin('GET /cgi-bin/a.sh HTTP/1.1');
    const pids = await pidsIn(folder);
    socket.destroy();
    await ended(...pids);
  });
});

describe('what a program has started', () => {
  it.each([
    ['in its group', "sh -c 'trap : TERM; echo $$ >started; while :; do sleep 0.01; done'"],
    ['out of its group', "setsid sh -c 'echo $$ >started; exec sleep 60'"],
  ])('and holds its stdout %s, does not hold its place', async (_, start) => {
    const files = { 'a.sh': sh(`${start} &`, 'wait'), 'b.sh': QUICK };
    const { folder, begin } = await serveHttp(files, { maxProcesses: 1, killTimeout: 3_600_000 });
    const { socket } = begin('GET /cgi-bin/a.sh HTTP/1.1');
    const started = await lineIn(join(folder, 'started'));
    socket.destroy();
    const other = begin('GET /cgi-bin/b.sh HTTP/1.1\r\nConnection: close');
    await other.closed;
    expect(other.received()).toContain(' 200 OK');
    expect(isRunning(started)).toBe(true);
    process.kill(Number(started), 'SIGKILL');
  });
});

describe('timeout', () => {
  const HOUR = 3_600_000;

  it.each(DOORS)('over %s gives 504, and ends the program, where no head comes', async (_, open) => {
    const folder = folderOf({ 'a.sh': sh(...BUSY, 'printf "A: b\\n"', 'wait') });
    const { app, errors } = cgiApp(folder, { timeout: HOUR });
    const ask = await open(app, door);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const answer = ask('/cgi-bin/a.sh');
    const pids = await pidsIn(folder);
    vi.advanceTimersByTime(HOUR);
    vi.useRealTimers();
    expect(await answer).toMatchObject({ status: 504, text: 'FCGI_ERR_CGI_TIMEOUT' });
    expect(errors).toMatchObject([{ message: expect.stringContaining('/a.sh and its client passed nothing') }]);
    await ended(...pids);
  });

  it('breaks the answer off where it stops', async () => {
    const { folder, begin, errors } = await serveHttp(
      { 'a.sh': sh(...BUSY, 'printf "A: b\\n\\nbody"', 'wait') },
      { timeout: HOUR },
    );
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { socket, closed, received } = begin('GET /cgi-bin/a.sh HTTP/1.1');
    await once(socket, 'data');
    const pids = await pidsIn(folder);
    vi.advanceTimersByTime(HOUR);
    vi.useRealTimers();
    await closed;
    expect(received()).toMatch(/^HTTP\/1.1 200 OK\r\n.*4\r\nbody\r\n$/s);
    await ended(...pids);
    expect(errors).toMatchObject([{ code: 'FCGI_ERR_CGI_TIMEOUT' }]);
  });

  it('lets nothing that the program still says into the error page', async () => {
    const folder = folderOf({
      'a.sh': sh('trap \'printf "A: b\\n\\nlate"; exit\' TERM', 'echo $$ >pids', 'while :; do sleep 0.01; done'),
    });
    const app = createApp();
    app.use('/cgi-bin', cgi(folder, { timeout: HOUR }));
    const pids = () => pidsIn(folder);
    const onError: ErrorHandler = async (_error, _req, res, _next) => {
      vi.useRealTimers();
      await ended(...(await pids()));
      res.status(504).write('error ');
      // Both of what comes of its end, in whatever turn.
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
      res.end('page');
    };
    app.use(onError);
    const origin = await served(app);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const answer = ask(origin, '/cgi-bin/a.sh');
    await pids();
    vi.advanceTimersByTime(HOUR);
    expect(await answer).toBe('504 error page');
  });

  it('breaks the answer off where the error handlers do not', async () => {
    const folder = folderOf({ 'a.sh': sh('printf "A: b\\n\\nbody"', 'kill -9 $$') });
    const app = createApp();
    app.use('/cgi-bin', cgi(folder));
    const onError: ErrorHandler = (_error, _req, _res, _next) => {};
    app.use(onError);
    await expect(ask(await served(app), '/cgi-bin/a.sh')).rejects.toThrow();
  });

  it('begins anew with each byte from the client', async () => {
    const files = {
      'a.sh': sh('for i in 1 2 3; do head -c 500000 >/dev/null; echo $i >got-$i; done', 'printf "A: b\\n\\n"'),
    };
    const { begin, errors, folder } = await serveHttp(files, { timeout: HOUR });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { socket, closed, received } = begin(
      'POST /cgi-bin/a.sh HTTP/1.1\r\nContent-Length: 1500000\r\nConnection: close',
    );
    for (const i of [1, 2, 3]) {
      socket.write('x'.repeat(500_000));
      await lineIn(join(folder, `got-${i}`));
      vi.advanceTimersByTime(HOUR - 10_000);
    }
    await closed;
    expect(received()).toContain(' 200 OK');
    expect(errors).toEqual([]);
  });

  it('begins anew with each byte from the program', async () => {
    const files = {
      'a.sh': sh(
        'printf "A: b\\n\\n"',
        'for i in 1 2 3; do printf "<$i>"; until [ -e go-$i ]; do sleep 0.01; done; done',
      ),
    };
    const { begin, errors, folder } = await serveHttp(files, { timeout: HOUR });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { socket, closed, received } = begin('GET /cgi-bin/a.sh HTTP/1.1\r\nConnection: close');
    for (const i of [1, 2, 3]) {
      while (!received().includes(`<${i}>`)) await once(socket, 'data');
      vi.advanceTimersByTime(HOUR - 10_000);
      appendFileSync(join(folder, `go-${i}`), '');
    }
    await closed;
    expect(received().endsWith('\r\n0\r\n\r\n')).toBe(true);
    expect(errors).toEqual([]);
  });

  it('is 408 for a short body that does not come', async () => {
    const { begin, errors } = await serveHttp({ 'a.sh': sh() }, { timeout: HOUR });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { socket, received } = begin('POST /cgi-bin/a.sh HTTP/1.1\r\nContent-Length: 100\r\nConnection: close');
    socket.write('some');
    while (vi.getTimerCount() === 0) await new Promise(setImmediate);
    vi.advanceTimersByTime(HOUR);
    vi.useRealTimers();
    while (!received().includes('FCGI_ERR_REQUEST_TIMEOUT')) await once(socket, 'data');
    expect(received()).toMatch(/^HTTP\/1.1 408 /);
    expect(errors).toHaveLength(1);
    socket.destroy();
  });
});

describe('maxProcesses', () => {
  it('is how many run at a time', async () => {
    const { folder, port } = await serveHttp(
      {
        'a.sh': sh('echo + >>log', 'sleep 0.02', 'echo - >>log', 'printf "A: b\\n\\nbody"'),
      },
      { maxProcesses: 2 },
    );
    const agent = new http.Agent({ maxSockets: 20 });
    const get = () =>
      new Promise<number>((resolve, reject) => {
        http
          .get({ host: '127.0.0.1', port, path: '/cgi-bin/a.sh', agent }, (res) => {
            res.resume().on('end', () => resolve(res.statusCode!));
          })
          .on('error', reject);
      });
    expect(await Promise.all(Array.from({ length: 20 }, get))).toEqual(Array(20).fill(200));
    agent.destroy();
    let running = 0;
    let most = 0;
    for (const sign of readFileSync(join(folder, 'log'), 'utf8').trim().split('\n')) {
      running += sign === '+' ? 1 : -1;
      most = Math.max(most, running);
    }
    expect([running, most]).toEqual([0, 2]);
  });

  it('has further requests wait, and refused once too many do', async () => {
    const { folder, begin } = await serveHttp(
      {
        'a.sh': sh('echo $$ >>pids', 'until [ -e go ]; do sleep 0.01; done', 'printf "A: b\\n\\nbody"'),
      },
      { maxProcesses: 1, maxQueue: 1 },
    );
    const first = begin('GET /cgi-bin/a.sh HTTP/1.1\r\nConnection: close');
    await pidsIn(folder);
    const others = [1, 2].map(() => begin('GET /cgi-bin/a.sh HTTP/1.1\r\nConnection: close'));
    const refused = await Promise.race(others.map(async (other) => other.closed.then(() => other)));
    expect(refused.received()).toMatch(/^HTTP\/1.1 503 .*\r\nRetry-After: 1\r\n.*FCGI_ERR_OVERLOADED$/s);
    const waits = others.find((other) => other !== refused)!;
    expect(waits.received()).toBe('');
    appendFileSync(join(folder, 'go'), '');
    await Promise.all([first.closed, waits.closed]);
    expect([first, waits].map(({ received }) => / 200 OK\r\n.*body/s.test(received()))).toEqual([true, true]);
    expect(readFileSync(join(folder, 'pids'), 'utf8').split('\n')).toHaveLength(3);
  });
});

it('has the whole body of a client sent that reads nothing before, though the program does not want it', async () => {
  const { begin, folder } = await serveHttp({
    'a.sh': sh('exec <&-', 'printf "A: b\\n\\n"', 'head -c 20000000 /dev/zero | tr "\\0" x', 'echo done >done'),
  });
  const length = 40 * 1024 ** 2;
  const { socket, closed, received } = begin(
    `POST /cgi-bin/a.sh HTTP/1.1\r\nContent-Length: ${length}\r\nConnection: close`,
  );
  socket.pause();
  await new Promise((resolve) => socket.write(Buffer.alloc(length), resolve));
  socket.resume();
  expect(await lineIn(join(folder, 'done'))).toBe('done');
  await closed;
  expect(received().match(/x/g)!.length).toBe(20_000_000);
});

it('keeps a connection in step whose request’s body was not read', async () => {
  const { begin } = await serveHttp({ 'a.sh': sh('exec <&-', 'printf "Content-Length: 4\\n\\nbody"') });
  const { socket, closed, received } = begin(`POST /cgi-bin/a.sh HTTP/1.1\r\nContent-Length: ${3 * 1024 ** 2}`);
  socket.write(Buffer.alloc(3 * 1024 ** 2, 'x'));
  while (!received().endsWith('body')) await once(socket, 'data');
  socket.write('GET /cgi-bin/a.sh HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  await closed;
  expect(received().match(/HTTP\/1.1 200 OK/g)).toHaveLength(2);
});

it('takes no more of a program than the client takes', async () => {
  const { folder, begin } = await serveHttp({
    'a.sh': sh('echo $$ >pids', 'printf "A: b\\n\\n"', 'exec cat /dev/zero'),
  });
  const { socket } = begin('GET /cgi-bin/a.sh HTTP/1.1');
  await once(socket, 'data');
  socket.pause();
  const [pid] = await pidsIn(folder);
  // Until the program waits for its pipe to be read, and has done nothing else for a while.
  const written = () => /^wchar: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))![1];
  let before = '';
  await eventually(() => {
    const now = written()!;
    const still = now === before;
    before = now;
    if (!still) throw new Error('it still writes');
  });
  expect(Number(before)).toBeLessThan(32 * 1024 ** 2);
  socket.destroy();
  await ended(pid!);
});
