import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { App } from './app.ts';
import { type Answer, type Ask, exchange } from './client.ts';
import { caddyDoors, direct, nginxDoors } from './doors.ts';
import { describeWith, type Program } from './program.ts';

/** A request, and what must be in its answer, whichever way it comes. */
interface Case extends Ask {
  name: string;
  status: number;
  answers?: Record<string, string[]>;
  content?: string | RegExp;
}

const MEGABYTE = Buffer.alloc(1 << 20, 'text, and bytes that are none: \0\r\n\xff');
const TEN_MEGABYTES = Buffer.concat(Array(10).fill(MEGABYTE));
const digest = (body: Buffer) =>
  JSON.stringify({ bytes: body.length, sha256: createHash('sha256').update(body).digest('hex') });
const octets: [string, string][] = [['Content-Type', 'application/octet-stream']];

const CASES: Case[] = [
  { name: 'a GET', path: '/hello', status: 200, content: 'Hello World' },
  {
    name: 'a query as it was sent',
    path: '/echo?name=J%C3%BCrgen&a=1&a=2&empty=&plus=a+b&bare',
    status: 200,
    content: /"name":"J\u00c3\u00bcrgen","a":\["1","2"\],"empty":"","plus":"a b","bare":""/,
  },
  { name: 'an empty query', path: '/echo?', status: 200, content: /"originalUrl":"\/echo\?"/ },
  {
    name: 'a percent-encoded path',
    path: '/echo/%C3%BC%20b%2Fc%3Fd?e=%2F',
    status: 200,
    content: /"originalUrl":"\/echo\/%C3%BC%20b%2Fc%3Fd\?e=%2F"/,
  },
  { name: 'doubled slashes', path: '/echo//a//b/', status: 200, content: /"path":"\/\/a\/\/b\/"/ },
  { name: 'reserved characters in a path', path: "/echo/a;b=c,d@e:f&g$h!i'(j)*", status: 200, content: /j\)\*/ },
  {
    name: 'headers, also of the same name',
    path: '/echo',
    headers: [
      ['X-Test-One', '1'],
      ['X-Test-Twice', 'a'],
      ['X-Test-Twice', 'b'],
      ['X-Test-Empty', ''],
      ['X-Test-Latin', 'Gr\u00fc\u00dfe'],
      ['Accept', 'text/html, */*;q=0.1'],
      ['Cookie', 'a=1; b=2'],
    ],
    status: 200,
    content: /\["cookie","a=1; b=2"\].*\["host","site.test:8443"\].*\["x-test-twice","a, b"\]/,
  },
  {
    name: 'a long header',
    path: '/echo',
    headers: [['X-Test-Long', 'long '.repeat(1000).trim()]],
    status: 200,
    content: /(long ){999}long/,
  },
  {
    name: 'a POST of nothing',
    method: 'POST',
    path: '/body',
    body: Buffer.alloc(0),
    status: 200,
    content: digest(Buffer.alloc(0)),
  },
  {
    name: 'a POST of 1 MB',
    method: 'POST',
    path: '/body',
    headers: octets,
    body: MEGABYTE,
    status: 200,
    content: digest(MEGABYTE),
  },
  {
    name: 'a POST of 10 MB',
    method: 'POST',
    path: '/body',
    headers: octets,
    body: TEN_MEGABYTES,
    status: 200,
    content: digest(TEN_MEGABYTES),
  },
  // With a type of its own: where there is none, Caddy makes up application/x-www-form-urlencoded.
  {
    name: 'other methods',
    method: 'DELETE',
    path: '/echo',
    headers: octets,
    status: 200,
    content: /"method":"DELETE"/,
  },
  { name: 'OPTIONS', method: 'OPTIONS', path: '/hello', status: 200, answers: { allow: ['GET, HEAD'] } },
  { name: 'a HEAD', method: 'HEAD', path: '/hello', status: 200, answers: { 'content-length': ['11'] }, content: '' },
  { name: '204', path: '/empty', status: 204, content: '' },
  { name: 'an ETag', path: '/etag', status: 200, answers: { etag: ['"one"'] }, content: 'only once' },
  {
    name: '304',
    path: '/etag',
    headers: [['If-None-Match', '"one"']],
    status: 304,
    answers: { etag: ['"one"'] },
    content: '',
  },
  { name: 'a redirect', path: '/redirect', status: 302, answers: { location: ['/hello?from=redirect'] } },
  {
    name: 'a redirect elsewhere',
    path: '/redirect-away',
    status: 301,
    answers: { location: ['https://example.org/a%20b?c=d'] },
  },
  { name: 'an uncommon status', path: '/status', status: 418, content: 'short and stout' },
  {
    name: 'several Set-Cookie and other repeated headers',
    path: '/cookies',
    status: 200,
    answers: {
      'set-cookie': ['a=1; Path=/', 'b=2; HttpOnly', 'c=x, y; Expires=Thu, 01 Jan 2037 00:00:00 GMT'],
      'x-many': ['one', 'two'],
      'x-latin': ['Gr\u00fc\u00dfe'],
      vary: ['Accept'],
    },
  },
  { name: '404', path: '/nowhere', status: 404 },
  { name: 'an error before the head', path: '/throw', status: 500 },
];

const CHUNKED: Case[] = [
  {
    name: 'a POST of nothing without a length',
    method: 'POST',
    path: '/body',
    body: Buffer.alloc(0),
    chunked: true,
    status: 200,
    content: digest(Buffer.alloc(0)),
  },
  {
    name: 'a POST of 1 MB without a length',
    method: 'POST',
    path: '/body',
    headers: octets,
    body: MEGABYTE,
    chunked: true,
    status: 200,
    content: digest(MEGABYTE),
  },
  {
    name: 'a POST of 10 MB without a length',
    method: 'POST',
    path: '/body',
    headers: octets,
    body: TEN_MEGABYTES,
    chunked: true,
    status: 200,
    content: digest(TEN_MEGABYTES),
  },
];

let app: App;
beforeAll(async () => {
  app = await App.start();
});
afterAll(() => app?.program.stop());

for (const door of [direct, ...nginxDoors, ...caddyDoors]) {
  describeWith(door.server, `${door.name} answers`, () => {
    let port: number;
    let program: Program | undefined;
    beforeAll(async () => {
      ({ port, program } = await door.open(app));
    });
    afterAll(async () => {
      await program?.stop();
    });

    it.each([...CASES, ...CHUNKED])('$name', async (asked) => {
      const answer = await exchange(port, asked);
      expect(answer.status).toBe(asked.status);
      expect(answer.headers).toMatchObject(asked.answers ?? {});
      if (typeof asked.content === 'string') expect(answer.body).toBe(asked.content);
      else if (asked.content) expect(answer.body).toMatch(asked.content);
      expect(answer).toEqual(await straight(asked));
    });
  });
}

const known = new Map<Case, Answer>();

/** What the app answers without a web server. */
async function straight(asked: Case): Promise<Answer> {
  const answer = known.get(asked) ?? (await exchange(app.http, asked));
  known.set(asked, answer);
  return answer;
}
