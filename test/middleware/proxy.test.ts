import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import http from 'node:http';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { FcgiClient, upstream } from '../../src/adapters/client/index.ts';
import { createApp } from '../../src/core/app.ts';
import type { ErrorHandler } from '../../src/core/types.ts';
import { type ProxyOptions, proxy } from '../../src/middleware/index.ts';
import { type Answerer, application, clientOf, type Received } from '../adapters/client/application.ts';
import { Door, eventually } from '../adapters/fastcgi/client.ts';
import { served } from '../core/served.ts';
import { DOORS } from './doors.ts';
import { folderOf } from './programs.ts';
import { gateway } from './proxy/gateway.ts';

const door = new Door();
afterEach(() => door.close());

const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');
const says =
  (head: string, body = ''): Answerer =>
  (request) =>
    request.stdout(`${head}\r\n\r\n${body}`).end();

describe.each(DOORS)('proxy over %s', (name, open) => {
  const start = (answerer: Answerer, options?: Parameters<typeof gateway>[3]) => gateway(open, door, answerer, options);

  describe('an answer', () => {
    it('has the status, the headers and the body of the application', async () => {
      const { ask } = await start(says('Status: 418 Short and stout\r\nContent-Type: a/b\r\nX-A: 1', 'tea'));
      const { status, headers, text } = await ask('/');
      expect([status, headers['content-type'], headers['x-a'], text]).toEqual([418, 'a/b', '1', 'tea']);
    });

    it.each([
      ['a Location alone is a 302', 'Location: /there', 302, { location: '/there' }],
      ['a Location with a Status', 'Status: 307\nLocation: http://a.test/?b', 307, { location: 'http://a.test/?b' }],
      ['no Status at all', 'Content-Type: text/plain', 200, { 'content-type': 'text/plain' }],
      ['Not Modified', 'Status: 304 Not Modified\nETag: "a"', 304, { etag: '"a"' }],
      ['No Content', 'Status: 204 No Content\nContent-Length: 0', 204, {}],
    ])('of %s', async (_, head, status, headers) => {
      const { ask } = await start(says(head));
      expect(await ask('/')).toMatchObject({ status, headers, text: '' });
    });

    it('to HEAD has all but the body', async () => {
      const { ask } = await start(says('Content-Type: text/plain\r\nContent-Length: 5', 'hello'));
      const { status, headers, text } = await ask('/', { method: 'HEAD' });
      expect([status, headers['content-length'], text]).toEqual([200, '5', '']);
    });

    it('does not have what is of the connection to the application', async () => {
      const { ask } = await start(
        says('Connection: X-A\r\nKeep-Alive: a\r\nTransfer-Encoding: chunked\r\nX-A: b', 'c'),
      );
      const { headers, text } = await ask('/');
      expect([headers['x-a'], headers['keep-alive'], text]).toEqual(['b', undefined, 'c']);
    });

    it('of 10 MB to a body of 10 MB, byte for byte', async () => {
      const { ask } = await start((request) => request.stdout('X-Length: yes\r\n\r\n').stdout(request.stdin).end());
      const body = randomBytes(10 * 1024 ** 2);
      const answer = await ask('/', { method: 'POST', body });
      expect(sha256(answer.body)).toBe(sha256(body));
    });

    it('that is shorter than it said is broken off', async () => {
      const { ask, errors } = await start(says('Content-Length: 10', 'short'));
      await expect(ask('/')).rejects.toThrow();
      expect(errors.map(({ code }) => code)).toEqual(['FCGI_ERR_CLIENT_PROTOCOL']);
    });

    it('whose connection ends is broken off', async () => {
      const { ask, errors } = await start((request) => {
        request.stdout('Content-Type: text/plain\r\n\r\nhalf');
        request.socket.end();
      });
      await expect(ask('/')).rejects.toThrow();
      expect(errors.map(({ code }) => code)).toEqual(['FCGI_ERR_CLIENT_CLOSED']);
    });
  });

  describe('a body', () => {
    const measuring: Answerer = (request) =>
      request.answer(`${request.params.CONTENT_LENGTH} ${sha256(request.stdin)} ${request.params.CONTENT_TYPE}`);

    it.each([
      ['of a length that was told', false],
      ['of a length that nobody knows', true],
    ])('%s arrives with its length', async (_, chunked) => {
      const { ask } = await start(measuring);
      const body = randomBytes(1_000_000);
      const headers = { 'Content-Type': 'a/b' };
      const { text } = await ask('/', { method: 'POST', body, chunked, headers });
      expect(text).toBe(`1000000 ${sha256(body)} a/b`);
    });

    it('that is empty has a length as well', async () => {
      const { ask } = await start(measuring);
      expect((await ask('/', { method: 'POST', body: '' })).text).toMatch(/^0 /);
    });

    it('of unknown length that is too long is refused, and nothing is asked', async () => {
      const { ask, backend } = await start(measuring, { client: { maxSpooledBytes: 1000 } });
      const answer = await ask('/', { method: 'POST', body: Buffer.alloc(1001), chunked: true });
      expect([answer.status, answer.text]).toEqual([413, 'FCGI_ERR_BODY_TOO_LARGE']);
      expect(backend.requests).toEqual([]);
    });

    it('that the application does not wait for does not cost the client its answer', async () => {
      const backend = await application(() => {});
      backend.server.on('connection', (socket) => {
        socket.once('data', () => {
          const [request] = backend.requests as [Received];
          request.stdout('Status: 413 No\r\n\r\ntoo much').end();
        });
      });
      const app = createApp({ env: 'test' });
      app.use(proxy(backend.address));
      const send = await open(app, door);
      const answer = await send('/', { method: 'POST', body: Buffer.alloc(3_000_000) });
      expect([answer.status, answer.text]).toEqual([413, 'too much']);
    });

    it('that has been read already is told of', async () => {
      const backend = await application(says('A: b'));
      const app = createApp({ env: 'test' });
      app.use(async (req, _res, next) => {
        await req.text();
        next();
      });
      app.use(proxy(backend.address));
      const send = await open(app, door);
      const answer = await send('/', { method: 'POST', body: 'read' });
      expect([answer.status, answer.text]).toEqual([500, expect.stringContaining('has been read already')]);
    });
  });

  describe('what fails', () => {
    it.each<[string, Answerer, number, string]>([
      ['a connection that closes', (request) => request.socket.destroy(), 502, 'FCGI_ERR_CLIENT_CLOSED'],
      ['an answer that is none', says('no header'), 502, 'FCGI_ERR_CLIENT_PROTOCOL'],
      ['an end without an answer', (request) => request.end(), 502, 'FCGI_ERR_CLIENT_PROTOCOL'],
      ['an application that is overloaded', (request) => request.end(0, 2), 503, 'FCGI_ERR_CLIENT_OVERLOADED'],
      ['an application that knows no Responder', (request) => request.end(0, 3), 502, 'FCGI_ERR_CLIENT_UNKNOWN_ROLE'],
      ['an application that says nothing', () => {}, 504, 'FCGI_ERR_CLIENT_TIMEOUT'],
    ])('%s', async (_, answerer, status, code) => {
      const { ask, errors } = await start(answerer, { client: { headersTimeout: 200 } });
      const answer = await ask('/', { method: 'POST', body: 'x' });
      expect([answer.status, answer.text, errors.length]).toEqual([status, code, 1]);
    });

    it('nobody listens', async () => {
      const app = createApp({ env: 'test' });
      app.use(proxy('./nobody.sock'));
      const send = await open(app, door);
      const answer = await send('/');
      expect([answer.status, answer.text]).toEqual([502, expect.stringContaining('Cannot connect')]);
    });
  });

  it('gives what the application says on stderr to the error log', async () => {
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    onTestFinished(() => write.mockRestore());
    const backend = await application((request) => request.stderr('PHP Warning: x').answer('seen'));
    const app = createApp({ env: 'test' });
    app.use(proxy(backend.address));
    if (name === 'HTTP') {
      expect((await (await open(app, door))('/')).text).toBe('seen');
      expect(write.mock.calls.map(([bytes]) => String(bytes)).join('')).toContain('PHP Warning: x');
    } else {
      const { client } = await door.serve(app);
      expect(await client.get()).toMatchObject({ text: 'seen', stderr: expect.stringContaining('PHP Warning: x') });
    }
  });

  it('beside cookies and Vary of middleware puts those of the application, and its other headers in their place', async () => {
    const backend = await application(says('Set-Cookie: b=2\r\nVary: Cookie\r\nX-A: its'));
    const app = createApp({ env: 'test' });
    app.use((_req, res, next) => {
      res.set({ Vary: 'Accept', 'X-A': 'ours' }).cookie('a', '1');
      next();
    });
    app.use(proxy(backend.address));
    const { headers } = await (await open(app, door))('/');
    expect([headers.vary, headers['x-a']]).toEqual([name === 'HTTP' ? 'Accept, Cookie' : 'Cookie', 'its']);
    expect([headers['set-cookie']].flat().at(-1)).toContain('b=2');
  });

  it('without a root passes everything on, below its mount', async () => {
    const { ask, backend } = await start(says('A: b'), { mount: '/app' });
    for (const path of ['/app', '/app/a%20b/c.php?d=e', '/app/.git/config', '/app//x%2Fy']) await ask(path);
    const told = backend.requests.map(({ params: { SCRIPT_NAME, PATH_INFO, REQUEST_URI, QUERY_STRING } }) => {
      return [SCRIPT_NAME, PATH_INFO, REQUEST_URI, QUERY_STRING];
    });
    expect(told).toEqual([
      ['/app', '/', '/app', ''],
      ['/app', '/a b/c.php', '/app/a%20b/c.php?d=e', 'd=e'],
      ['/app', '/.git/config', '/app/.git/config', ''],
      ['/app', '//x/y', '/app//x%2Fy', ''],
    ]);
    expect((await ask('/other')).text).toBe('passed on /other');
  });

  it('takes several backends, and a client', async () => {
    const backend = await application(says('A: b', 'here'));
    const to = [upstream(['./nobody.sock', backend.address]), clientOf(backend.address, { keepAlive: true })];
    for (const each of to) {
      const app = createApp({ env: 'test' });
      app.use(proxy(each));
      expect((await (await open(app, door))('/')).text).toBe('here');
    }
  });
});

describe('proxy', () => {
  it('keeps several headers of a name apart', async () => {
    const head =
      'Set-Cookie: a=1\r\nSet-Cookie: b=2; Path=/\r\nWWW-Authenticate: Basic realm="a"\r\nWWW-Authenticate: B';
    const backend = await application(says(head));
    const app = createApp();
    app.use(proxy(backend.address));
    const [response] = (await once(http.get(await served(app), { agent: false }), 'response')) as [
      http.IncomingMessage,
    ];
    response.resume();
    expect(response.headersDistinct['set-cookie']).toEqual(['a=1', 'b=2; Path=/']);
    expect(response.headersDistinct['www-authenticate']).toEqual(['Basic realm="a"', 'B']);
  });

  it('sends the head of an answer before the rest is there', async () => {
    let rest = () => {};
    const backend = await application((request) => {
      request.stdout('Content-Type: text/event-stream\r\n\r\n');
      rest = () => request.stdout('data: 1\n\n').end();
    });
    const app = createApp();
    app.use(proxy(backend.address));
    const answer = await fetch(await served(app));
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    rest();
    expect(await answer.text()).toBe('data: 1\n\n');
  });

  it.each([
    ['answers', 'Status: 413 No\r\n\r\ntoo much', 413],
    ['fails', 'nothing of the kind\r\n\r\n', 502],
  ])('keeps a connection in step where an application %s without reading a large body', async (_, output, status) => {
    const backend = await application((request) => request.answer('read'));
    backend.server.once('connection', (socket) => {
      socket.once('data', () => {
        socket.pause();
        backend.requests[0]!.stdout(output).end();
      });
    });
    const app = createApp({ env: 'test' });
    app.use(proxy(backend.address));
    const { port } = new URL(await served(app));
    const socket = connect(Number(port), '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    let received = '';
    socket.setEncoding('latin1').on('data', (text) => {
      received += text;
    });
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n');
    socket.write(Buffer.alloc(20_000_000));
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    await once(socket, 'end');
    expect(received.match(/HTTP\/1\.1 \d+/g)).toEqual([`HTTP/1.1 ${status}`, 'HTTP/1.1 200']);
  });

  it('gives a request up when its client leaves, before the head and after', async () => {
    const backend = await application((request) => {
      if (request.params.REQUEST_URI === '/begun') request.stdout('A: b\r\n\r\nbegun');
    });
    const app = createApp({ env: 'test' });
    const errors: unknown[] = [];
    app.use(proxy(backend.address));
    app.use(((error, _req, _res, _next) => errors.push(error)) as ErrorHandler);
    const { port } = new URL(await served(app));
    for (const path of ['/silent', '/begun']) {
      const before = backend.requests.length;
      const socket = connect(Number(port), '127.0.0.1');
      socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      if (path === '/begun') await once(socket, 'data');
      else await backend.until(() => backend.requests.length > before);
      socket.destroy();
      await backend.until(() => backend.sockets.size === 0);
    }
    expect(errors).toEqual([]);
  });

  it('gives a request up when its client leaves in the middle of its body', async () => {
    const backend = await application(() => {});
    const app = createApp({ env: 'test' });
    const errors: unknown[] = [];
    app.use(proxy(backend.address));
    app.use(((error, _req, _res, _next) => errors.push(error)) as ErrorHandler);
    const { port } = new URL(await served(app));
    const socket = connect(Number(port), '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf');
    await backend.until(() => backend.requests[0]?.stdinBytes === 4);
    socket.destroy();
    await backend.until(() => backend.sockets.size === 0);
    expect(errors).toEqual([]);
  });

  it('holds an application back as long as its client reads nothing', async () => {
    const chunk = Buffer.alloc(65_528);
    let sent = 0;
    let held = false;
    const backend = await application((request) => {
      request.stdout('A: b\r\n\r\n');
      const more = () => {
        while (sent < 2000) {
          sent++;
          request.stdout(chunk);
          if (request.socket.writableNeedDrain) {
            held = true;
            request.socket.once('drain', more);
            return;
          }
        }
        request.end();
      };
      more();
    });
    const app = createApp();
    app.use(proxy(backend.address));
    const { port } = new URL(await served(app));
    const [response] = (await once(http.get({ port, host: '127.0.0.1', agent: false }), 'response')) as [
      http.IncomingMessage,
    ];
    response.pause();
    await eventually(() => expect(held).toBe(true));
    // Of 131 MB, what fits into the buffers on the way.
    let before = -1;
    await vi.waitFor(
      () => {
        const now = sent;
        const still = now === before;
        before = now;
        if (!still) throw new Error('it goes on');
      },
      { timeout: 10_000, interval: 300 },
    );
    expect(sent).toBeLessThan(500);
    response.resume();
    expect((await buffer(response)).length).toBe(2000 * chunk.length);
  });

  it('leaves the connection of the client to further requests', async () => {
    const backend = await application(says('Content-Length: 2', 'ok'));
    const app = createApp();
    app.use(proxy(backend.address));
    const { port } = new URL(await served(app));
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const sockets = new Set();
    for (const body of ['a'.repeat(100_000), 'b', '']) {
      const request = http.request({ port, host: '127.0.0.1', agent, method: 'POST' });
      request.on('socket', (socket) => sockets.add(socket)).end(body);
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      expect(`${await buffer(response)}`).toBe('ok');
    }
    expect(sockets.size).toBe(1);
  });

  it('serves in a chain that is not ours', async () => {
    const backend = await application(says('A: b', 'here'));
    const middleware = proxy(backend.address);
    const server = http.createServer((req, res) => middleware(req, res, () => res.end('next')));
    server.listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('here');
  });

  it.each<[string, unknown, ProxyOptions, string]>([
    ['an address that is none', 'http://x', {}, 'FCGI_ERR_ADDRESS'],
    ['a root that is no folder', './a.sock', { root: '/no/such/folder' }, 'FCGI_ERR_OPTION'],
    ['an empty root', './a.sock', { root: '' }, 'FCGI_ERR_OPTION'],
    ['an index without a root', './a.sock', { index: 'index.php' }, 'FCGI_ERR_OPTION'],
    ['a split without a root', './a.sock', { split: '.php' }, 'FCGI_ERR_OPTION'],
    ['an index that is no script', './a.sock', { root: '.', index: 'index.html' }, 'FCGI_ERR_OPTION'],
    ['an index that is a path', './a.sock', { root: '.', index: '../index.php' }, 'FCGI_ERR_OPTION'],
    ['an index that is no text', './a.sock', { root: '.', index: true as never }, 'FCGI_ERR_OPTION'],
    ['a root that is no folder, without an index', './a.sock', { root: '/none', index: false }, 'FCGI_ERR_OPTION'],
    ['a split that is no extension', './a.sock', { root: '.', split: 'php' }, 'FCGI_ERR_OPTION'],
    ['no split at all', './a.sock', { root: '.', split: [] }, 'FCGI_ERR_OPTION'],
  ])('refuses %s', (_, to, options, code) => {
    expect(() => proxy(to as string, options)).toThrow(expect.objectContaining({ code }));
  });

  it('tells of a root that is gone', async () => {
    const root = folderOf({ 'site/index.php': '' });
    const app = createApp({ env: 'test' });
    app.use(proxy(new FcgiClient('./a.sock'), { root: `${root}/site` }));
    rmSync(`${root}/site`, { recursive: true });
    const answer = await fetch(await served(app));
    expect([answer.status, await answer.text()]).toEqual([500, expect.stringContaining('is no folder')]);
  });
});
