import { once } from 'node:events';
import { METHODS } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { type Head, readHead } from '../../../src/adapters/fastcgi/head.ts';
import { encodePairs } from '../../../src/adapters/fastcgi/pairs.ts';
import { Params } from '../../../src/adapters/fastcgi/params.ts';
import { HttpServer } from '../../../src/adapters/http.ts';
import { codesOf, Door, type TestParams } from './client.ts';

const door = new Door();

afterEach(() => door.close());

/** What the application sees. */
async function seen(params: TestParams) {
  const { client } = await door.serve((req, res) => {
    const { method, url, httpVersion, httpVersionMajor, httpVersionMinor, headers, rawHeaders } = req;
    const versions = [httpVersion, httpVersionMajor, httpVersionMinor];
    res.end(JSON.stringify({ method, url, versions, headers, rawHeaders }));
  });
  const answer = await client.get({ params });
  return answer.status === 200 ? JSON.parse(answer.text) : { status: answer.status };
}

describe('the url', () => {
  test('is REQUEST_URI as the client wrote it', async () => {
    for (const REQUEST_URI of ['/', '//a//d.php/x%20y?z=%41&z', '/a?b?c', '*', 'http://host/path', '/%', '/a/../b']) {
      const other = { SCRIPT_NAME: '/other', PATH_INFO: '/x', QUERY_STRING: 'y' };
      expect((await seen({ ...other, REQUEST_URI })).url).toBe(REQUEST_URI);
    }
  });

  test('without a REQUEST_URI is made of SCRIPT_NAME, PATH_INFO and QUERY_STRING', async () => {
    const cases: [TestParams, string][] = [
      [{}, '/'],
      [{ SCRIPT_NAME: '/a b', PATH_INFO: '/é?#%', QUERY_STRING: 'c=%20' }, '/a%20b/%C3%A9%3F%23%25?c=%20'],
      [{ PATH_INFO: 'relative' }, '/relative'],
      [{ SCRIPT_NAME: '/x', QUERY_STRING: '' }, '/x'],
    ];
    for (const [params, url] of cases) expect((await seen({ ...params, REQUEST_URI: undefined })).url).toBe(url);
  });

  test.each([
    ['NUL', '/a\0b'],
    ['a space', '/a b'],
    ['a line end', '/a\r\nX: y'],
    ['DEL', '/a\x7f'],
  ])('with %s in it is answered with 400', async (_what, REQUEST_URI) => {
    const { server, client } = await door.serve((_req, res) => res.end());
    const codes = codesOf(server);
    expect((await client.get({ params: { REQUEST_URI } })).status).toBe(400);
    expect(codes).toEqual(['FCGI_ERR_BAD_REQUEST']);
  });
});

describe('the method', () => {
  test.each(METHODS)('%s is known', async (REQUEST_METHOD) => {
    const { client } = await door.serve((req, res) => res.setHeader('X-Method', req.method!).end());
    expect((await client.get({ params: { REQUEST_METHOD } })).head).toContain(`X-Method: ${REQUEST_METHOD}`);
  });

  test.each(['', 'get', 'NONSENSE', 'GET POST', 'G\0T'])('%j is answered with 400', async (REQUEST_METHOD) => {
    expect(await seen({ REQUEST_METHOD })).toEqual({ status: 400 });
  });

  test('that is not there is answered with 400', async () => {
    expect(await seen({ REQUEST_METHOD: undefined })).toEqual({ status: 400 });
  });
});

describe('the version of HTTP', () => {
  test.each([
    ['HTTP/1.1', ['1.1', 1, 1]],
    ['HTTP/1.0', ['1.0', 1, 0]],
    ['HTTP/2.0', ['2.0', 2, 0]],
    ['HTTP/2', ['2.0', 2, 0]],
    ['HTTP/3.0', ['3.0', 3, 0]],
    ['INCLUDED', ['1.1', 1, 1]],
    [undefined, ['1.1', 1, 1]],
  ])('of %s', async (SERVER_PROTOCOL, versions) => {
    expect((await seen({ SERVER_PROTOCOL })).versions).toEqual(versions);
  });
});

describe('CONTENT_LENGTH', () => {
  test.each(['', '-1', 'abc', '1e3', '+3', ' 3', '3.0', '0x3'])('%j is none', async (CONTENT_LENGTH) => {
    const { client } = await door.serve((req, res) => {
      req.resume().on('end', () => res.end(JSON.stringify(req.headers)));
    });
    const params = { REQUEST_METHOD: 'POST', CONTENT_LENGTH };
    expect((await client.get({ params })).text).toBe('{}');
    expect((await client.get({ params, body: 'abc' })).text).toBe('{"transfer-encoding":"chunked"}');
  });

  test.each(['12345678901234567890', '9007199254740992', '9'.repeat(400)])(
    '%s is answered with 400',
    async (length) => {
      expect(await seen({ CONTENT_LENGTH: length })).toEqual({ status: 400 });
    },
  );

  test('0 is a length', async () => {
    expect((await seen({ CONTENT_LENGTH: '0' })).headers).toEqual({ 'content-length': '0' });
  });

  test('beside HTTP_TRANSFER_ENCODING counts alone: the web server has undone the chunks', async () => {
    const both = { CONTENT_LENGTH: '0', HTTP_TRANSFER_ENCODING: 'chunked', HTTP_CONTENT_LENGTH: '7' };
    expect((await seen(both)).headers).toEqual({ 'content-length': '0' });
    const chunked = { CONTENT_LENGTH: '', HTTP_TRANSFER_ENCODING: 'chunked' };
    expect((await seen(chunked)).headers).toEqual({ 'transfer-encoding': 'chunked' });
  });
});

describe('headers', () => {
  test('come from HTTP_*, CONTENT_TYPE and CONTENT_LENGTH, in their order, empty ones of the latter left out', async () => {
    const { rawHeaders } = await seen([
      ['REQUEST_METHOD', 'GET'],
      ['HTTP_HOST', 'example.org:8080'],
      ['CONTENT_TYPE', ''],
      ['HTTPS', 'on'],
      ['HTTP_X_REQUESTED_WITH', 'x'],
      ['HTTP_EMPTY', ''],
      ['REMOTE_ADDR', '1.2.3.4'],
      ['HTTP_X__Y', 'z'],
    ]);
    expect(rawHeaders).toEqual(['Host', 'example.org:8080', 'X-Requested-With', 'x', 'Empty', '', 'X--Y', 'z']);
  });

  test('keep their bytes as latin1, as on node:http', async () => {
    const { headers } = await seen([
      ['REQUEST_METHOD', 'GET'],
      ['HTTP_X_NAME', Buffer.from('é')],
    ]);
    expect(headers['x-name']).toBe(Buffer.from('é').toString('latin1'));
  });

  test('that come several times are joined as node:http joins them', async () => {
    const lines: [string, string][] = [
      ['Host', 'first'],
      ['Accept', 'a'],
      ['Accept', 'b'],
      ['Cookie', 'c=1'],
      ['Cookie', 'd=2'],
      ['X-Custom', '1'],
      ['X-Custom', '2'],
      ['User-Agent', 'first'],
      ['User-Agent', 'second'],
      ['Authorization', 'first'],
      ['Authorization', 'second'],
      ['Set-Cookie', 'e=3'],
      ['Set-Cookie', 'f=4'],
      ['If-Modified-Since', 'first'],
      ['If-Modified-Since', 'second'],
      ['X-Forwarded-For', '1.1.1.1'],
      ['X-Forwarded-For', '2.2.2.2'],
      ['Origin', 'first'],
      ['Origin', 'second'],
    ];
    const server = new HttpServer({}, (req, res) => {
      const { headers, headersDistinct } = req;
      res.end(JSON.stringify({ headers, headersDistinct }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.end(`GET / HTTP/1.0\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
    let answer = '';
    for await (const chunk of socket) answer += chunk;
    server.close();

    const { client } = await door.serve((req, res) => {
      const { headers, headersDistinct } = req;
      res.end(JSON.stringify({ headers, headersDistinct }));
    });
    const params = lines.map(([name, value]): [string, string] => [
      `HTTP_${name.toUpperCase().replaceAll('-', '_')}`,
      value,
    ]);
    const got = await client.get({ params: [['REQUEST_METHOD', 'GET'], ...params] });
    expect(JSON.parse(got.text)).toEqual(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)));
  });

  test('for the connection to the web server are left out', async () => {
    const { headers } = await seen({
      HTTP_CONNECTION: 'keep-alive',
      HTTP_KEEP_ALIVE: 'timeout=5',
      HTTP_PROXY_CONNECTION: 'close',
      HTTP_EXPECT: '100-continue',
      HTTP_CONTENT_TYPE: 'text/plain',
      HTTP_CONTENT_LENGTH: '9',
    });
    expect(headers).toEqual({});
  });

  test('whose parameter has another name than the field could have are left out', async () => {
    const { headers } = await seen({
      'HTTP_X.DOT': 'caddy',
      HTTP_x_lower: '1',
      HTTP_: '2',
      'HTTP_A B': '3',
      HTTPX_Y: '4',
      __proto__x: '5',
    });
    expect(headers).toEqual({});
  });
});

/** Without a connection: many names. */
function head(pairs: [string, string][]): Head {
  const params = new Params(1_000_000);
  const bytes = encodePairs([['REQUEST_METHOD', 'GET'], ...pairs]);
  params.add(bytes, 0, bytes.length);
  return readHead(params, 1_000_000);
}

test('a client that makes up thousands of names, long ones too, gets each as it is', () => {
  for (let n = 0; n < 3000; n++) {
    const name = `X${n}${n % 2 === 0 ? '' : 'y'.repeat(100).toUpperCase()}`;
    const { rawHeaders } = head([[`HTTP_${name}`, `${n}`]]);
    expect(rawHeaders.map((text) => text.toLowerCase())).toEqual([name.toLowerCase(), `${n}`]);
  }
  expect(head([['HTTP_ACCEPT', '*/*']]).rawHeaders).toEqual(['Accept', '*/*']);
});
