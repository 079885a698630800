import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import net from 'node:net';
import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createApp } from '../../src/core/app.ts';
import { BODY_LIMIT } from '../../src/core/body.ts';
import type { Request } from '../../src/core/request.ts';
import type { ErrorHandler, Handler, Middleware } from '../../src/core/types.ts';
import { json, raw, text, urlencoded } from '../../src/middleware/index.ts';
import { Door } from '../adapters/fastcgi/client.ts';
import { deferred } from '../core/pair.ts';
import { ask as askOnce, listen, served } from '../core/served.ts';
import { type Ask, DOORS } from './doors.ts';

const require = createRequire(import.meta.url);

const JSON_TYPE = { 'Content-Type': 'application/json' };
const FORM_TYPE = { 'Content-Type': 'application/x-www-form-urlencoded' };
const TEXT_TYPE = { 'Content-Type': 'text/plain' };
const BYTES_TYPE = { 'Content-Type': 'application/octet-stream' };

/** What came as `req.body`, of a Buffer its bytes in hexadecimal. */
const tell: Handler = ({ body }, res) => {
  const shown = Buffer.isBuffer(body) ? `bytes ${body.toString('hex')}` : body;
  res.send(shown === undefined ? 'undefined' : JSON.stringify(shown));
};
const refuse: ErrorHandler = (error, req, res, _next) => {
  const { status, code, type, expose } = error as { status: number; code: string; type?: string; expose: boolean };
  res
    .status(status)
    .send([code, type ?? '', expose ? 'exposed' : 'hidden', typeof req.body].join(' ').replace('  ', ' '));
};

describe.each(DOORS)('over %s', (_name, open) => {
  const door = new Door();
  afterAll(() => door.close());

  function serve(parse: Middleware, handler: Handler = tell): Promise<Ask> {
    const app = createApp({ env: 'test' });
    app.use(parse);
    app.use(handler);
    app.use(refuse);
    return open(app, door);
  }

  /** The answer in one line, to a body that is posted. */
  async function post(
    parse: Middleware,
    body: string | Buffer,
    headers: Record<string, string> = JSON_TYPE,
    chunked = false,
  ): Promise<string> {
    const ask = await serve(parse);
    const { status, text } = await ask('/', { method: 'POST', body, headers, chunked });
    return `${status} ${text}`;
  }

  describe('json', () => {
    it.each<[body: string, answer: string]>([
      ['{"a":[1,null]}', '200 {"a":[1,null]}'],
      [' [] ', '200 []'],
      ['', '200 {}'],
      ['{"\u00e9":1}', '200 {"\u00e9":1}'],
      ['{', '400 FCGI_ERR_BODY_SYNTAX entity.parse.failed exposed undefined'],
      ['"text"', '400 FCGI_ERR_BODY_SYNTAX entity.parse.failed exposed undefined'],
    ])('of %j is %s', async (body, answer) => {
      expect(await post(json(), body)).toBe(answer);
    });

    it('of a request without a body is undefined', async () => {
      const ask = await serve(json());
      expect((await ask('/', { headers: JSON_TYPE })).text).toBe('undefined');
    });

    it('of a body in chunks, without a length', async () => {
      expect(await post(json(), '{"a":1}', JSON_TYPE, true)).toBe('200 {"a":1}');
    });

    it('takes any value if not strict, and revives', async () => {
      expect(await post(json({ strict: false }), '"text"')).toBe('200 "text"');
      const reviver = (key: string, value: unknown) => (key === 'a' ? 'revived' : value);
      expect(await post(json({ reviver }), '{"a":1,"b":2}')).toBe('200 {"a":"revived","b":2}');
    });

    it.each([
      [TEXT_TYPE, json(), '200 undefined'],
      [FORM_TYPE, json(), '200 undefined'],
      [{ 'Content-Type': 'application/problem+json' }, json({ type: 'application/*+json' }), '200 {"a":1}'],
      [TEXT_TYPE, json({ type: () => true }), '200 {"a":1}'],
      [{ 'Content-Type': 'application/json; charset=utf-16le' }, json(), '400 FCGI_ERR_BODY_SYNTAX'],
      [{ 'Content-Type': 'application/json; charset=latin1' }, json(), '415 FCGI_ERR_BODY_TYPE charset.unsupported'],
    ])('of the type %j', async (headers, parse, answer) => {
      expect(await post(parse, '{"a":1}', headers)).toContain(answer);
    });

    it('of UTF-16', async () => {
      const headers = { 'Content-Type': 'application/json; charset=utf-16' };
      expect(await post(json(), Buffer.from('\ufeff{"a":"\u00e9"}', 'utf16le'), headers)).toBe('200 {"a":"\u00e9"}');
    });

    it.each([
      ['{"a":1,"__proto__":{"b":2}}', '{"a":1}', '{"a":1,"__proto__":{"b":2}}'],
      ['{"a":[{"\\u005f_proto__":1}]}', '{"a":[{}]}', '{"a":[{"__proto__":1}]}'],
      ['{"constructor":{"prototype":{"b":2}}}', '{}', '{"constructor":{"prototype":{"b":2}}}'],
    ])('refuses the poisoned keys of %s, or takes them out, or lets them pass', async (body, removed, ignored) => {
      expect(await post(json(), body)).toBe('400 FCGI_ERR_BODY_SYNTAX exposed undefined');
      const [remove, ignore] = (['remove', 'ignore'] as const).map((action) =>
        json({ onProtoPoisoning: action, onConstructorPoisoning: action }),
      );
      expect(await post(remove!, body)).toBe(`200 ${removed}`);
      expect(await post(ignore!, body)).toBe(`200 ${ignored}`);
    });

    it('takes a constructor that is none', async () => {
      expect(await post(json(), '{"constructor":"Cessna","prototype":1}')).toBe(
        '200 {"constructor":"Cessna","prototype":1}',
      );
    });
  });

  describe('urlencoded', () => {
    it.each<[body: string, options: object, answer: string]>([
      ['a=1&b=%C3%A9+x&a=2', {}, '200 {"a":["1","2"],"b":"\u00e9 x"}'],
      ['a[b]=1', {}, '200 {"a[b]":"1"}'],
      ['a[b]=1&a[c][]=2', { extended: true }, '200 {"a":{"b":"1","c":["2"]}}'],
      ['a=1&b=2&c=3', { parameterLimit: 2 }, '413 FCGI_ERR_BODY_TOO_LARGE parameters.too.many exposed undefined'],
      [
        'a[b][c]=1',
        { extended: true, depth: 1 },
        '400 FCGI_ERR_BODY_SYNTAX querystring.parse.rangeError exposed undefined',
      ],
      ['__proto__=x&a=1', {}, '200 {"a":"1"}'],
      ['__proto__[x]=1&a[__proto__][x]=1', { extended: true }, '200 {"a":{}}'],
      ['constructor[prototype][x]=1', { extended: true }, '400 FCGI_ERR_BODY_SYNTAX exposed undefined'],
      ['constructor[prototype][x]=1', { extended: true, onConstructorPoisoning: 'remove' }, '200 {}'],
      ['a=%E9', { defaultCharset: 'iso-8859-1' }, '200 {"a":"\u00e9"}'],
    ])('of %s with %j is %s', async (body, options, answer) => {
      expect(await post(urlencoded(options), body, FORM_TYPE)).toBe(answer);
      expect('x' in {}).toBe(false);
    });
  });

  it.each<[what: string, parse: Middleware, body: string | Buffer, headers: Record<string, string>, answer: string]>([
    ['text', text(), 'h\u00e9', TEXT_TYPE, '200 "h\u00e9"'],
    [
      'text in its charset',
      text(),
      Buffer.from([0xe9]),
      { 'Content-Type': 'text/plain; charset=latin1' },
      '200 "\u00e9"',
    ],
    [
      'text in a charset by default',
      text({ defaultCharset: 'latin1' }),
      Buffer.from([0xe9]),
      TEXT_TYPE,
      '200 "\u00e9"',
    ],
    ['text of another type', text(), 'x', { 'Content-Type': 'text/html' }, '200 undefined'],
    [
      'text in a charset that there is not',
      text(),
      'x',
      { 'Content-Type': 'text/plain; charset=klingon' },
      '415 FCGI_ERR_BODY_TYPE charset.unsupported exposed undefined',
    ],
    ['raw', raw(), Buffer.from([0, 255]), BYTES_TYPE, '200 "bytes 00ff"'],
    ['raw of another type', raw(), 'x', TEXT_TYPE, '200 undefined'],
  ])('%s', async (_what, parse, body, headers, answer) => {
    expect(await post(parse, body, headers)).toBe(answer);
  });

  describe('Content-Encoding', () => {
    it.each([
      ['gzip', zlib.gzipSync('body')],
      ['deflate', zlib.deflateSync('body')],
      ['br', zlib.brotliCompressSync('body')],
      ['BR', zlib.brotliCompressSync('body')],
    ])('%s is undone', async (encoding, body) => {
      const headers = { ...TEXT_TYPE, 'Content-Encoding': encoding };
      expect(await post(text(), body, headers)).toBe('200 "body"');
      expect(await post(text({ limit: 3 }), body, headers)).toMatch('413 FCGI_ERR_BODY_TOO_LARGE entity.too.large');
      expect(await post(text({ inflate: false }), body, headers)).toMatch(
        '415 FCGI_ERR_BODY_TYPE encoding.unsupported',
      );
    });

    it.each([
      ['zip', Buffer.from('x'), '415 FCGI_ERR_BODY_TYPE encoding.unsupported exposed undefined'],
      [
        'gzip, gzip',
        zlib.gzipSync(zlib.gzipSync('x')),
        '415 FCGI_ERR_BODY_TYPE encoding.unsupported exposed undefined',
      ],
      ['gzip', Buffer.from('plain'), '400 FCGI_ERR_BODY_SYNTAX exposed undefined'],
      ['gzip', zlib.gzipSync('body').subarray(0, -6), '400 FCGI_ERR_BODY_SYNTAX exposed undefined'],
      ['br', zlib.brotliCompressSync('body').subarray(0, -2), '400 FCGI_ERR_BODY_SYNTAX exposed undefined'],
    ])('%s that is none, or cut, is refused', async (encoding, body, answer) => {
      expect(await post(text(), body, { ...TEXT_TYPE, 'Content-Encoding': encoding })).toBe(answer);
    });
  });

  describe('the limit', () => {
    it.each<[name: string, parse: Middleware, headers: Record<string, string>]>([
      ['json', json({ limit: undefined }), JSON_TYPE],
      ['urlencoded', urlencoded(), FORM_TYPE],
      ['text', text(), TEXT_TYPE],
      ['raw', raw(), BYTES_TYPE],
    ])('of %s is that of req.stdin, and stands with a length and without', async (_name, parse, headers) => {
      const fits = Buffer.alloc(BODY_LIMIT, ' ').fill('{}', 0, 2);
      const ask = await serve(parse, (req, res) => res.send(typeof req.body));
      for (const chunked of [false, true]) {
        const { text } = await ask('/', { method: 'POST', body: fits, headers, chunked });
        expect(text).toMatch(/^(object|string)$/);
        const more = await ask('/', {
          method: 'POST',
          body: Buffer.concat([fits, fits.subarray(0, 1)]),
          headers,
          chunked,
        });
        expect(more).toMatchObject({ status: 413, text: 'FCGI_ERR_BODY_TOO_LARGE entity.too.large exposed undefined' });
      }
    });

    it('may be told as text', async () => {
      expect(await post(text({ limit: '1kb' }), 'x'.repeat(1024), TEXT_TYPE)).toMatch('200');
      expect(await post(text({ limit: '1kb' }), 'x'.repeat(1025), TEXT_TYPE)).toMatch('413');
    });

    it.each<[name: string, encoding: keyof typeof BOMBS, parse?: Middleware]>([
      ['text()', 'gzip', text()],
      ['text()', 'br', text()],
      ['req.stdin', 'gzip'],
      ['req.stdin', 'br'],
    ])(
      'keeps %s from inflating the rest of a bomb: %s',
      async (_name, encoding, parse = (_req, _res, next) => next()) => {
        const { make, body } = BOMBS[encoding];
        const inflaters = countInflated(make);
        const ask = await serve(parse, async (req, res) => res.send(await req.text()));
        const headers = { ...TEXT_TYPE, 'Content-Encoding': encoding };
        const { status, text: told } = await ask('/', { method: 'POST', body, headers });
        expect(`${status} ${told}`).toMatch('413 FCGI_ERR_BODY_TOO_LARGE');
        expect(inflaters).toMatchObject([{ inflater: { destroyed: true } }]);
        expect(inflaters[0]!.bytes).toBeLessThan(BODY_LIMIT + 256 * 1024);
      },
    );
  });

  describe('verify', () => {
    const verifying = (error: unknown) =>
      raw({
        verify: () => {
          throw error;
        },
      });

    it('sees the body before it is parsed', async () => {
      const seen: unknown[] = [];
      const verify = (_req: IncomingMessage, _res: ServerResponse, body: Buffer, encoding: string) => {
        seen.push(body.toString(), encoding);
      };
      expect(await post(json({ verify }), '{"a":1}')).toBe('200 {"a":1}');
      expect(seen).toEqual(['{"a":1}', 'utf-8']);
    });

    it.each([
      [new Error('no'), '403 FCGI_ERR_BODY_VERIFY entity.verify.failed exposed undefined'],
      [Object.assign(new Error('no'), { code: 'OWN' }), '403 OWN entity.verify.failed exposed undefined'],
      [Object.assign(new Error('no'), { status: 401, code: 'OWN', type: 'own' }), '401 OWN own exposed undefined'],
    ])('refuses by %s', async (error, answer) => {
      expect(await post(verifying(error), 'x', BYTES_TYPE)).toBe(answer);
    });
  });

  describe('beside req.stdin', () => {
    const both = (handler: (req: Request) => unknown) =>
      serve(json(), async (req, res) => res.json(await handler(req)));
    const request = { method: 'POST', body: '{"a":1}', headers: JSON_TYPE };

    it('what json() has read is not read again', async () => {
      const ask = await both((req) => req.stdin.json());
      expect((await ask('/', request)).text).toMatch('FCGI_ERR_BODY_USED');
    });

    it('what json() has left alone can be read', async () => {
      const ask = await both(async (req) => [typeof req.body, await req.stdin.json()]);
      expect((await ask('/', { ...request, headers: TEXT_TYPE })).text).toBe('["undefined",{"a":1}]');
    });

    it('json() passes on what was read before', async () => {
      const app = createApp({ env: 'test' });
      app.use(async (req, res, next) => {
        res.locals.read = await req.stdin.json();
        next();
      });
      app.use(json());
      app.use((req, res) => res.json([typeof req.body, res.locals.read]));
      const ask = await open(app, door);
      expect((await ask('/', request)).text).toBe('["undefined",{"a":1}]');
    });

    it('text() does not read what has an encoding', async () => {
      const app = createApp({ env: 'test' });
      app.use((req, _res, next) => {
        req.setEncoding('utf8');
        next();
      });
      app.use(text());
      app.use(refuse);
      const ask = await open(app, door);
      const { status, text: told } = await ask('/', { ...request, headers: TEXT_TYPE });
      expect(`${status} ${told}`).toBe('500 FCGI_ERR_BODY_USED stream.encoding.set hidden undefined');
    });
  });

  it('the connection, and the next parser, go on after each other', async () => {
    const app = createApp({ env: 'test' });
    app.use(json(), urlencoded(), text(), raw());
    app.use(tell);
    app.use(refuse);
    const ask = await open(app, door);
    const answers = [];
    for (const [headers, body] of [
      [JSON_TYPE, '{"a":1}'],
      [JSON_TYPE, '{'],
      [FORM_TYPE, 'a=1'],
      [TEXT_TYPE, 'a'],
      [BYTES_TYPE, 'a'],
    ] as const) {
      answers.push((await ask('/', { method: 'POST', headers, body })).text);
    }
    const refused = 'FCGI_ERR_BODY_SYNTAX entity.parse.failed exposed undefined';
    expect(answers).toEqual(['{"a":1}', refused, '{"a":"1"}', '"a"', '"bytes 61"']);
  });
});

const zeros = Buffer.alloc(64 * 1024 * 1024);
const BOMBS = {
  gzip: { make: 'createGunzip', body: zlib.gzipSync(zeros) },
  br: { make: 'createBrotliDecompress', body: zlib.brotliCompressSync(zeros) },
} as const;

/** The inflaters that are made from now on, and how much each has made. */
function countInflated(make: 'createGunzip' | 'createBrotliDecompress') {
  const inflaters: { inflater: Transform; bytes: number }[] = [];
  const original = zlib[make] as () => Transform;
  const spy = vi.spyOn(zlib, make).mockImplementation((() => {
    const inflater = original();
    const counted = { inflater, bytes: 0 };
    inflaters.push(counted);
    const push = inflater.push.bind(inflater);
    inflater.push = (chunk, encoding) => {
      counted.bytes += chunk?.length ?? 0;
      return push(chunk, encoding);
    };
    return inflater;
  }) as never);
  onTestFinished(() => spy.mockRestore());
  return inflaters;
}

describe('in Connect', () => {
  it('the four parse as in an app', async () => {
    const connect = require('connect') as () => http.RequestListener & { use(...handlers: unknown[]): void };
    const app = connect();
    for (const parse of [json(), urlencoded({ extended: true }), text(), raw()]) app.use(parse);
    app.use((req: IncomingMessage & { body: unknown }, res: ServerResponse) => {
      res.end(Buffer.isBuffer(req.body) ? req.body : JSON.stringify(req.body));
    });
    app.use((error: { code: string }, _req: IncomingMessage, res: ServerResponse, _next: unknown) =>
      res.end(error.code),
    );
    const origin = await listen(http.createServer(app));
    const post = async (headers: Record<string, string>, body: string) =>
      (await fetch(origin, { method: 'POST', headers, body })).text();
    expect(await post(JSON_TYPE, '{"a":1}')).toBe('{"a":1}');
    expect(await post(JSON_TYPE, '{"__proto__":1}')).toBe('FCGI_ERR_BODY_SYNTAX');
    expect(await post(FORM_TYPE, 'a[b]=1')).toBe('{"a":{"b":"1"}}');
    expect(await post(TEXT_TYPE, 'a')).toBe('"a"');
    expect(await post(BYTES_TYPE, 'a')).toBe('a');
  });
});

describe.each(['identity', 'gzip'])('a client that goes away while its %s body is read', (encoding) => {
  it('is told to the error handlers, and to nobody twice', async () => {
    const told = deferred<unknown>();
    const errors: unknown[] = [];
    const app = createApp({ env: 'test' });
    app.use(text());
    const onError: ErrorHandler = (error, req, _res, _next) => {
      errors.push(error);
      req.once('close', () => told.resolve(errors));
    };
    app.use(onError);
    app.get('/', (_req, res) => res.send('alive'));
    const origin = await served(app);
    const socket = net.connect(Number(new URL(origin).port), '127.0.0.1');
    const head = `POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Encoding: ${encoding}\r\n`;
    socket.write(`${head}Content-Length: 100\r\n\r\n`);
    socket.write(zlib.gzipSync('body').subarray(0, 12), () => socket.destroy());
    expect(await told.promise).toMatchObject([{ code: 'FCGI_ERR_BODY_UNDERRUN', status: 400 }]);
    expect(await askOnce(origin, '/')).toBe('200 alive');
  });
});

it.each<[what: string, make: () => Middleware]>([
  ['a limit that is none', () => json({ limit: 'much' })],
  ['a verify that is none', () => raw({ verify: true as never })],
  ['no fields', () => urlencoded({ parameterLimit: 0 })],
  ['a negative depth', () => urlencoded({ extended: true, depth: -1 })],
  ['an unknown charset', () => urlencoded({ defaultCharset: 'klingon' as never })],
])('%s is FCGI_ERR_OPTION', (_what, make) => {
  expect(make).toThrow(expect.objectContaining({ code: 'FCGI_ERR_OPTION' }));
});
