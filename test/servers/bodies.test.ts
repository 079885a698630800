import { once } from 'node:events';
import { rmSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import zlib from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createServer } from '../../src/adapters/create-server.ts';
import { createApp } from '../../src/core/app.ts';
import { Request } from '../../src/core/request.ts';
import { Response } from '../../src/core/response.ts';
import { makeSetCookie } from '../../src/core/set-cookie.ts';
import type { ErrorHandler } from '../../src/core/types.ts';
import { cookies, json, text, urlencoded } from '../../src/middleware/index.ts';
import { type Ask, exchange } from './client.ts';
import { describeWith, type Program, temporaryFolder } from './program.ts';
import { type Site, WAYS } from './proxies.ts';

const app = createApp({ env: 'test' });
app.post('/stdin', async (req, res) => res.json(await req.stdin.json()));
app.post('/form', async (req, res) => res.json(await req.stdin.form()));
app.use(json(), urlencoded({ extended: true }), text(), cookies({ secret: ['new', 'old'] }));
app.post('/', (req, res) => res.json(req.body ?? 'nothing'));
app.get('/', (req, res) => res.json([req.cookies, req.signedCookies]));
app.get('/set', (_req, res) =>
  res.cookie('a', '1').cookie('b', { c: 'd; e' }, { signed: true, httpOnly: true }).clearCookie('__Host-c').send('set'),
);
const refuse: ErrorHandler = (error, _req, res, _next) => {
  const { status, code } = error as { status: number; code: string };
  res.status(status).send(code);
};
app.use(refuse);

const servers = [http.createServer({ IncomingMessage: Request, ServerResponse: Response }, app), createServer(app)];
const folder = temporaryFolder();
let site: Site;
beforeAll(async () => {
  const socket = join(folder, 'app.sock');
  for (const [server, address] of [
    [servers[0]!, { port: 0, host: '127.0.0.1' }],
    [servers[1]!, { path: socket }],
  ] as const) {
    await once(server.listen(address), 'listening');
  }
  site = { socket, http: (servers[0]!.address() as AddressInfo).port };
});
afterAll(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true });
});

const MORE = Buffer.alloc(1024 * 1024 + 1, ' ');
const BOMB = Buffer.alloc(32 * 1024 * 1024, ' ');
const signed = decodeURIComponent(makeSetCookie('user', 'ann', { signed: true, path: '' }, 'old'));

const CASES: [name: string, ask: Ask, answer: string][] = [
  ['JSON', post('{"a":["\u00e9"]}'), '200 {"a":["\u00e9"]}'],
  ['JSON in gzip', post(zlib.gzipSync('{"a":1}'), 'application/json', 'gzip'), '200 {"a":1}'],
  ['JSON in Brotli, by hand', post(zlib.brotliCompressSync('[1]'), 'application/json', 'br', '/stdin'), '200 [1]'],
  ['no JSON', post('{'), '400 FCGI_ERR_BODY_SYNTAX'],
  ['poisoned JSON', post('{"__proto__":1}'), '400 FCGI_ERR_BODY_SYNTAX'],
  ['poisoned JSON, by hand', post('{"__proto__":1}', undefined, undefined, '/stdin'), '400 FCGI_ERR_BODY_SYNTAX'],
  ['too much', post(MORE), '413 FCGI_ERR_BODY_TOO_LARGE'],
  ['too much, by hand', post(MORE, undefined, undefined, '/stdin'), '413 FCGI_ERR_BODY_TOO_LARGE'],
  ['a bomb', post(zlib.gzipSync(BOMB), 'application/json', 'gzip'), '413 FCGI_ERR_BODY_TOO_LARGE'],
  ['a bomb, by hand', post(zlib.gzipSync(BOMB), undefined, 'gzip', '/stdin'), '413 FCGI_ERR_BODY_TOO_LARGE'],
  ['an unknown encoding', post('{}', undefined, 'zip'), '415 FCGI_ERR_BODY_TYPE'],
  ['a nested form', post('a[b]=1&c=%C3%A9', 'application/x-www-form-urlencoded'), '200 {"a":{"b":"1"},"c":"\u00e9"}'],
  ['a form, by hand', post('a=1&a=2', 'application/x-www-form-urlencoded', undefined, '/form'), '200 {"a":["1","2"]}'],
  ['text in its charset', post(Buffer.from([0xe9]), 'text/plain; charset=latin1'), '200 "\u00e9"'],
  ['another type', post('x', 'image/png'), '200 "nothing"'],
  ['cookies', get(`a=1; b=%C3%A9; ${signed}`), '200 [{"a":"1","b":"\u00e9"},{"user":"ann"}]'],
  ['a tampered cookie', get(signed.replace('ann', 'bob')), '200 [{},{"user":false}]'],
];

for (const way of WAYS) {
  describeWith(way.server, `${way.name}: bodies and cookies`, () => {
    let port: number;
    let program: Program | undefined;
    beforeAll(async () => {
      ({ port, program } = await way.open(site));
    });
    afterAll(async () => {
      await program?.stop();
    });

    it.each(CASES)('%s', async (_name, ask, answer) => {
      const { status, body } = await exchange(port, ask);
      expect(`${status} ${Buffer.from(body, 'latin1')}`).toBe(answer);
    });

    it('each cookie that is set has a line', async () => {
      const { headers } = await exchange(port, { path: '/set' });
      expect(headers['set-cookie']).toEqual([
        'a=1; Path=/',
        makeSetCookie('b', { c: 'd; e' }, { signed: true, httpOnly: true }, 'new'),
        '__Host-c=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Secure',
      ]);
    });
  });
}

function post(body: string | Buffer, type = 'application/json', encoding?: string, path = '/'): Ask {
  const headers: Ask['headers'] = [['Content-Type', type]];
  if (encoding) headers.push(['Content-Encoding', encoding]);
  return { method: 'POST', path, headers, body: Buffer.from(body) };
}

function get(cookie: string): Ask {
  return { path: '/', headers: [['Cookie', cookie]] };
}
