import type { IncomingMessage } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, test } from 'vitest';
import { readHead } from '../../../src/adapters/fastcgi/head.ts';
import { encodePairs } from '../../../src/adapters/fastcgi/pairs.ts';
import { Params } from '../../../src/adapters/fastcgi/params.ts';
import type { Request } from '../../../src/core/request.ts';
import { Door, type TestParams } from './client.ts';

const door = new Door();

afterEach(() => door.close());

async function of<T>(params: TestParams, look: (req: IncomingMessage) => T): Promise<T> {
  const { client } = await door.serve((req, res) => res.end(JSON.stringify([look(req)])));
  return JSON.parse((await client.get({ params })).text)[0];
}

const envOf = (params: TestParams) => of(params, (req) => (req as Request).env);

describe('req.env', () => {
  test('has the parameters as the web server sent them, as UTF-8, empty ones too', async () => {
    const params = { SCRIPT_FILENAME: '/srv/é/漢.js', REMOTE_USER: 'zoë', QUERY_STRING: '', 'HTTP_X.DOT': 'caddy' };
    expect(await envOf(params)).toMatchObject({ ...params, REQUEST_METHOD: 'GET' });
  });

  test('has of a name that comes several times the last, as the socket has', async () => {
    const params: [string, string][] = [
      ['REQUEST_METHOD', 'GET'],
      ['REMOTE_ADDR', '1.1.1.1'],
      ['HTTPS', 'on'],
      ['REMOTE_ADDR', '2.2.2.2'],
      ['HTTPS', ''],
    ];
    expect(await envOf(params)).toEqual({ REQUEST_METHOD: 'GET', REMOTE_ADDR: '2.2.2.2', HTTPS: '' });
    const looked = await of(params, (req) => {
      const before = [req.socket.remoteAddress, (req.socket as { encrypted?: boolean }).encrypted === true];
      void (req as Request).env;
      return [before, [req.socket.remoteAddress, (req.socket as { encrypted?: boolean }).encrypted === true]];
    });
    expect(looked).toEqual([
      ['2.2.2.2', false],
      ['2.2.2.2', false],
    ]);
  });

  test('has a parameter of any name, those of Object among them', async () => {
    const looked = await of({ constructor: 'a', toString: 'b' } as unknown as TestParams, (req) => {
      const { env } = req as Request;
      return [env.constructor, env.toString, 'hasOwnProperty' in env];
    });
    expect(looked).toEqual(['a', 'b', false]);
  });

  test("has paths without Apache's prefix, and nothing else changed", async () => {
    const env = await envOf({
      SCRIPT_FILENAME: 'proxy:fcgi://127.0.0.1:7102/a/d.php/x%20y',
      PATH_TRANSLATED: 'proxy:balancer://workers/srv/x',
      PATH_INFO: 'proxy:fcgi://127.0.0.1/stays',
    });
    expect([env.SCRIPT_FILENAME, env.PATH_TRANSLATED, env.PATH_INFO]).toEqual([
      '/a/d.php/x%20y',
      '/srv/x',
      'proxy:fcgi://127.0.0.1/stays',
    ]);
  });
});

test("only paths of files lose what looks like Apache's prefix, whoever asks", () => {
  const value = 'proxy:fcgi://127.0.0.1:7102/x';
  const names = ['SCRIPT_FILENAME', 'PATH_TRANSLATED', 'PATH_INFO', 'REMOTE_USER'];
  const bytes = encodePairs(names.map((name) => [name, value]));
  const params = new Params(1000);
  params.add(bytes, 0, bytes.length);
  const asked = names.map((name) => params.get(name));
  expect(asked).toEqual(['/x', '/x', value, value]);
  expect(Object.values(params.toObject())).toEqual(asked);
});

describe('req.socket', () => {
  const look = (req: IncomingMessage) => {
    const { remoteAddress, remotePort, remoteFamily, localAddress, localPort, localFamily } = req.socket;
    return [remoteAddress, remotePort, remoteFamily, localAddress, localPort, localFamily, req.socket.address()];
  };

  test('says who the client is and where it came, by the parameters', async () => {
    const params = { REMOTE_ADDR: '1.2.3.4', REMOTE_PORT: '4711', SERVER_ADDR: '::1', SERVER_PORT: '443' };
    const address = { address: '::1', family: 'IPv6', port: 443 };
    expect(await of(params, look)).toEqual(['1.2.3.4', 4711, 'IPv4', '::1', 443, 'IPv6', address]);
  });

  test('says nothing of what was not told', async () => {
    expect(await of({}, look)).toEqual([null, null, null, null, null, null, {}]);
  });

  test.each([
    [{ HTTPS: 'on' }, true],
    [{ HTTPS: 'ON' }, true],
    [{ HTTPS: '1' }, true],
    [{ REQUEST_SCHEME: 'https' }, true],
    [{ HTTPS: '', REQUEST_SCHEME: 'https' }, true],
    [{ HTTPS: 'off', REQUEST_SCHEME: 'https' }, null],
    [{ HTTPS: 'Off' }, null],
    [{ HTTPS: '0' }, null],
    [{ HTTPS: '' }, null],
    [{}, null],
    [{ HTTP_HTTPS: 'on' }, null],
  ])('is encrypted, with %j: %s', async (params, encrypted) => {
    expect(await of(params, (req) => (req.socket as { encrypted?: boolean }).encrypted)).toBe(encrypted);
  });
});

describe('who keeps a value of many requests', () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;

  /** Bytes that are held once whatever nobody holds is gone. */
  function held(): number {
    gc();
    return process.memoryUsage().heapUsed;
  }

  const looks: [string, (params: Params) => string][] = [
    ['a header', (params) => readHead(params, 1000).rawHeaders.at(-1)!],
    ['the url', (params) => readHead(params, 1000).url],
    ['a parameter', (params) => params.get('SCRIPT_FILENAME')],
    ['a parameter of env', (params) => params.toObject().SCRIPT_FILENAME!],
  ];

  test.each(looks)('%s, does not keep all that came with them', (_name, look) => {
    const kept: string[] = [];
    const before = held();
    for (let n = 0; n < 1000; n++) {
      const params = new Params(65536);
      const bytes = encodePairs([
        ['REQUEST_METHOD', 'GET'],
        ['REQUEST_URI', `/a/rather/long/path/${n}`],
        ['SCRIPT_FILENAME', `/srv/www/site/index-${n}`],
        ['HTTP_COOKIE', 'x'.repeat(30_000)],
        ['HTTP_USER_AGENT', `a browser of the version ${n}`],
      ]);
      params.add(bytes, 0, bytes.length);
      kept.push(look(params));
    }
    expect(held() - before).toBeLessThan(2_000_000);
    expect(new Set(kept).size).toBe(1000);
  });

  test("nor does the table of headers' names, which learns them", () => {
    const before = held();
    for (let n = 0; n < 1000; n++) {
      const params = new Params(65536);
      const name = `HTTP_X${String(n % 10).repeat(20 + (n % 30))}${n % 100}`;
      const bytes = encodePairs([
        ['REQUEST_METHOD', 'GET'],
        ['HTTP_COOKIE', 'x'.repeat(30_000)],
        [name, 'x'],
      ]);
      params.add(bytes, 0, bytes.length);
      readHead(params, 1000);
    }
    expect(held() - before).toBeLessThan(500_000);
  });

  test('an address, does not keep even a few', async () => {
    const kept: string[] = [];
    const { client } = await door.serve((req, res) => {
      kept.push(req.socket.remoteAddress!, req.socket.localAddress!);
      res.end();
    });
    const ask = (n: number) =>
      client.get({
        params: {
          REMOTE_ADDR: `2001:db8:1234::${n}`,
          SERVER_ADDR: `2001:db8:9876::${n}`,
          HTTP_COOKIE: 'x'.repeat(3500),
        },
      });
    for (let n = 0; n < 50; n++) await ask(n);
    const before = held();
    for (let n = 0; n < 1000; n++) await ask(n);
    expect(held() - before).toBeLessThan(2_000_000);
    expect(kept.at(-2)).toBe('2001:db8:1234::999');
  });
});
