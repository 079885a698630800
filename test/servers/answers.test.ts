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
      vary: ['Accept'],
    },
  },
  { name: '404', path: '/nowhere', status: 404 },
  { name: 'an error before the head', path: '/throw', status: 500 },
];

const UPLOADS: Case[] = [0, 1, 10].flatMap((megabytes) => {
  const body = Buffer.alloc(megabytes << 20, 'text, and bytes that are none: \0\r\n\xff');
  const content = JSON.stringify({ bytes: body.length, sha256: createHash('sha256').update(body).digest('hex') });
  const upload = { method: 'POST', path: '/body', headers: octets, body, status: 200, content };
  return [
    { ...upload, name: `a POST of ${megabytes} MB` },
    { ...upload, name: `a POST of ${megabytes} MB without a Content-Length`, chunked: true },
  ];
});

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

    it.each([...CASES, ...UPLOADS])('$name', async (asked) => {
      const answer = await exchange(port, asked);
      if (door.needsLength && asked.chunked && asked.body?.length) {
        expect(answer.status).toBe(411);
        return;
      }
      expect(answer.status).toBe(asked.status);
      expect(answer.headers).toMatchObject(asked.answers ?? {});
      if (typeof asked.content === 'string') expect(answer.body).toBe(asked.content);
      else if (asked.content) expect(answer.body).toMatch(asked.content);
      expect(answer).toEqual(await straight(asked));
    });

    it('a path in bare UTF-8, which node:http refuses and the web servers let through', async () => {
      const { status, body } = await exchange(port, { path: Buffer.from('/echo/\u00fc').toString('latin1') });
      if (door === direct) {
        expect(status).toBe(400);
      } else {
        const { originalUrl } = JSON.parse(Buffer.from(body, 'latin1').toString());
        expect(originalUrl).toBe(door.server === 'nginx' ? '/echo/\u00c3\u00bc' : '/echo/%C3%BC');
      }
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
