import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import net from 'node:net';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Response as Answer } from '../../src/core/response.ts';
import { deferred, serve } from './pair.ts';

const HTML = 'text/html; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';
const BYTES = 'application/octet-stream';

// The tags are those of Express 5 for the same bodies.
describe('res.send of a whole body', () => {
  it.each<[string, unknown, string, string | undefined, string | undefined]>([
    ['a string', 'Hello World', 'Hello World', HTML, 'W/"b-Pp6vyAtHsfxD"'],
    ['a string in UTF-8', 'h\u00e9 \u20ac', 'h\u00e9 \u20ac', HTML, 'W/"7-YgxCKAEyxIqA"'],
    ['an empty string', '', '', HTML, 'W/"0-qz58CDmBoHjA"'],
    ['null', null, '', undefined, 'W/"0-qz58CDmBoHjA"'],
    ['undefined', undefined, '', undefined, undefined],
    ['a Buffer', Buffer.from('tobi'), 'tobi', BYTES, 'W/"4-nI_DPAwSvtAD"'],
    ['a Uint8Array', new Uint8Array([0x61, 0x62]).subarray(1), 'b', BYTES, undefined],
    ['an ArrayBuffer', new Uint8Array([0x61]).buffer, 'a', BYTES, undefined],
    ['an object', { hello: 'world' }, '{"hello":"world"}', JSON_TYPE, undefined],
    ['an object without a prototype', Object.assign(Object.create(null), { a: 1 }), '{"a":1}', JSON_TYPE, undefined],
    ['an array', [1, 'a'], '[1,"a"]', JSON_TYPE, undefined],
    ['a number', 42, '42', JSON_TYPE, undefined],
    ['a boolean', true, 'true', JSON_TYPE, undefined],
    ['what has a toJSON', new Date(0), '"1970-01-01T00:00:00.000Z"', JSON_TYPE, undefined],
  ])('sends %s', async (_what, body, expected, type, tag) => {
    const site = await serve((_req, res) => res.send(body));
    const found = await site.ask();
    expect(found).toMatchObject({ status: 200, body: expected });
    expect(found.headers['content-type']).toBe(type);
    expect(found.headers['content-length']).toBe(String(Buffer.byteLength(expected)));
    if (tag) expect(found.headers.etag).toBe(tag);
  });

  it.each([
    ['text/plain', 'text/plain; charset=utf-8'],
    ['text/plain; charset=iso-8859-1', 'text/plain; charset=utf-8'],
    ['text/x; a="b;c"', 'text/x; a="b;c"; charset=utf-8'],
  ])('says of a string in %s that it is UTF-8', async (type, expected) => {
    const site = await serve((_req, res) => res.setHeader('Content-Type', type) && res.send('x'));
    expect((await site.ask()).headers['content-type']).toBe(expected);
  });

  it('leaves the type of bytes as it is set', async () => {
    const site = await serve((_req, res) => res.type('png').send(Buffer.from('x')));
    expect((await site.ask()).headers['content-type']).toBe('image/png');
  });

  it('throws for a second answer', async () => {
    const site = await serve((_req, res) => {
      res.send('one');
      expect(() => res.send('two')).toThrow(expect.objectContaining({ code: 'ERR_HTTP_HEADERS_SENT' }));
    });
    expect((await site.ask()).body).toBe('one');
  });

  it('leaves no trace of an answer that was refused', async () => {
    const site = await serve((_req, res) => {
      res.send('one');
      expect(() => res.send('another')).toThrow();
      expect(res.getHeader('Content-Length')).toBe(3);
    });
    expect((await site.ask()).body).toBe('one');
  });

  it('leaves no trace of a head that cannot be', async () => {
    const tags = ['a line end\n', '"fine"'];
    const site = await serve(
      (_req, res) => {
        expect(() => res.send('<p>one</p>')).toThrow(expect.objectContaining({ code: 'ERR_INVALID_CHAR' }));
        expect([res.hasHeader('Content-Type'), res.headersSent]).toEqual([false, false]);
        res.json('another');
      },
      { etag: () => tags.shift() },
    );
    const { headers, body } = await site.ask();
    expect([headers['content-type'], headers.etag, body]).toEqual([JSON_TYPE, '"fine"', '"another"']);
  });

  it('calls what middleware has put in the place of setHeader, writeHead and end', async () => {
    const calls: string[] = [];
    const site = await serve((_req, res) => {
      for (const name of ['setHeader', 'writeHead', 'end'] as const) {
        const original = res[name] as (...args: unknown[]) => never;
        res[name] = (...args: unknown[]) => {
          calls.push(`${name} ${args[0]}`);
          return original.apply(res, args);
        };
      }
      res.send('x');
      expect(res.getHeaders()).toMatchObject({ 'content-length': 1, 'content-type': HTML });
    });
    await site.ask();
    const tag = 'setHeader ETag';
    expect(calls).toEqual(['setHeader Content-Type', 'setHeader Content-Length', tag, 'end x', 'writeHead 200']);
  });

  it('tells its headers to whoever asks afterwards, as a logger does', async () => {
    const site = await serve((_req, res) => {
      res.send('Hello World');
      const headers = { 'content-type': HTML, 'content-length': 11, etag: 'W/"b-Pp6vyAtHsfxD"' };
      expect({ ...res.getHeaders() }).toEqual(headers);
      expect(res.getHeaderNames()).toEqual(Object.keys(headers));
      expect([res.getHeader('Content-Length'), res.get('ETag')]).toEqual([11, headers.etag]);
      expect([res.hasHeader('Content-Type'), res.hasHeader('X-Other')]).toEqual([true, false]);
    });
    expect((await site.ask()).status).toBe(200);
  });
});

describe('res.json', () => {
  it('keeps a type that is set', async () => {
    const site = await serve((_req, res) => res.type('application/problem+json').json({ a: 1 }));
    expect((await site.ask()).headers['content-type']).toBe('application/problem+json; charset=utf-8');
  });

  it.each([
    ['json spaces', 2, '{\n  "a": "<&>"\n}'],
    ['json replacer', (_key: string, value: unknown) => (value === '<&>' ? 'b' : value), '{"a":"b"}'],
    ['json escape', true, '{"a":"\\u003c\\u0026\\u003e"}'],
  ])('follows the setting %s', async (name, value, body) => {
    const site = await serve((_req, res) => res.json({ a: '<&>' }), { [name]: value });
    expect((await site.ask()).body).toBe(body);
  });

  it('throws what JSON.stringify throws', async () => {
    const site = await serve((_req, res) => res.json(1n));
    expect((await site.ask()).status).toBe(500);
  });
});

describe('the ETag', () => {
  it.each<[unknown, RegExp | undefined]>([
    ['weak', /^W\/"5-/],
    ['strong', /^"5-/],
    [true, /^W\/"5-/],
    [false, undefined],
    [(body: Buffer) => `"own-${body.length}"`, /^"own-5"$/],
    [() => undefined, undefined],
  ])('follows the setting %j', async (setting, pattern) => {
    const site = await serve((_req, res) => res.send('t\u00f6bi'), { etag: setting });
    const { etag } = (await site.ask()).headers;
    if (pattern === undefined) expect(etag).toBeUndefined();
    else expect(etag).toMatch(pattern);
  });

  it('is left alone when it is set', async () => {
    const site = await serve((_req, res) => res.set('ETag', '"mine"').send('x'));
    expect((await site.ask()).headers.etag).toBe('"mine"');
  });

  it('differs for bodies of one length', async () => {
    const site = await serve((req, res) => res.send(req.path));
    const tags = [];
    for (const path of ['/a', '/b', '/a']) tags.push((await site.ask(path)).headers.etag);
    expect(tags[0]).not.toBe(tags[1]);
    expect(tags[2]).toBe(tags[0]);
  });
});

describe('an answer without a body', () => {
  const source = () => Readable.from(['never'], { objectMode: false });

  it.each<[string, (res: Answer) => unknown]>([
    ['a string', (res) => res.send('Hello World')],
    ['a stream', (res) => res.set('ETag', 'W/"b-Pp6vyAtHsfxD"').send(source())],
  ])('is 304 when the client has %s already', async (_what, act) => {
    const site = await serve((_req, res) => act(res));
    const headers = { 'if-none-match': 'W/"b-Pp6vyAtHsfxD"' };
    const found = await site.ask('/', { headers });
    expect(found).toMatchObject({ status: 304, message: 'Not Modified', body: '' });
    expect(found.headers).not.toHaveProperty('content-type');
    expect(found.headers).not.toHaveProperty('content-length');
    expect(found.headers.etag).toBe(headers['if-none-match']);
  });

  it.each([
    [204, undefined],
    [205, '0'],
    [304, undefined],
  ])('is that of %i', async (status, length) => {
    for (const body of ['text', source(), Buffer.from('x')]) {
      const site = await serve((_req, res) => res.status(status).send(body));
      const wire = await site.wire('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      expect(wire.endsWith('\r\n\r\n')).toBe(true);
      expect(/content-length: (.*)\r\n/i.exec(wire)?.[1]).toBe(length);
      expect(wire).not.toMatch(/transfer-encoding/i);
    }
  });

  it('is that of HEAD, with the length it would have', async () => {
    const site = await serve((_req, res) => res.send('Hello'));
    const found = await site.ask('/', { method: 'HEAD' });
    expect(found).toMatchObject({ status: 200, body: '', headers: { 'content-length': '5', 'content-type': HTML } });
  });

  it('outlives a stream that fails when nobody reads it', async () => {
    const stream = createReadStream('/no/such/file');
    const failed = once(stream, 'close').catch((error) => error.code);
    const site = await serve((_req, res) => res.send(stream));
    expect((await site.ask('/', { method: 'HEAD' })).status).toBe(200);
    expect(await failed).toBe('ENOENT');
    expect(await site.ask('/', { method: 'HEAD' })).toMatchObject({ status: 200 });
  });

  it('destroys the stream nobody will read', async () => {
    const stream = source();
    const site = await serve((_req, res) => res.send(stream));
    await site.ask('/', { method: 'HEAD' });
    expect(stream.destroyed).toBe(true);
  });
});

describe('res.send of a stream', () => {
  async function* words() {
    yield 'Hello ';
    await turn();
    yield Buffer.from('W\u00f6rld');
  }

  it.each<[string, () => unknown, string]>([
    ['a Readable', () => Readable.from(words(), { objectMode: false }), BYTES],
    ['a Readable in object mode', () => Readable.from(words()), BYTES],
    ['an AsyncIterable', () => words(), BYTES],
    ['an object that has an async iterator', () => ({ [Symbol.asyncIterator]: words }), BYTES],
    ['a ReadableStream', () => Readable.toWeb(Readable.from(words(), { objectMode: false })), BYTES],
    ['a Blob', () => new Blob(['Hello W\u00f6rld']), BYTES],
    ['a Blob with a type', () => new Blob(['Hello W\u00f6rld'], { type: 'text/x' }), 'text/x'],
    ['a File', () => new File(['Hello W\u00f6rld'], 'a.txt', { type: 'text/x' }), 'text/x'],
  ])('sends %s', async (_what, body, type) => {
    const site = await serve((_req, res) => res.send(body()));
    const found = await site.ask();
    expect(found).toMatchObject({ status: 200, body: 'Hello W\u00f6rld', headers: { 'content-type': type } });
    expect(found.headers).not.toHaveProperty('etag');
  });

  it('says how long a Blob is', async () => {
    const site = await serve((_req, res) => res.send(new Blob(['12345'])));
    expect((await site.ask()).headers['content-length']).toBe('5');
  });

  it('echoes the request', async () => {
    const site = await serve((req, res) => res.send(req));
    expect((await site.ask('/', { method: 'POST' }, 'echo')).body).toBe('echo');
  });

  it('reads no faster than the client', async () => {
    let made = 0;
    const source = new Readable({
      read() {
        made += 1;
        this.push(Buffer.alloc(65536));
      },
    });
    const stalled = deferred<void>();
    const site = await serve((_req, res) => {
      const write = res.write as (chunk: Buffer) => boolean;
      res.write = (chunk: Buffer) => {
        const more = write.call(res, chunk);
        if (!more && res.writableLength > 65536) stalled.resolve();
        return more;
      };
      res.send(source);
    });
    const socket = net.connect(site.port, '127.0.0.1').pause();
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await stalled.promise;
    await turn();
    const before = made;
    for (let i = 0; i < 50; i += 1) await turn();
    expect(made).toBe(before);
    socket.destroy();
    await once(source, 'close');
  });

  it.each<[string, (gone: () => void) => unknown]>([
    ['a Readable', (gone) => new Readable({ read() {} }).once('close', gone)],
    ['a ReadableStream', (gone) => new ReadableStream({ cancel: gone })],
  ])('destroys %s that has nothing to give when the client goes away', async (_what, make) => {
    const gone = deferred<void>();
    const site = await serve((_req, res) => {
      res.send(make(gone.resolve));
      res.flushHeaders();
    });
    const socket = net.connect(site.port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(socket, 'data');
    socket.destroy();
    await gone.promise;
  });

  it('destroys the stream for a client that has left before', async () => {
    const stream = new Readable({ read() {} });
    const site = await serve(async (_req, res) => {
      socket.destroy();
      await once(res, 'close');
      res.send(stream);
    });
    const socket = net.connect(site.port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(stream, 'close');
  });

  const failing = async function* () {
    yield* [];
    throw new Error('no such thing');
  };

  it.each<[string, () => unknown]>([
    ['an AsyncIterable', failing],
    ['a Readable', () => Readable.from(failing())],
    ['a Readable that was destroyed', () => new Readable().destroy()],
    ['a ReadableStream', () => new ReadableStream({ start: (controller) => controller.error(new Error('no')) })],
    ['chunks that are no bytes', () => Readable.from([{ a: 1 }])],
    ['an AsyncIterable of what is no bytes', () => Readable.from([{ a: 1 }])[Symbol.asyncIterator]()],
  ])('gives the error of %s before the head to req.next', async (_what, make) => {
    const site = await serve((_req, res) => res.send(make()));
    expect((await site.ask()).status).toBe(500);
  });

  it('breaks the answer off when the stream fails after the head, and tells req.next', async () => {
    const told = deferred<unknown>();
    const site = await serve((req, res) => {
      const source = new Readable({ read() {} });
      req.next = told.resolve;
      res.send(source);
      source.push('begun');
      fail = () => source.destroy(new Error('half-way'));
    });
    let fail = () => {};
    const answer = await fetch(site.url);
    const reading = answer.text();
    fail();
    await expect(reading).rejects.toThrow('terminated');
    expect(await told.promise).toMatchObject({ message: 'half-way' });
  });

  it('breaks the connection off where there is no req.next', async () => {
    const site = await serve((req, res) => {
      req.next = undefined;
      res.send(failing());
    });
    await expect(site.ask()).rejects.toMatchObject({ code: 'ECONNRESET' });
  });
});

describe('res.send of a Fetch API Response', () => {
  it('sends status, headers and body', async () => {
    const site = await serve((_req, res) => {
      res.set('X-Kept', 'yes').set('X-Replaced', 'old').append('Set-Cookie', 'z=0');
      const headers = new Headers({ 'X-Replaced': 'new', 'Content-Type': 'text/x' });
      headers.append('Set-Cookie', 'a=1');
      headers.append('Set-Cookie', 'b=2; Expires=Wed, 01 Jan 2025 00:00:00 GMT');
      res.send(new Response('body', { status: 418, statusText: 'Teapot', headers }));
    });
    const found = await site.ask();
    expect(found).toMatchObject({ status: 418, message: 'Teapot', body: 'body' });
    expect(found.headers).toMatchObject({
      'x-kept': 'yes',
      'x-replaced': 'new',
      'content-type': 'text/x',
      'set-cookie': ['z=0', 'a=1', 'b=2; Expires=Wed, 01 Jan 2025 00:00:00 GMT'],
    });
  });

  it('leaves out what describes the connection it came by', async () => {
    const headers = {
      Trailer: 'X-T',
      Upgrade: 'h2c',
      'Proxy-Connection': 'close',
      'Keep-Alive': 'timeout=1',
      'X-Kept': 'y',
    };
    const site = await serve((_req, res) => res.send(new Response('body', { headers })));
    const found = await site.ask();
    expect(found).toMatchObject({ status: 200, body: 'body', headers: { 'x-kept': 'y' } });
    for (const name of ['trailer', 'upgrade', 'proxy-connection']) expect(found.headers[name]).toBeUndefined();
    expect(found.headers['keep-alive']).not.toBe('timeout=1');
  });

  it.each([204, 304])('sends %i without a body', async (status) => {
    const site = await serve((_req, res) => res.send(new Response(null, { status })));
    expect(await site.ask()).toMatchObject({ status, body: '' });
  });

  it('sends JSON of Response.json', async () => {
    const site = await serve((_req, res) => res.send(Response.json({ a: 1 })));
    expect(await site.ask()).toMatchObject({ body: '{"a":1}', headers: { 'content-type': 'application/json' } });
  });

  it('sends on what was fetched, inflated as it is then', async () => {
    const { gzipSync } = await import('node:zlib');
    const packed = gzipSync('inflated');
    const origin = await serve((_req, res) => res.set('Content-Encoding', 'gzip').type('txt').send(packed));
    const site = await serve(async (_req, res) => res.send(await fetch(origin.url)));
    const found = await site.ask();
    expect(found.body).toBe('inflated');
    expect(found.headers).not.toHaveProperty('content-encoding');
    expect(found.headers['content-type']).toBe('text/plain; charset=utf-8');
  });

  it.each([
    [
      'was read',
      async () => {
        const used = new Response('x');
        await used.text();
        return used;
      },
      /FCGI_ERR_BODY_USED/,
    ],
    ['is an error', () => Response.error(), /status code: 0/],
  ])('refuses one that %s', async (_what, make, message) => {
    const site = await serve(async (_req, res) => res.send(await make()));
    const found = await site.ask();
    expect(found.status).toBe(500);
    expect(found.body).toMatch(message);
  });
});
