import { afterEach, expect, test } from 'vitest';
import { encodeBeginRequest, encodeRecord } from '../../../src/adapters/fastcgi/records.ts';
import type { Request } from '../../../src/core/request.ts';
import { codesOf, Door, encodeRequest, eventually } from './client.ts';

const door = new Door();

afterEach(() => door.close());

test('CVE-2016-5385 (httpoxy): HTTP_PROXY is no header, not in env, and no parameter reaches process.env', async () => {
  const before = { ...process.env };
  const { client } = await door.serve((req, res) => {
    const { env } = req as Request;
    res.end(
      JSON.stringify({ headers: req.headers, raw: req.rawHeaders, proxy: env.HTTP_PROXY, has: 'HTTP_PROXY' in env }),
    );
  });
  const answer = await client.get({ params: { HTTP_PROXY: 'http://evil', HTTP_HOST: 'x', FCGI_MARK: 'y' } });
  expect(JSON.parse(answer.text)).toEqual({ headers: { host: 'x' }, raw: ['Host', 'x'], has: false });
  expect({ ...process.env }).toEqual(before);
});

test('CVE-2025-23016 (libfcgi, ReadParams): lengths that overflow or overrun are refused before anything is read', async () => {
  const { server, client } = await door.serve((_req, res) => res.end());
  const codes = codesOf(server);
  const lengths = [
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    [0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
    [0xff, 0xff, 0xff, 0xff],
    [0x7f, 0x7f, 65],
    [0x80],
  ];
  let id = 0;
  for (const bytes of lengths) {
    id++;
    client.send(encodeBeginRequest(id, 1, 1), encodeRecord(4, id, Buffer.from(bytes)), encodeRecord(4, id));
    expect((await client.answer(id)).status).toBe(400);
  }
  expect(codes).toEqual(lengths.map(() => 'FCGI_ERR_PARAMS'));
});

test('fcgi2#13 (8 KiB of parameters): names and values of every length at which others broke', async () => {
  const { client } = await door.serve((req, res) => res.end((req as Request).env.VALUE));
  for (const length of [0, 1, 127, 128, 129, 8191, 8192, 8193, 65534, 65535, 65536, 100_000]) {
    const value = 'v'.repeat(length);
    expect((await client.get({ params: { VALUE: value } })).text).toBe(value);
  }
});

test('caddy#4574 (NUL in a path): a request with one is answered with 400', async () => {
  const { client } = await door.serve((_req, res) => res.end());
  expect((await client.get({ params: { REQUEST_URI: '/index.php\0.jpg' } })).status).toBe(400);
});

test('GHSA-f59h-q822-g45g (aliases of headers): what only resembles REMOTE_USER is never taken for it', async () => {
  const { client } = await door.serve((req, res) =>
    res.end(JSON.stringify([(req as Request).env.REMOTE_USER, req.headers])),
  );
  const params = { HTTP_REMOTE_USER: 'admin', 'HTTP_REMOTE.USER': 'admin', Remote_User: 'admin' };
  expect(JSON.parse((await client.get({ params })).text)).toEqual([null, { 'remote-user': 'admin' }]);
});

test('golang#81548 (unfinished requests): BEGINs without end are bounded, refused ones hold nothing', async () => {
  const { server, client } = await door.serve((_req, res) => res.end(), { maxRequestsPerConnection: 10 });
  const codes = codesOf(server);
  for (let id = 1; id <= 5000; id++) client.begin(id);
  const last = await client.answer(5000);
  expect(last.status).toBe(503);
  expect(server.live).toBe(10);
  expect(new Set(codes)).toEqual(new Set(['FCGI_ERR_OVERLOADED']));
  client.destroy();
  await eventually(() => expect(server.live).toBe(0));
});

test('golang#43901 (deadlock): a handler that never reads its body holds up no other request', async () => {
  const { client } = await door.serve((req, res) => {
    if (req.url === '/') res.end('fine');
  });
  client.begin(2).params(2, { REQUEST_METHOD: 'POST', REQUEST_URI: '/stuck' }).stdin(2, Buffer.alloc(5_000_000));
  expect((await client.get({ id: 4 })).text).toBe('fine');
});

test('golang#4183 (answer lost): one that comes before the body is read arrives, though the body goes on', async () => {
  const { client } = await door.serve((_req, res) => res.writeHead(413).end('too large'));
  client.begin(1, 1, 0).params(1, { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '30000000' });
  client.stdin(1, Buffer.alloc(30_000_000)).stdinEnd();
  await client.closed;
  expect(client.exchange()).toMatchObject({ status: 413, text: 'too large', ends: 1 });
});

test('caddy#5420 (a body that stops short): a closed connection fails it, whoever waits is told', async () => {
  const failed: Promise<unknown>[] = [];
  const { server, client } = await door.serve((req) => {
    failed.push((req as Request).text().catch((error) => error.code));
  });
  client.begin().params(1, { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '100' }).stdin(1, 'short');
  await eventually(() => expect(failed.length).toBe(1));
  client.socket.end();
  expect(await failed[0]).toBe('ECONNRESET');
  expect(server.live).toBe(0);
});

test('h2o#427 (cookies joined): each Set-Cookie has a line of its own', async () => {
  const { client } = await door.serve((_req, res) => res.setHeader('Set-Cookie', ['a=1', 'b=2; Path=/']).end());
  expect((await client.get()).head).toEqual(expect.arrayContaining(['Set-Cookie: a=1', 'Set-Cookie: b=2; Path=/']));
});

test('response splitting: a line end in a header or a reason is refused', async () => {
  const { client } = await door.serve((_req, res) => {
    const refused: unknown[] = [];
    for (const attempt of [
      () => res.setHeader('X-A', 'a\r\nSet-Cookie: evil=1'),
      () => res.setHeader('X\r\nY', 'a'),
      () => res.writeHead(200, 'OK\r\nSet-Cookie: evil=1'),
      () => res.writeHead(200, { 'X-A': 'a\nb' }),
    ]) {
      try {
        attempt();
      } catch (error) {
        refused.push((error as NodeJS.ErrnoException).code);
      }
    }
    res.statusMessage = 'OK';
    res.end(JSON.stringify(refused));
  });
  const { head, text } = await client.get();
  expect(head.join()).not.toContain('evil');
  expect(JSON.parse(text)).toEqual([
    'ERR_INVALID_CHAR',
    'ERR_INVALID_HTTP_TOKEN',
    'ERR_INVALID_CHAR',
    'ERR_INVALID_CHAR',
  ]);
});

test('haproxy#743 (STDERR before the head made a 502): the head is always first', async () => {
  const { client } = await door.serve((_req, res) => {
    (res as unknown as { stderr: NodeJS.WritableStream }).stderr.write('warning\n');
    res.end('x');
  });
  const { records, stderr } = await client.get();
  expect(records[0]!.content.toString()).toMatch(/^Status: 200/);
  expect(stderr).toBe('warning\n');
});

test('HAProxy 2.6 (a head in pieces crashed it): it is never cut, whatever the application writes', async () => {
  const { client } = await door.serve((_req, res) => {
    for (let n = 0; n < 500; n++) res.setHeader(`X-Header-${n}`, 'v'.repeat(50));
    res.flushHeaders();
    setImmediate(() => res.end('x'));
  });
  const { records } = await client.get();
  expect(records[0]!.content.toString()).toMatch(/^Status: 200 OK\r\n[\s\S]*X-Header-499: v{50}\r\n[\s\S]*\r\n\r\n$/);
});

test('a late ABORT_REQUEST brings no second END_REQUEST', async () => {
  const { client } = await door.serve((_req, res) => res.end());
  for (let n = 0; n < 50; n++) {
    client.renew();
    client.request().abort();
    await client.answer();
    await client.get({ id: 2 });
    expect(client.exchange(1).ends).toBe(1);
  }
});

test('a connection of another protocol is closed without an answer', async () => {
  const { client } = await door.serve((_req, res) => res.end());
  client.send(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc]), encodeRequest());
  await client.closed;
  expect(client.exchanges.size).toBe(0);
});
