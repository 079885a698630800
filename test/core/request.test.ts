import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Request } from '../../src/core/request.ts';
import type { Handler } from '../../src/core/types.ts';
import { both } from './as-express.ts';
import { deferred, serve } from './pair.ts';

type Look = (req: Request) => unknown;

/** What a look at the request finds, when it is made with the path and the headers. */
async function look(look: Look, path = '/', headers: http.OutgoingHttpHeaders = {}, settings = {}): Promise<unknown> {
  const site = await serve((req, res) => res.send(JSON.stringify({ found: look(req) })), settings);
  const { body } = await site.ask(path, { headers });
  return JSON.parse(body).found;
}

describe('req.range', () => {
  it.each([undefined, 'bytes=0-4', 'bytes=0-4,3-7,90-', 'bytes=-5', 'bytes=100-', 'bytes', 'users=0-1', 'bytes=a-b'])(
    'reads %s as Express does',
    async (range) => {
      for (const options of [undefined, { combine: true }]) {
        const handler: Handler = (req, res) => {
          const found = req.range(100, options);
          res.send(JSON.stringify([found ?? null, typeof found === 'object' && found.type]));
        };
        const [ours, theirs] = await both(handler, '/', range === undefined ? {} : { range });
        expect(ours).toEqual(theirs);
      }
    },
  );
});

describe('req.get', () => {
  it.each([
    ['any case', 'X-Some', { 'x-some': 'yes' }, 'yes'],
    ['Referrer for Referer', 'Referrer', { referer: '/a' }, '/a'],
    ['Referer for Referrer', 'Referer', { referrer: '/a' }, '/a'],
    ['a header that did not come', 'X-None', {}, undefined],
  ])('finds %s', async (_what, name, headers, value) => {
    expect(await look((req) => req.get(name), '/', headers)).toBe(value);
    expect(await look((req) => req.header(name), '/', headers)).toBe(value);
  });

  it.each([undefined, '', 7])('throws a TypeError for the name %j', async (name) => {
    expect(await look((req) => thrown(() => req.get(name as string)))).toBe('TypeError');
  });
});

describe('req.path', () => {
  it.each([
    ['/', '/'],
    ['/a/b', '/a/b'],
    ['/a?b=/c', '/a'],
    ['/a%20b?c', '/a%20b'],
    ['//a//b', '//a//b'],
    ['http://example.com/a?b', '/a'],
    ['http://example.com?b', '/'],
    ['http://example.com', '/'],
    ['http://example.com?x=/admin', '/'],
    ['/a?http://b', '/a'],
  ])('of %s is %s', async (url, path) => {
    expect(await look((req) => req.path, url)).toBe(path);
  });
});

describe('req.query', () => {
  it.each([
    ['/', {}],
    ['/?', {}],
    ['/?a=1&b=2', { a: '1', b: '2' }],
    ['/?a=1&a=2', { a: ['1', '2'] }],
    ['/?a=%C3%A9+x', { a: 'é x' }],
    ['/?a=%', { a: '%' }],
    ['/?a[b]=1', { 'a[b]': '1' }],
    ['http://example.com/?a=1', { a: '1' }],
  ])('of %s is %j', async (url, query) => {
    expect(await look((req) => req.query, url)).toEqual(query);
  });

  it('takes __proto__ for a name like any other', async () => {
    const found = await look((req) => {
      const { query } = req;
      return [Object.keys(query), Object.getPrototypeOf(query), ({} as { polluted?: string }).polluted === undefined];
    }, '/?__proto__=x&constructor=y&polluted=z');
    expect(found).toEqual([['__proto__', 'constructor', 'polluted'], null, true]);
  });

  it('is the same object each time, and follows the url', async () => {
    const found = await look((req) => {
      const { query } = req;
      const same = req.query === query;
      req.url = '/?b=2';
      return [same, req.query];
    }, '/?a=1');
    expect(found).toEqual([true, { b: '2' }]);
  });

  it('can be assigned', async () => {
    const found = await look((req) => {
      req.query = { mine: 'yes' };
      req.url = '/?other';
      return req.query;
    }, '/?a=1');
    expect(found).toEqual({ mine: 'yes' });
  });

  it('is empty with the query parser off, and what a function makes of it', async () => {
    expect(await look((req) => req.query, '/?a=1', {}, { 'query parser': false })).toEqual({});
    const parser = (search: string) => ({ length: search.length });
    expect(await look((req) => req.query, '/?a=1', {}, { 'query parser': parser })).toEqual({ length: 3 });
  });
});

describe('req.host, hostname and subdomains', () => {
  it.each([
    ['example.com', 'example.com', 'example.com', []],
    ['example.com:8080', 'example.com:8080', 'example.com', []],
    ['tobi.ferrets.example.com', 'tobi.ferrets.example.com', 'tobi.ferrets.example.com', ['ferrets', 'tobi']],
    ['[::1]', '[::1]', '[::1]', []],
    ['[::1]:8080', '[::1]:8080', '[::1]', []],
    ['127.0.0.1:80', '127.0.0.1:80', '127.0.0.1', []],
  ])('of Host: %s are %s, %s and %j', async (host, expectedHost, hostname, subdomains) => {
    const found = await look((req) => [req.host, req.hostname, req.subdomains], '/', { host });
    expect(found).toEqual([expectedHost, hostname, subdomains]);
  });

  it('are undefined, and empty, for a request without Host', async () => {
    const site = await serve((req, res) => res.send(`${req.host} ${req.hostname} ${req.subdomains.length}`));
    expect(await site.wire('GET / HTTP/1.0\r\n\r\n')).toMatch(/\r\n\r\nundefined undefined 0$/);
  });

  it('counts subdomains from the setting subdomain offset', async () => {
    const found = await look((req) => req.subdomains, '/', { host: 'a.b.c' }, { 'subdomain offset': 1 });
    expect(found).toEqual(['b', 'a']);
  });
});

describe('trust proxy', () => {
  const headers = {
    host: 'inner',
    'x-forwarded-for': '203.0.113.9, 10.0.0.1',
    'x-forwarded-proto': 'https, http',
    'x-forwarded-host': 'outer:8443, other',
  };
  const all: Look = (req) => [req.ip, req.ips, req.protocol, req.secure, req.host, req.hostname];
  const untouched = ['127.0.0.1', [], 'http', false, 'inner', 'inner'];

  it('ignores X-Forwarded-* unless it is set', async () => {
    expect(await look(all, '/', headers)).toEqual(untouched);
    expect(await look(all, '/', headers, { 'trust proxy': '192.0.2.1' })).toEqual(untouched);
  });

  it.each([
    ['everyone', true, '203.0.113.9', ['203.0.113.9', '10.0.0.1']],
    ['one hop', 1, '10.0.0.1', ['10.0.0.1']],
    ['named networks', 'loopback, 10.0.0.0/8', '203.0.113.9', ['203.0.113.9', '10.0.0.1']],
    ['what a function says', (address: string) => address === '127.0.0.1', '10.0.0.1', ['10.0.0.1']],
  ])('believes %s', async (_whom, trust, ip, ips) => {
    const found = await look(all, '/', headers, { 'trust proxy': trust });
    expect(found).toEqual([ip, ips, 'https', true, 'outer:8443', 'outer']);
  });

  it('takes the connection for what the headers leave out', async () => {
    expect(await look(all, '/', { host: 'inner' }, { 'trust proxy': true })).toEqual(untouched);
  });
});

describe('content negotiation', () => {
  it.each<[string, Look, unknown]>([
    ['accepts', (req) => req.accepts('json', 'html'), 'html'],
    ['accepts, of an array', (req) => req.accepts(['json', 'text/plain']), 'json'],
    ['accepts, none', (req) => req.accepts('png'), false],
    ['accepts, all', (req) => req.accepts(), ['text/html', 'application/json']],
    ['acceptsEncodings', (req) => req.acceptsEncodings('br', 'gzip'), 'gzip'],
    ['acceptsCharsets', (req) => req.acceptsCharsets('utf-8'), 'utf-8'],
    ['acceptsLanguages', (req) => req.acceptsLanguages('en', 'de'), 'de'],
  ])('%s', async (_name, looking, found) => {
    const headers = {
      accept: 'application/json;q=0.5, text/html',
      'accept-encoding': 'gzip',
      'accept-charset': 'utf-8',
      'accept-language': 'de, en;q=0.5',
    };
    expect(await look(looking, '/', headers)).toEqual(found);
  });
});

describe('req.is', () => {
  it.each([
    [['json'], 'json'],
    [['html', 'application/*'], 'application/json'],
    [['html'], false],
  ])('%j finds %j in a JSON body', async (types, found) => {
    const site = await serve((req, res) => res.json(req.is(types)));
    const headers = { 'content-type': 'application/json; charset=utf-8' };
    expect((await site.ask('/', { method: 'POST', headers }, '{}')).body).toBe(JSON.stringify(found));
  });

  it('is null without a body', async () => {
    expect(await look((req) => req.is('json'), '/', { 'content-type': 'application/json' })).toBe(null);
  });
});

describe('req.role and req.data', () => {
  it('are a responder, and nothing, over HTTP', async () => {
    expect(await look((req) => [req.role, req.data === undefined])).toEqual(['responder', true]);
  });

  it.each([
    [1, 'responder', false],
    [2, 'authorizer', false],
    [3, 'filter', true],
  ])('of the FastCGI role %i are %s, and data: %s', async (role, name, hasData) => {
    const data = Readable.from(['the file']);
    const found = await look((req) => {
      Object.assign(req.socket, { params: {}, role, data });
      return [req.role, req.data === data];
    });
    expect(found).toEqual([name, hasData]);
  });

  it('can be assigned, as applications do that keep a user there', async () => {
    const found = await look((req) => {
      Object.assign(req, { role: 'admin', data: { mine: 'yes' } });
      req.role = 'owner';
      return [req.role, req.data, Object.keys(req).includes('role')];
    });
    expect(found).toEqual(['owner', { mine: 'yes' }, true]);
  });
});

const accessors = Object.entries(Object.getOwnPropertyDescriptors(Request.prototype)).flatMap(([name, { get }]) =>
  get ? [name] : [],
);

describe('what middleware for node:http assigns', () => {
  it.each(accessors)('to req.%s stays', async (name) => {
    const found = await look((req) => {
      const untyped = req as unknown as Record<string, unknown>;
      untyped[name] = 'mine';
      return untyped[name];
    });
    expect(found).toBe('mine');
  });
});

describe('req.xhr', () => {
  it.each([
    ['XMLHttpRequest', true],
    ['xmlhttprequest', true],
    ['fetch', false],
  ])('of %s is %s', async (value, found) => {
    expect(await look((req) => req.xhr, '/', { 'x-requested-with': value })).toBe(found);
  });
});

describe('req.fresh', () => {
  it.each([
    ['GET', 200, { 'if-none-match': '"a"' }, true],
    ['HEAD', 200, { 'If-None-Match': 'W/"a"' }, true],
    ['GET', 200, { 'if-none-match': '"b"' }, false],
    ['GET', 200, { 'if-none-match': '*' }, true],
    ['GET', 200, {}, false],
    ['GET', 404, { 'if-none-match': '"a"' }, false],
    ['POST', 200, { 'if-none-match': '"a"' }, false],
    ['GET', 200, { 'if-none-match': '"a"', 'cache-control': 'no-cache' }, false],
    ['GET', 200, { 'IF-MODIFIED-SINCE': 'Wed, 01 Jan 2025 00:00:00 GMT' }, true],
    ['GET', 200, { 'if-modified-since': 'Tue, 01 Jan 2019 00:00:00 GMT' }, false],
  ])('of %s, status %i and %j is %s', async (method, status, headers, fresh) => {
    const site = await serve((req, res) => {
      res.status(status).set({ ETag: '"a"', 'Last-Modified': 'Wed, 01 Jan 2025 00:00:00 GMT' });
      res.setHeader('x-found', `${req.fresh} ${req.stale}`);
      res.end();
    });
    const { headers: found } = await site.ask('/', { method, headers });
    expect(found['x-found']).toBe(`${fresh} ${!fresh}`);
  });
});

describe('req.signal', () => {
  it('aborts when the client goes away before it has its answer', async () => {
    const aborted = deferred<Request>();
    const site = await serve((req) => {
      req.signal.addEventListener('abort', () => aborted.resolve(req));
      socket.destroy();
    });
    const socket = net.connect(site.port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const req = await aborted.promise;
    expect(req.signal.reason.name).toBe('AbortError');
  });

  it('aborts when the body was read whole before the client went away', async () => {
    const aborted = deferred<void>();
    const site = await serve(async (req) => {
      await req.text();
      req.signal.addEventListener('abort', () => aborted.resolve());
      socket.destroy();
    });
    const socket = net.connect(site.port, '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na');
    await aborted.promise;
  });

  it('is aborted already when asked for after the client left', async () => {
    const found = deferred<boolean>();
    const site = await serve(async (req, res) => {
      socket.destroy();
      await once(res, 'close');
      found.resolve(req.signal.aborted);
    });
    const socket = net.connect(site.port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await found.promise).toBe(true);
  });

  it('never aborts after the answer is finished', async () => {
    const found = deferred<boolean[]>();
    const site = await serve(async (req, res) => {
      const { signal } = req;
      const gone = once(req.socket, 'close');
      res.send('whole');
      await gone;
      found.resolve([signal.aborted, req.signal === signal]);
    });
    await site.ask();
    expect(await found.promise).toEqual([false, true]);
  });
});

describe('a message switched to this class', () => {
  it('has all of it', async () => {
    const site = await serve((req, res) => {
      const foreign = new http.IncomingMessage(req.socket);
      foreign.url = '/a?b=1';
      Object.setPrototypeOf(foreign, Request.prototype);
      const switched = foreign as unknown as Request;
      switched.app = req.app;
      res.json([switched.path, switched.query, switched.ip, switched.env.QUERY_STRING, switched.signal.aborted]);
    });
    expect(JSON.parse((await site.ask()).body)).toEqual(['/a', { b: '1' }, '127.0.0.1', 'b=1', false]);
  });
});

function thrown(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return (error as Error).name;
  }
  return 'nothing';
}
