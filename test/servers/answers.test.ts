import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { App } from './app.ts';
import { type Answer, type Ask, exchange, statusOf } from './client.ts';
import { doors } from './doors.ts';
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
  // As editors and Apache name what is not to be read by everybody.
  { name: 'a path like that of a file to be hidden', path: '/echo/.htaccess/x.inc~', status: 200, content: /inc~/ },
  { name: 'reserved characters in a path', path: "/echo/a;b=c,d@e:f&g$h!i'(j)*", status: 200, content: /j\)\*/ },
  {
    name: 'headers, also of the same name',
    path: '/echo',
    headers: [
      ['X-Test-One', '1'],
      ['X-Test-Twice', 'a'],
      ['X-Test-Twice', 'b'],
      ['X-Test-Latin', 'Gr\u00fc\u00dfe'],
      ['Accept', 'text/html, */*;q=0.1'],
      ['Cookie', 'a=1; b=2'],
    ],
    status: 200,
    content: /\["cookie","a=1; b=2"\].*\["host","site.test:8443"\].*\["x-test-twice","a, b"\]/,
  },
  {
    name: 'credentials',
    path: '/echo',
    headers: [['Authorization', 'Basic YTpi']],
    status: 200,
    content: /\["authorization","Basic YTpi"\]/,
  },
  {
    name: 'a long header',
    path: '/echo',
    headers: [['X-Test-Long', 'long '.repeat(1000).trim()]],
    status: 200,
    content: /(long ){999}long/,
  },
  {
    name: 'a name and a password that nobody has checked: passed on, and no REMOTE_USER',
    path: '/who',
    headers: [['Authorization', 'Basic YW5uYTpndWVzcw==']],
    status: 200,
    content: '{"user":null,"told":"Basic YW5uYTpndWVzcw=="}',
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
    name: 'several Set-Cookie',
    path: '/cookies',
    status: 200,
    answers: {
      'set-cookie': ['a=1; Path=/', 'b=2; HttpOnly', 'c=x, y; Expires=Thu, 01 Jan 2037 00:00:00 GMT'],
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

for (const door of doors) {
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
      const exchanged = exchange(port, asked);
      if (door.needsLength && asked.chunked && asked.body?.length) {
        expect(await statusOf(exchanged)).toBeOneOf(door.closesEarly ? [411, 'broken off'] : [411]);
        return;
      }
      const answer = await exchanged;
      expect(answer.status).toBe(asked.status);
      expect(answer.headers).toMatchObject(asked.answers ?? {});
      if (typeof asked.content === 'string') expect(answer.body).toBe(asked.content);
      else if (asked.content) expect(answer.body).toMatch(asked.content);
      const expected = await straight(asked);
      const length = door.measures304 && asked.status === 304 && { 'content-length': ['0'] };
      expect(answer).toEqual({ ...expected, headers: { ...expected.headers, ...length } });
    });

    it('a header without a value, if the web server lets it through', async () => {
      const { body } = await exchange(port, { path: '/echo', headers: [['X-Test-Empty', '']] });
      const { headers } = JSON.parse(body);
      if (door.dropsEmptyHeaders) expect(headers).not.toContainEqual(['x-test-empty', '']);
      else expect(headers).toContainEqual(['x-test-empty', '']);
    });

    it('a path that ends as a file in some language, which the web server may tell', async () => {
      const { headers } = await exchange(port, { path: '/echo/x.en' });
      expect(headers['content-language']).toEqual(door.namesLanguage ? ['en'] : undefined);
    });

    it('with headers of the same name, which the web server may join', async () => {
      const { headers } = await exchange(port, { path: '/many' });
      expect(headers['x-many']).toEqual(door.joinsHeaders ? ['one, two'] : ['one', 'two']);
    });

    it('with the variables of CGI/1.1', async () => {
      const { body } = await exchange(port, { path: '/env/a%20b?c=%41' });
      const { SCRIPT_NAME, PATH_INFO = '', REMOTE_PORT, HTTPS = '', ...env } = JSON.parse(body);
      // Either of them: nowhere is a part of the path the name of a program.
      expect([SCRIPT_NAME, PATH_INFO].toSorted()).toEqual(['', '/env/a b']);
      expect(Number(REMOTE_PORT)).toBeGreaterThan(0);
      expect(HTTPS).toBe('');
      expect(env).toMatchObject({
        GATEWAY_INTERFACE: 'CGI/1.1',
        REQUEST_METHOD: 'GET',
        REQUEST_URI: '/env/a%20b?c=%41',
        QUERY_STRING: door.decodesQuery ? 'c=A' : 'c=%41',
        REMOTE_ADDR: '127.0.0.1',
        SERVER_NAME: door.serverName ?? 'site.test',
        SERVER_PROTOCOL: 'HTTP/1.1',
      });
    });

    it('a path in bare UTF-8, which node:http refuses and the web servers let through', async () => {
      const { status, body } = await exchange(port, { path: Buffer.from('/echo/\u00fc').toString('latin1') });
      if (door.refusesTarget) {
        expect(status).toBe(400);
      } else {
        const { originalUrl } = JSON.parse(Buffer.from(body, 'latin1').toString());
        expect(originalUrl).toBe(door.encodesTarget ? '/echo/%C3%BC' : '/echo/\u00c3\u00bc');
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
