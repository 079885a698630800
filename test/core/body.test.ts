import net from 'node:net';
import zlib from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readAhead, readNow } from '../../src/core/body.ts';
import type { Request } from '../../src/core/request.ts';
import { deferred, serve } from './pair.ts';

/** Posts a body to a server that answers with what `read` makes of it. */
async function post(read: (req: Request) => unknown, body: string | Buffer, headers = {}) {
  const site = await serve(async (req, res) => res.send(JSON.stringify(await read(req))));
  return site.ask('/', { method: 'POST', headers }, body);
}

describe('req.stdin', () => {
  it('is a Readable for an async loop', async () => {
    const found = await post(async (req) => {
      let size = 0;
      for await (const chunk of req.stdin) size += chunk.length;
      return size;
    }, Buffer.alloc(100_000));
    expect(found.body).toBe('100000');
  });

  it('can be piped', async () => {
    const site = await serve((req, res) => req.stdin.pipe(res));
    expect((await site.ask('/', { method: 'POST' }, 'through')).body).toBe('through');
  });
});

describe('bytes', () => {
  it('has every byte', async () => {
    const bytes = Buffer.from([0, 255, 128, 10, 13]);
    const site = await serve(async (req, res) => res.send(await req.stdin.bytes()));
    const found = await fetch(site.url, { method: 'POST', body: bytes });
    expect(Buffer.from(await found.arrayBuffer())).toEqual(bytes);
  });

  it('is empty for a request without a body', async () => {
    const site = await serve(async (req, res) => res.json((await req.stdin.bytes()).length));
    expect((await site.ask()).body).toBe('0');
  });

  it('answers a second call with the same bytes, as the other readers do', async () => {
    const found = await post(async (req) => {
      const [first, second] = [await req.bytes(), await req.bytes()];
      return [first === second, await req.text(), await req.json()];
    }, '[1]');
    expect(JSON.parse(found.body)).toEqual([true, '[1]', [1]]);
  });

  it.each([
    ['has been read', async (req: Request) => req.toArray()],
    ['has been given an encoding', (req: Request) => req.setEncoding('latin1')],
  ])('rejects with FCGI_ERR_BODY_USED when the body %s', async (_how, use) => {
    const found = await post(async (req) => {
      await use(req);
      return req.bytes();
    }, 'x');
    expect(found).toMatchObject({ status: 500, body: expect.stringContaining('FCGI_ERR_BODY_USED') });
  });

  it('rejects with the error of a request that was broken off', async () => {
    const told = deferred<unknown>();
    const site = await serve((req) => {
      const reading = req.bytes().catch(told.resolve);
      req.once('data', () => socket.destroy());
      return reading;
    });
    const socket = net.connect(site.port, '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf');
    expect(await told.promise).toMatchObject({ code: 'ECONNRESET' });
  });
});

describe('the limit', () => {
  const MIB = 1024 * 1024;
  const read = (limit?: number) => async (req: Request) => (await req.bytes({ limit })).length;
  const chunked = { 'transfer-encoding': 'chunked' };
  const gzip = { 'content-encoding': 'gzip' };

  it.each<[string, number | undefined, Buffer, object, number]>([
    ['1 MiB unless told', undefined, Buffer.alloc(MIB), {}, 200],
    ['1 MiB and a byte unless told', undefined, Buffer.alloc(MIB + 1), {}, 413],
    ['as much as was told', 10, Buffer.alloc(10), {}, 200],
    ['more than was told', 10, Buffer.alloc(11), {}, 413],
    ['more in chunks', 10, Buffer.alloc(100_000), chunked, 413],
    ['more when inflated', 10, zlib.gzipSync(Buffer.alloc(1_000_000)), gzip, 413],
    ['less when inflated than as it is sent', 1, zlib.gzipSync('x'), gzip, 200],
    ['nothing', 0, Buffer.alloc(0), {}, 200],
  ])('of %s: limit %s', async (_what, limit, body, headers, status) => {
    const found = await post(read(limit), body, headers);
    expect(found.status).toBe(status);
    if (status === 413) expect(found.body).toContain('FCGI_ERR_BODY_TOO_LARGE');
  });

  it.each([Number.NaN, -1, '1mb', null])('is a number of bytes, or none is read: not %j', async (limit) => {
    const found = await post((req) => req.bytes({ limit: limit as number }), 'x');
    // Of null, as of undefined, the default is taken.
    expect(found).toMatchObject(
      limit === null ? { status: 200 } : { body: expect.stringContaining('FCGI_ERR_OPTION') },
    );
  });

  it('holds for a second call, too', async () => {
    const found = await post(async (req) => {
      await req.bytes();
      return req.text({ limit: 3 });
    }, 'four');
    expect(found.status).toBe(413);
  });

  it('keeps the connection for the next request', async () => {
    const site = await serve(async (req, res) => res.json((await req.bytes({ limit: 5 })).length));
    const head = 'POST / HTTP/1.1\r\nHost: a\r\n';
    const wire = await site.wire(
      `${head}Transfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n0\r\n\r\n` +
        `${head}Content-Length: 6\r\n\r\n123456` +
        `${head}Content-Length: 2\r\nConnection: close\r\n\r\n12`,
    );
    expect(wire.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 413', 'HTTP/1.1 413', 'HTTP/1.1 200']);
  });
});

describe('Content-Encoding', () => {
  it.each([
    ['gzip', zlib.gzipSync('body')],
    ['x-gzip', zlib.gzipSync('body')],
    ['deflate', zlib.deflateSync('body')],
    ['br', zlib.brotliCompressSync('body')],
    ['GZIP', zlib.gzipSync('body')],
    ['identity', Buffer.from('body')],
  ])('%s is undone', async (encoding, body) => {
    expect((await post((req) => req.text(), body, { 'content-encoding': encoding })).body).toBe('"body"');
  });

  it.each([
    ['an unknown one', 'zip', Buffer.from('x'), 415, 'FCGI_ERR_BODY_TYPE'],
    ['several', 'gzip, br', Buffer.from('x'), 415, 'FCGI_ERR_BODY_TYPE'],
    ['one that is not true', 'gzip', Buffer.from('plain text'), 400, 'FCGI_ERR_BODY_SYNTAX'],
    ['a body that stops short', 'gzip', zlib.gzipSync('body').subarray(0, -6), 400, 'FCGI_ERR_BODY_SYNTAX'],
  ])('rejects %s', async (_what, encoding, body, status, code) => {
    const found = await post((req) => req.bytes(), body, { 'content-encoding': encoding });
    expect(found).toMatchObject({ status, body: expect.stringContaining(code) });
  });
});

describe('text', () => {
  it.each([
    [undefined, Buffer.from('h\u00e9'), 'h\u00e9'],
    ['text/plain', Buffer.from('\ufeffh\u00e9'), 'h\u00e9'],
    ['text/plain; charset=ISO-8859-1', Buffer.from('h\u00e9', 'latin1'), 'h\u00e9'],
    ['text/plain; charset="utf-16le"', Buffer.from('h\u00e9', 'utf16le'), 'h\u00e9'],
    ['text/plain; charset=utf-8', Buffer.from([0xff]), '\ufffd'],
  ])('of %s', async (type, body, text) => {
    const found = await post((req) => req.text(), body, type ? { 'content-type': type } : {});
    expect(JSON.parse(found.body)).toBe(text);
  });

  it('rejects an unknown charset with 415', async () => {
    const found = await post((req) => req.text(), 'x', { 'content-type': 'text/plain; charset=klingon' });
    expect(found).toMatchObject({ status: 415, body: expect.stringContaining('FCGI_ERR_BODY_TYPE') });
  });
});

describe('json', () => {
  it('parses whatever the type says', async () => {
    expect((await post((req) => req.json(), '{"a":[1]}')).body).toBe('{"a":[1]}');
  });

  it.each(['', '{', 'undefined', "{'a':1}"])('rejects %j with 400', async (body) => {
    const found = await post((req) => req.json(), body);
    expect(found).toMatchObject({ status: 400, body: expect.stringContaining('FCGI_ERR_BODY_SYNTAX') });
  });

  it.each([
    ['{"a":{"__proto__":1},"b":2}', '{"a":{},"b":2}'],
    ['{"\\u005F_proto__":null}', '{}'],
    ['[{"constructor":{"prototype":{}}}]', '[{}]'],
  ])('refuses the poisoned keys of %s with 400, or takes them out', async (body, removed) => {
    const found = await post((req) => req.json(), body);
    expect(found).toMatchObject({ status: 400, body: expect.stringContaining('FCGI_ERR_BODY_SYNTAX') });
    const options = { onProtoPoisoning: 'remove', onConstructorPoisoning: 'remove' } as const;
    expect((await post((req) => req.json(options), body)).body).toBe(removed);
  });

  it('takes a constructor that is none, and what is no object', async () => {
    for (const body of ['{"constructor":{"name":1}}', '{"constructor":null}', 'null', '1']) {
      expect((await post((req) => req.json(), body)).body).toBe(body);
    }
  });

  it('gives no prototype through __proto__', async () => {
    const found = await post(async (req) => {
      const value = (await req.json({ onProtoPoisoning: 'ignore' })) as object;
      return [Object.hasOwn(value, '__proto__'), 'polluted' in value];
    }, '{"__proto__":{"polluted":true}}');
    expect(found.body).toBe('[true,false]');
  });
});

describe('form', () => {
  const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };

  it.each([
    ['a=1&b=2', { a: '1', b: '2' }],
    ['a=1&a=2', { a: ['1', '2'] }],
    ['a=%C3%A9+%26', { a: '\u00e9 &' }],
    ['', {}],
    ['a', { a: '' }],
  ])('of %j is %j', async (body, form) => {
    expect(JSON.parse((await post((req) => req.form(), body, headers)).body)).toEqual(form);
  });

  it('drops no field, and has no prototype', async () => {
    const body = `__proto__=x${'&a=1'.repeat(5000)}`;
    const found = await post(
      async (req) => {
        const form = await req.form();
        return [Object.keys(form), form.a.length, Object.getPrototypeOf(form)];
      },
      body,
      headers,
    );
    expect(JSON.parse(found.body)).toEqual([['__proto__', 'a'], 5000, null]);
  });

  it('takes UTF-8 by either name, in any case', async () => {
    const type = { 'content-type': 'application/x-www-form-urlencoded; charset="UTF8"' };
    expect((await post((req) => req.form(), 'a=%C3%A9', type)).body).toBe('{"a":"\u00e9"}');
  });

  it.each([
    undefined,
    'multipart/form-data; boundary=x',
    'application/json',
    ';;',
    'application/x-www-form-urlencoded; charset=iso-8859-1',
  ])('rejects %s with 415', async (type) => {
    const found = await post((req) => req.form(), 'a=1', type ? { 'content-type': type } : {});
    expect(found).toMatchObject({ status: 415, body: expect.stringContaining('FCGI_ERR_BODY_TYPE') });
  });
});

describe('readAhead', () => {
  const LIMIT = 1000;
  const chunked = { 'transfer-encoding': 'chunked' };

  it.each<[what: string, read: (req: Request) => unknown, found: unknown]>([
    ['readNow', (req) => readNow(req).toString(), 'body'],
    [
      'readNow in pieces',
      (req) => [1, 2, 0, 9, 9].map((size) => readNow(req, size).toString()),
      ['b', 'od', '', 'y', ''],
    ],
    ['readNow as text', (req) => readNow(req.setEncoding('hex')).toString(), 'body'],
    ['text', (req) => req.text(), 'body'],
    ['text, twice', async (req) => [await req.text(), await req.text()], ['body', 'body']],
    ['toArray', async (req) => (await req.toArray()).join(), 'body'],
    [
      'a loop',
      async (req) => {
        const found = [];
        for await (const chunk of req) found.push(`${chunk}`);
        return found;
      },
      ['body'],
    ],
    ["'data', at once", (req) => new Promise((resolve) => req.on('data', (chunk) => resolve(`${chunk}`))), 'body'],
    [
      "'data', later",
      async (req) => {
        await new Promise(setImmediate);
        return new Promise((resolve) => req.on('data', (chunk) => resolve(`${chunk}`)));
      },
      'body',
    ],
    [
      "'end' of what is not looked at",
      (req) => new Promise((resolve) => req.resume().on('end', () => resolve('end'))),
      'end',
    ],
    [
      "'end' behind readNow",
      (req) => {
        readNow(req);
        return new Promise((resolve) => req.on('end', () => resolve('end')));
      },
      'end',
    ],
  ])('leaves the body for %s', async (_what, read, found) => {
    for (const headers of [{}, chunked]) {
      const answer = await post(async (req) => [await readAhead(req, LIMIT), await read(req)], 'body', headers);
      expect(JSON.parse(answer.body)).toEqual([true, found]);
    }
  });

  it.each([
    ['no body', undefined, {}],
    ['an empty body', '', {}],
    ['an empty body in chunks', '', chunked],
  ])('finds nothing in %s', async (_what, body, headers) => {
    const read = async (req: Request) => [await readAhead(req, LIMIT), readNow(req).length, await req.text()];
    const site = await serve(async (req, res) => res.json(await read(req)));
    expect((await site.ask('/', { method: body === undefined ? 'GET' : 'POST', headers }, body)).body).toBe(
      '[true,0,""]',
    );
  });

  it.each([
    ['some', (req: Request) => readNow(req, 1)],
    ['all', (req: Request) => readNow(req)],
  ])('keeps from others that %s of it was read', async (_what, read) => {
    const found = await post(async (req) => {
      await readAhead(req, LIMIT);
      read(req);
      return req.bytes();
    }, 'body');
    expect(found).toMatchObject({ status: 500, body: expect.stringContaining('FCGI_ERR_BODY_USED') });
  });

  it('has as much as its limit at once; of more it has nothing at once, and all as a stream', async () => {
    const read = async (req: Request) => [await readAhead(req, LIMIT), readNow(req).length];
    for (const headers of [{}, chunked]) {
      expect((await post(read, Buffer.alloc(LIMIT), headers)).body).toBe(`[true,${LIMIT}]`);
      const more = await post(read, Buffer.alloc(LIMIT + 1), headers);
      expect(more).toMatchObject({ status: 413, body: expect.stringContaining('FCGI_ERR_BODY_TOO_LARGE') });
      const stream = async (req: Request) => [await readAhead(req, LIMIT), (await req.bytes()).length];
      expect((await post(stream, Buffer.alloc(900_000), headers)).body).toBe('[true,900000]');
    }
  });

  it('takes more memory for no larger body: the rest waits in its connection', async () => {
    const most = 16 * 1024 * 1024;
    const found = await post(async (req) => {
      await readAhead(req, LIMIT);
      await new Promise((resolve) => setTimeout(resolve, 50));
      const held = req.readableLength;
      return [held < most / 4, (await req.bytes({ limit: most })).length];
    }, Buffer.alloc(most));
    expect(found.body).toBe(`[true,${most}]`);
  });

  it('lets the rest of a body that nobody reads run dry, for the next request of the connection', async () => {
    const site = await serve(async (req, res) => {
      await readAhead(req, LIMIT);
      res.end('answered');
    });
    const large = 'x'.repeat(2_000_000);
    const wire = await site.wire(
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${large.length}\r\n\r\n${large}` +
        'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    );
    expect(wire.match(/answered/g)).toHaveLength(2);
  });

  it('is done at once where all is there, or was read by somebody else', async () => {
    for (const [body, length] of [
      ['body', 4],
      ['', 0],
    ] as const) {
      const site = await serve(async (req, res) => {
        while (!req.complete) await new Promise(setImmediate);
        const first = [await readAhead(req, LIMIT), (await req.bytes()).length];
        res.json([...first, await readAhead(req, LIMIT)]);
      });
      expect((await site.ask('/', { method: 'POST', headers: chunked }, body)).body).toBe(`[true,${length},true]`);
    }
  });

  it('says false of a client that leaves, and of one that has left', async () => {
    const told = deferred<unknown>();
    const site = await serve(async (req) => {
      const first = readAhead(req, LIMIT);
      socket.destroy();
      told.resolve([await first, await readAhead(req, LIMIT)]);
    });
    const socket = net.connect(site.port, '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf');
    expect(await told.promise).toEqual([false, false]);
  });
});
