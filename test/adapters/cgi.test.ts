import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { PassThrough, Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createApp } from '../../src/adapters/app.ts';
import { answerCgi } from '../../src/adapters/cgi.ts';
import { FcgiServer, type ServerOptions } from '../../src/adapters/fastcgi/server.ts';
import type { Request } from '../../src/core/request.ts';
import type { Response } from '../../src/core/response.ts';
import { eventually } from './fastcgi/client.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

const GET = { GATEWAY_INTERFACE: 'CGI/1.1', REQUEST_METHOD: 'GET', REQUEST_URI: '/', SERVER_PROTOCOL: 'HTTP/1.1' };
const POST = { ...GET, REQUEST_METHOD: 'POST' };

interface Started {
  env?: Record<string, string>;
  stdin?: Readable;
  stdout?: Writable;
  options?: ServerOptions;
}

/** Runs a listener as a CGI program would be, but for the process. */
function run(listener: RequestListener, { env = GET, stdin, stdout, options }: Started = {}) {
  const output = collector();
  const log = collector();
  const program = {
    env,
    // As long as nobody reads it, it may be anything.
    get stdin(): Readable {
      if (stdin === undefined) throw new Error('stdin was touched');
      return stdin;
    },
    stdout: stdout ?? output,
    stderr: log,
  };
  const whole = answerCgi(new FcgiServer(options, listener), program);
  return whole.then((whole) => ({ whole, ...parse(output.text), stderr: log.text }));
}

function collector(): Writable & { text: string } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk, _encoding, callback) {
      chunks.push(chunk);
      setImmediate(callback);
    },
  });
  return Object.defineProperty(stream, 'text', { get: () => Buffer.concat(chunks).toString('latin1') }) as never;
}

function parse(output: string): { head: string; body: string } {
  const end = output.indexOf('\r\n\r\n');
  return { head: output.slice(0, end), body: output.slice(end + 4) };
}

/** Sends what it was sent. */
const echo = createApp({ env: 'test' }).use(async (req: Request, res: Response) => void res.end(await text(req)));

describe('a request', () => {
  test('is what the environment says', async () => {
    const env = {
      ...GET,
      REQUEST_URI: '/a%20b?c=d',
      QUERY_STRING: 'c=d',
      HTTP_HOST: 'site.test:8443',
      HTTP_X_TEST: '1',
      HTTP_PROXY: 'evil',
      REMOTE_ADDR: '192.0.2.7',
      REMOTE_USER: 'J\u00fcrgen',
      HTTPS: 'on',
      PATH: '/bin',
    };
    const { body, whole } = await run(
      createApp().use((req: Request, res: Response) => {
        const { method, url, query, headers, ip, secure } = req;
        res.send({ method, url, query, headers, ip, secure, user: req.env.REMOTE_USER, path: req.env.PATH });
      }),
      { env },
    );
    expect(whole).toBe(true);
    expect(JSON.parse(Buffer.from(body, 'latin1').toString())).toEqual({
      method: 'GET',
      url: '/a%20b?c=d',
      query: { c: 'd' },
      headers: { host: 'site.test:8443', 'x-test': '1' },
      ip: '192.0.2.7',
      secure: true,
      user: 'J\u00fcrgen',
      path: '/bin',
    });
  });

  test('without REQUEST_URI has the url of its script and path', async () => {
    const { REQUEST_URI, ...env } = { ...GET, SCRIPT_NAME: '/cgi/app.js', PATH_INFO: '/a b', QUERY_STRING: 'c=d' };
    const { body } = await run((req, res) => res.end(req.url), { env });
    expect(body).toBe('/cgi/app.js/a%20b?c=d');
  });

  test('whose environment makes no request is refused', async () => {
    const { head, whole } = await run(() => {}, { env: { ...GET, REQUEST_METHOD: 'NONE' } });
    expect([head.split('\r\n')[0], whole]).toEqual(['Status: 400 Bad Request', true]);
  });
});

describe('a body', () => {
  test('is as long as CONTENT_LENGTH says, although stdin has more', async () => {
    const stdin = Readable.from([Buffer.from('on'), Buffer.from('e, two')]);
    const { body } = await run(echo, { env: { ...POST, CONTENT_LENGTH: '3' }, stdin });
    expect(body).toBe('one');
  });

  test('is as long as CONTENT_LENGTH says, although stdin never ends', async () => {
    const stdin = new PassThrough();
    stdin.write('one');
    const { body } = await run(echo, { env: { ...POST, CONTENT_LENGTH: '3' }, stdin });
    expect(body).toBe('one');
    expect([stdin.isPaused(), stdin.listenerCount('data')]).toEqual([true, 0]);
  });

  test('is passed on as it comes', async () => {
    const stdin = new PassThrough();
    const seen: string[] = [];
    const answer = run(
      async (req, res) => {
        for await (const chunk of req) {
          seen.push(String(chunk));
          if (seen.length === 1) stdin.write('two');
        }
        res.end();
      },
      { env: { ...POST, CONTENT_LENGTH: '6' }, stdin },
    );
    stdin.write('one');
    await answer;
    expect(seen).toEqual(['one', 'two']);
  });

  test('that came in chunks lasts until stdin ends', async () => {
    const env = { ...POST, HTTP_TRANSFER_ENCODING: 'chunked' };
    const { body } = await run(echo, { env, stdin: Readable.from([Buffer.from('one'), Buffer.from('two')]) });
    expect(body).toBe('onetwo');
  });

  test.each([
    ['no length', {}],
    ['an empty length', { CONTENT_LENGTH: '' }],
    ['the length 0', { CONTENT_LENGTH: '0' }],
  ])('is none with %s, and stdin is not touched', async (_, length) => {
    const { head, body } = await run(echo, { env: { ...POST, ...length } });
    expect([head.split('\r\n')[0], body]).toEqual(['Status: 200 OK', '']);
  });

  test('that ends before its CONTENT_LENGTH is refused', async () => {
    const stdin = Readable.from([Buffer.from('one')]);
    const { head } = await run(echo, { env: { ...POST, CONTENT_LENGTH: '4' }, stdin });
    expect(head).toMatch(/^Status: 400 /);
  });

  test('is held back until its reader wants it', async () => {
    let read = 0;
    const stdin = new Readable({
      read() {
        read++;
        this.push(Buffer.alloc(65536));
      },
    });
    const pairs: [IncomingMessage, ServerResponse][] = [];
    const env = { ...POST, CONTENT_LENGTH: `${256 * 65536}` };
    const answer = run((...pair) => void pairs.push(pair), { env, stdin });
    await eventually(() => expect(pairs).toHaveLength(1));
    // Whoever would read on without being asked gets all of the turns that it needs.
    for (let turn = 0; turn < 1000; turn++) await new Promise(setImmediate);
    expect(read).toBeLessThan(16);
    const [[req, res]] = pairs as [[IncomingMessage, ServerResponse]];
    let bytes = 0;
    for await (const chunk of req) bytes += chunk.length;
    res.end(`${bytes}`);
    expect((await answer).body).toBe(`${256 * 65536}`);
  });

  test('is taken although the web server does not take the answer before it has sent all', async () => {
    const stdout = new PassThrough({ highWaterMark: 1024 });
    const length = 64 * 65536;
    let sent = 0;
    const stdin = new Readable({
      read() {
        if (sent < length) this.push(Buffer.alloc(65536, 'echo'));
        sent += 65536;
      },
    });
    const whole = run((req, res) => void req.pipe(res), {
      env: { ...POST, CONTENT_LENGTH: `${length}` },
      stdin,
      stdout,
    });
    await eventually(() => expect(sent).toBeGreaterThanOrEqual(length));
    const output = text(stdout);
    expect((await whole).whole).toBe(true);
    stdout.end();
    expect(parse(await output).body).toBe('echo'.repeat(length / 4));
  });

  test('need not have come before the answer, and is taken all the same, so that nobody resets the connection', async () => {
    const length = 64 * 65536;
    let sent = 0;
    const stdin = new Readable({
      read() {
        if (sent === length) return;
        sent += 65536;
        this.push(Buffer.alloc(65536));
      },
    });
    const env = { ...POST, CONTENT_LENGTH: `${length}` };
    const { head, body, whole } = await run((_req, res) => void res.writeHead(413).end('too large'), { env, stdin });
    expect([head.split('\r\n')[0], body, whole]).toEqual(['Status: 413 Payload Too Large', 'too large', true]);
    expect(sent).toBe(length);
  });

  test.each([
    [
      'after maxDrainBytes',
      { maxDrainBytes: 1 << 20 },
      new Readable({
        read() {
          this.push(Buffer.alloc(65536));
        },
      }),
    ],
    ['after closeTimeout', { closeTimeout: 50 }, new PassThrough()],
  ])('that came after the answer is taken no longer %s', async (_, options, stdin) => {
    const env = { ...POST, CONTENT_LENGTH: `${1 << 30}` };
    const { body, whole } = await run((_req, res) => void res.end('enough'), { env, stdin, options });
    expect([body, whole]).toEqual(['enough', true]);
    expect([stdin.isPaused(), stdin.listenerCount('data')]).toEqual([true, 0]);
  });

  test('that comes too slowly is refused', async () => {
    const options = { requestTimeout: 50, closeTimeout: 50 };
    const env = { ...POST, CONTENT_LENGTH: '4' };
    const { head } = await run(echo, { env, stdin: new PassThrough(), options });
    expect(head).toMatch(/^Status: 408 /);
  });

  test('that cannot be read is one that broke off', async () => {
    const stdin = new PassThrough();
    const aborted = vi.fn();
    const answer = run((req) => void req.on('aborted', aborted).on('error', () => {}), {
      env: { ...POST, CONTENT_LENGTH: '4' },
      stdin,
    });
    setImmediate(() => stdin.destroy(new Error('EIO')));
    expect((await answer).whole).toBe(false);
    expect(aborted).toHaveBeenCalled();
  });
});

describe('an answer', () => {
  test('is a CGI head, and a body', async () => {
    const { head, body, stderr } = await run((_req, res) => {
      res.writeHead(201, 'Made', { 'X-Test': ['a', 'b'], Connection: 'close', 'Transfer-Encoding': 'chunked' });
      res.write('one');
      res.end('two');
    });
    expect(head.replace(/\r\nDate: .*/, '')).toBe('Status: 201 Made\r\nX-Test: a\r\nX-Test: b');
    expect([body, stderr]).toEqual(['onetwo', '']);
  });

  test.each([
    ['HEAD', { ...GET, REQUEST_METHOD: 'HEAD' }, 200],
    ['204', GET, 204],
    ['304', GET, 304],
  ])('has no body for %s', async (_, env, status) => {
    const { head, body, whole } = await run((_req, res) => void res.writeHead(status).end('not sent'), { env });
    expect(head).toMatch(new RegExp(`^Status: ${status} `));
    expect([body, whole]).toEqual(['', true]);
  });

  test("puts what is written to stderr into the web server's log", async () => {
    const { stderr, body } = await run(
      createApp().use((_req: Request, res: Response) => {
        res.stderr.write('to the log');
        res.send('to the client');
      }),
    );
    expect([stderr, body]).toEqual(['to the log', 'to the client']);
  });

  test('is a page for an error that the application throws', async () => {
    vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const app = createApp({ env: 'production' }).use(() => {
      throw new Error('secret');
    });
    const { head, body, whole } = await run(app);
    expect(head).toMatch(/^Status: 500 Internal Server Error\r\n/);
    expect(body).toContain('Internal Server Error');
    expect(body).not.toContain('secret');
    expect(whole).toBe(true);
  });

  test.each([
    ['by the application', (res: ServerResponse) => void res.destroy()],
    ['short of its Content-Length', (res: ServerResponse) => void res.end()],
  ])('that breaks off %s is not whole', async (_, breakOff) => {
    const { body, whole } = await run((_req, res) => {
      res.writeHead(200, { 'Content-Length': 14 });
      res.write('the half', () => breakOff(res));
    });
    expect([body, whole]).toEqual(['the half', false]);
  });

  test('waits for a web server that reads slowly, and keeps little meanwhile', async () => {
    const pieces: Buffer[] = [];
    const waiting: (() => void)[] = [];
    let slow = true;
    const stdout = new Writable({
      write(chunk, _encoding, callback) {
        pieces.push(chunk);
        if (slow) waiting.push(callback);
        else callback();
      },
    });
    const total = 200 * 65536;
    let made = 0;
    const answer = run(
      (_req, res) => {
        Readable.from(
          (function* () {
            for (; made < total; made += 65536) yield Buffer.alloc(65536, 'large');
          })(),
        ).pipe(res);
      },
      { stdout },
    );
    await eventually(() => expect(waiting).toHaveLength(1));
    for (let turn = 0; turn < 1000; turn++) await new Promise(setImmediate);
    expect(made).toBeLessThan(32 * 65536);
    slow = false;
    waiting.pop()!();
    expect((await answer).whole).toBe(true);
    expect(parse(Buffer.concat(pieces).toString('latin1')).body).toHaveLength(total);
  });

  test('is left when its handlers have heard that it is', async () => {
    const heard: string[] = [];
    await run((_req, res) => {
      res.on('finish', () => heard.push('finish')).on('close', () => heard.push('close'));
      res.end('answer');
    });
    expect(heard).toEqual(['finish', 'close']);
  });

  test('has left only when the web server has taken all of it', async () => {
    const waiting: (() => void)[] = [];
    const stdout = new Writable({
      write(_chunk, _encoding, callback) {
        waiting.push(callback);
      },
    });
    const closed = vi.fn();
    const left = vi.fn();
    const answer = run((_req, res) => void res.on('close', closed).end('answer'), { stdout }).then(left);
    await eventually(() => expect(closed).toHaveBeenCalled());
    for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
    expect(left).not.toHaveBeenCalled();
    while (waiting.length > 0) {
      waiting.pop()!();
      await new Promise(setImmediate);
    }
    await answer;
    expect(left).toHaveBeenCalledWith(expect.objectContaining({ whole: true }));
  });

  test('of which the web server wants no more is given up', async () => {
    const stdout = new PassThrough();
    const heard: string[] = [];
    const answer = run(
      createApp().use((req: Request, res: Response) => {
        req.signal.addEventListener('abort', () => heard.push('abort'));
        res.on('close', () => heard.push('close'));
        res.write('first');
      }),
      { stdout },
    );
    await once(stdout, 'data');
    stdout.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    expect((await answer).whole).toBe(false);
    expect(heard.sort()).toEqual(['abort', 'close']);
  });
});
