import { once } from 'node:events';
import fs from 'node:fs';
import type { IncomingMessage, RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  FCGI_AUTHORIZER,
  FCGI_END_REQUEST,
  FCGI_GET_VALUES_RESULT,
  FCGI_MAX_CONNS,
  FCGI_MAX_REQS,
  FCGI_MPXS_CONNS,
  FCGI_REQUEST_COMPLETE,
  FCGI_UNKNOWN_ROLE,
  FCGI_UNKNOWN_TYPE,
} from '../../../src/adapters/fastcgi/constants.ts';
import { decodePairs } from '../../../src/adapters/fastcgi/pairs.ts';
import {
  encodeBeginRequest,
  encodeEndRequest,
  encodeGetValues,
  encodeRecord,
} from '../../../src/adapters/fastcgi/records.ts';
import { type Client, codesOf, Door, encodeRequest, eventually, held } from './client.ts';
import { seeded } from './random.ts';

const door = new Door();

afterEach(() => door.close());

/** Answers with the body it got, or with the path. */
const echo: RequestListener = async (req, res) => {
  const body = await buffer(req).catch(() => undefined);
  if (body !== undefined) res.end(body.length > 0 ? body : req.url);
};

describe('bytes that are no FastCGI', () => {
  test.each([
    ['a wrong version byte', [Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')], 'FCGI_ERR_VERSION'],
    ['a record of the management with a request id', [Buffer.from([1, 9, 0, 1, 0, 0, 0, 0])], 'FCGI_ERR_RECORD'],
    ['a stream without a request id', [Buffer.from([1, 4, 0, 0, 0, 0, 0, 0])], 'FCGI_ERR_RECORD'],
    ['a BEGIN_REQUEST of the wrong length', [encodeRecord(1, 1, Buffer.alloc(7))], 'FCGI_ERR_RECORD'],
    ['END_REQUEST, which is for us to send', [encodeEndRequest(1, 0, 0)], 'FCGI_ERR_RECORD'],
    [
      'STDOUT, which is for us to send',
      [encodeBeginRequest(1, 1, 0), encodeRecord(6, 1, Buffer.from('x'))],
      'FCGI_ERR_RECORD',
    ],
    ['GET_VALUES_RESULT, which is for us to send', [encodeRecord(10, 0)], 'FCGI_ERR_RECORD'],
    ['GET_VALUES whose pairs overrun', [encodeRecord(9, 0, Buffer.from([9, 9, 65]))], 'FCGI_ERR_PARAMS'],
  ])('%s closes the connection with a clear error', async (_what, bytes, code) => {
    const { server, client } = await door.serve(echo);
    const codes = codesOf(server);
    client.send(...bytes);
    await client.closed;
    expect(codes).toEqual([code]);
    await eventually(() => expect(server.live).toBe(0));
  });

  test('a truncated record is told, and aborts its request', async () => {
    const requests = held();
    const { server, client } = await door.serve(requests.listener);
    const codes = codesOf(server);
    client
      .begin()
      .params(1, { CONTENT_LENGTH: '10' })
      .send(Buffer.from([1, 5, 0, 1, 0, 10, 0, 0, 65, 66]));
    const { req } = await requests.of('/');
    req.on('error', () => {});
    client.socket.end();
    await once(req, 'aborted');
    await client.closed;
    expect(codes).toEqual(['FCGI_ERR_TRUNCATED']);
    expect(server.live).toBe(0);
  });

  test('an answer given before them still leaves', async () => {
    const { client } = await door.serve((_req, res) => res.end('before'));
    client.send(encodeRequest(), Buffer.from('garbage!'));
    expect((await client.answer()).text).toBe('before');
    await client.closed;
  });
});

describe('records out of place', () => {
  test('a second BEGIN_REQUEST for a live id closes the connection with a clear error', async () => {
    const requests = held();
    const { server, client } = await door.serve(requests.listener);
    const codes = codesOf(server);
    client.request();
    const { res } = await requests.of('/');
    client.begin();
    await once(res, 'close');
    await client.closed;
    expect(codes).toEqual(['FCGI_ERR_DUPLICATE_ID']);
  });

  test('those for an id never begun are ignored, and harm nobody', async () => {
    const { server, client } = await door.serve(echo);
    const codes = codesOf(server);
    client.params(7).stdin(7, 'lost').stdinEnd(7).data(7, 'lost').dataEnd(7).abort(7);
    client.send(encodeRecord(6, 7, Buffer.from('x')));
    expect((await client.get({ body: 'kept' })).text).toBe('kept');
    expect([...client.exchanges.keys()]).toEqual([1]);
    expect(codes).toEqual([]);
  });

  test.each([
    ['parameters after their end', (client: Client) => client.params(1, { CONTENT_LENGTH: '3' }).params()],
    ['a body before the end of the parameters', (client: Client) => client.stdin(1, 'abc')],
    ['the end of a body before that of the parameters', (client: Client) => client.stdinEnd()],
  ])('%s are answered with 400, the connection goes on', async (_what, send) => {
    const { server, client } = await door.serve(echo);
    const codes = codesOf(server);
    send(client.begin());
    const { status, end } = await client.answer();
    expect([status, end]).toEqual([400, { appStatus: 0, protocolStatus: FCGI_REQUEST_COMPLETE }]);
    expect(codes).toEqual(['FCGI_ERR_BAD_REQUEST']);
    expect((await client.get({ id: 2 })).status).toBe(200);
    expect(server.live).toBe(0);
  });

  test('a management record of unknown type is answered with UNKNOWN_TYPE', async () => {
    const { client } = await door.serve(echo);
    client.send(encodeRecord(99, 0, Buffer.from('what?')));
    await client.until(() => client.management.length > 0);
    expect(client.management).toEqual([{ type: FCGI_UNKNOWN_TYPE, content: Buffer.from([99, 0, 0, 0, 0, 0, 0, 0]) }]);
    expect((await client.get()).status).toBe(200);
  });

  test('an application record of unknown type is skipped', async () => {
    const { client } = await door.serve(echo);
    client
      .begin()
      .send(encodeRecord(99, 1, Buffer.from('what?')))
      .params()
      .stdinEnd();
    expect((await client.answer()).text).toBe('/');
    expect(client.management).toEqual([]);
  });

  test('an unknown role gets a real answer, and UNKNOWN_ROLE', async () => {
    const { server, client } = await door.serve(echo);
    const { status, end } = await client.get({ role: 4 });
    expect([status, end?.protocolStatus]).toEqual([503, FCGI_UNKNOWN_ROLE]);
    expect(server.live).toBe(0);
    expect((await client.get({ id: 2 })).status).toBe(200);
  });

  test('GET_VALUES answers with those of the variables asked for that are known', async () => {
    const { client } = await door.serve(echo, { maxRequests: 7, maxConnections: Number.POSITIVE_INFINITY });
    client.send(encodeGetValues(['FCGI_MAX_REQS', 'FCGI_MPXS_CONNS', 'NO_SUCH', 'FCGI_MAX_CONNS']));
    await client.until(() => client.management.length > 0);
    const [{ type, content }] = client.management as [{ type: number; content: Buffer }];
    expect(type).toBe(FCGI_GET_VALUES_RESULT);
    expect(Object.fromEntries(decodePairs(content))).toEqual({
      FCGI_MAX_REQS: '7',
      FCGI_MPXS_CONNS: '1',
      FCGI_MAX_CONNS: '2147483647',
    });
  });

  test('GET_VALUES promises no more requests than one connection may have', async () => {
    const { client } = await door.serve(echo, { maxRequests: 7, maxRequestsPerConnection: 3 });
    client.send(encodeGetValues(['FCGI_MAX_REQS']));
    await client.until(() => client.management.length > 0);
    const [{ content }] = client.management as unknown as [{ content: Buffer }];
    expect(decodePairs(content)).toEqual([['FCGI_MAX_REQS', '3']]);
  });
});

describe('parameters', () => {
  test('over the limit in bytes are answered with 431', async () => {
    const { server, client } = await door.serve(echo, { maxParamsBytes: 1000 });
    const codes = codesOf(server);
    expect((await client.get({ params: { HTTP_COOKIE: 'x'.repeat(2000) } })).status).toBe(431);
    expect(codes).toEqual(['FCGI_ERR_PARAMS_TOO_LARGE']);
    expect((await client.get({ id: 2 })).status).toBe(200);
  });

  test('over the limit in number are answered with 431', async () => {
    const { server, client } = await door.serve(echo, { maxParamsCount: 5 });
    const codes = codesOf(server);
    const params = { A: '1', B: '2', C: '3' };
    expect((await client.get({ params })).status).toBe(431);
    expect(codes).toEqual(['FCGI_ERR_PARAMS_TOO_MANY']);
    expect((await client.get({ id: 2 })).status).toBe(200);
  });

  test('whose length overruns them are answered with 400', async () => {
    const { server, client } = await door.serve(echo);
    const codes = codesOf(server);
    client
      .begin()
      .send(encodeRecord(4, 1, Buffer.from([0x8f, 0xff, 0xff, 0xff, 1, 65])))
      .send(encodeRecord(4, 1));
    expect((await client.answer()).status).toBe(400);
    expect(codes).toEqual(['FCGI_ERR_PARAMS']);
    expect((await client.get({ id: 2 })).status).toBe(200);
  });

  test('cut anywhere, also within a pair, are put together', async () => {
    const { client } = await door.serve((req, res) => res.end(`${req.url} ${req.headers.cookie}`));
    const cookie = 'c'.repeat(200);
    const bytes = encodeRequest({ params: { REQUEST_URI: '/cut', HTTP_COOKIE: cookie } });
    const length = bytes.readUInt16BE(20);
    client.send(bytes.subarray(0, 16));
    for (let at = 24; at < 24 + length; at++) client.send(encodeRecord(4, 1, bytes.subarray(at, at + 1)));
    client.send(encodeRecord(4, 1)).stdinEnd();
    expect((await client.answer()).text).toBe(`/cut ${cookie}`);
  });
});

describe('a body', () => {
  test('longer than its CONTENT_LENGTH is refused with 400, and whoever reads it is told', async () => {
    const told: string[] = [];
    const { server, client } = await door.serve((req, res) => {
      req.resume().on('error', (error) => told.push((error as NodeJS.ErrnoException).code!));
      req.on('end', () => res.end('next'));
    });
    const codes = codesOf(server);
    client.begin().params(1, { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '3' }).stdin(1, 'abcd');
    expect((await client.answer()).status).toBe(400);
    expect(codes).toEqual(['FCGI_ERR_BODY_OVERRUN']);
    await eventually(() => expect(told).toEqual(['FCGI_ERR_BODY_OVERRUN']));
    expect((await client.stdinEnd().get({ id: 2 })).text).toBe('next');
  });

  test('shorter than its CONTENT_LENGTH is refused with 400, and whoever reads it is told', async () => {
    const { server, client } = await door.serve((req) => {
      req.resume().on('error', () => {});
    });
    const codes = codesOf(server);
    expect((await client.get({ body: 'abc', params: { CONTENT_LENGTH: '4' } })).status).toBe(400);
    expect(codes).toEqual(['FCGI_ERR_BODY_UNDERRUN']);
    expect(server.live).toBe(0);
  });

  test('shorter or longer than its CONTENT_LENGTH breaks off an answer already begun', async () => {
    for (const [body, length] of [
      ['abc', '4'],
      ['abcd', '3'],
    ] as const) {
      const { client } = await door.serve((req, res) => {
        req.on('error', () => {});
        res.write('begun');
      });
      client.request({ body, params: { CONTENT_LENGTH: length } });
      await client.until(() => client.broken);
      expect(client.exchange().ends).toBe(0);
    }
  });

  test('of no bytes ends with the parameters, for HAProxy does not always say that it does', async () => {
    const { server, client } = await door.serve(echo);
    client.begin().params(1, { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '0' });
    expect((await client.answer()).status).toBe(200);
    expect(server.live).toBe(0);
    expect((await client.stdinEnd().get({ id: 2 })).status).toBe(200);
  });

  test('over the limit is refused with 413: by its CONTENT_LENGTH before it is sent, else when it comes', async () => {
    const { server, client } = await door.serve(echo, { maxBodyBytes: 10 });
    const codes = codesOf(server);
    client.begin().params(1, { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '11' });
    expect((await client.answer()).status).toBe(413);
    client.begin(2).params(2, { REQUEST_METHOD: 'POST' }).stdin(2, '0123456').stdin(2, '789a');
    expect((await client.answer(2)).status).toBe(413);
    expect(codes).toEqual(['FCGI_ERR_BODY_TOO_LARGE', 'FCGI_ERR_BODY_TOO_LARGE']);
    expect((await client.get({ id: 3, body: '0123456789' })).text).toBe('0123456789');
  });

  test('without a CONTENT_LENGTH is announced as chunked, and ends with STDIN', async () => {
    const { client } = await door.serve(async (req, res) => {
      res.end(`${req.headers['transfer-encoding']} ${req.headers['content-length']} ${await text(req)}`);
    });
    const { text: answer } = await client.get({ body: 'abc', params: { CONTENT_LENGTH: undefined } });
    expect(answer).toBe('chunked undefined abc');
  });

  test('that is not there is not announced', async () => {
    const { client } = await door.serve((req, res) => res.end(JSON.stringify(req.headers)));
    expect((await client.get({ params: { CONTENT_LENGTH: '', CONTENT_TYPE: '' } })).text).toBe('{}');
  });

  test('that nobody reads leaves the request complete and closed', async () => {
    const closed: Promise<unknown>[] = [];
    const { client } = await door.serve((req, res) => {
      closed.push(once(req, 'close').then(() => req.complete));
      res.end('early');
    });
    for (const length of ['0', '3', undefined]) {
      await client.get({ body: length === '0' ? '' : 'abc', params: { CONTENT_LENGTH: length } });
    }
    expect(await Promise.all(closed)).toEqual([true, true, true]);
  });

  test('that is still read when the answer has left, comes to its end', async () => {
    let body: Promise<string> | undefined;
    const { client } = await door.serve((req, res) => {
      body = text(req);
      res.end('early');
    });
    client.begin().params(1, { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '6' }).stdin(1, 'abc');
    expect((await client.answer()).text).toBe('early');
    client.stdin(1, 'def').stdinEnd();
    expect(await body).toBe('abcdef');
    expect((await client.get()).text).toBe('early');
  });

  test.each([
    ['the web server closes', (client: Client) => client.socket.end()],
    ['the web server uses its id for another', (client: Client) => client.request()],
    ['the web server aborts it', (client: Client) => client.abort()],
  ])('that is still read when the answer has left, fails when %s', async (_what, act) => {
    const failed: Promise<unknown>[] = [];
    const { client } = await door.serve((req, res) => {
      failed.push(
        text(req).then(
          () => 'complete',
          (error) => error.code,
        ),
      );
      res.end('early');
    });
    client.begin().params(1, { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '6' }).stdin(1, 'abc');
    await client.answer();
    act(client);
    expect(await failed[0]).toBe('ECONNRESET');
  });
});

describe('roles', () => {
  const authorize: RequestListener = async (req, res) => res.end(`allowed ${await text(req)}`);

  test('an Authorizer is answered without any STDIN record', async () => {
    const { client } = await door.serve(authorize);
    client.begin(1, FCGI_AUTHORIZER).params();
    expect((await client.answer()).text).toBe('allowed ');
  });

  test('an Authorizer is answered once, with an empty STDIN record and with a late body', async () => {
    const { server, client } = await door.serve(authorize);
    expect((await client.get({ role: FCGI_AUTHORIZER })).text).toBe('allowed ');
    client.begin(2, FCGI_AUTHORIZER).params(2, { CONTENT_LENGTH: '3' });
    expect((await client.answer(2)).text).toBe('allowed ');
    client.stdin(2, 'late').stdinEnd(2);
    expect((await client.get({ id: 3, role: FCGI_AUTHORIZER, body: 'not for it' })).text).toBe('allowed ');
    expect([client.exchange(1).ends, client.exchange(2).ends, client.exchange(3).ends]).toEqual([1, 1, 1]);
    expect(server.live).toBe(0);
  });
});

describe('FCGI_KEEP_CONN', () => {
  test('set, one connection serves request after request under one id', async () => {
    const { client } = await door.serve(echo);
    for (let n = 0; n < 20; n++) expect((await client.get({ body: `body ${n}` })).text).toBe(`body ${n}`);
  });

  test('not set, the connection is closed behind the answer', async () => {
    const { client } = await door.serve(echo);
    client.request({ flags: 0, body: 'x'.repeat(1_000_000) });
    await client.closed;
    expect(client.exchange().text.length).toBe(1_000_000);
    expect(client.exchange().ends).toBe(1);
  });

  test('not set, whatever is begun behind it reaches nobody', async () => {
    const urls: string[] = [];
    const { server, client } = await door.serve((req, res) => {
      urls.push(req.url!);
      res.end('x');
    });
    client.socket.allowHalfOpen = true;
    client.request({ flags: 0 });
    await once(client.socket, 'end');
    client.request({ id: 2, params: { REQUEST_URI: '/late' } });
    client.socket.end();
    await client.left;
    expect(urls).toEqual(['/']);
    expect(server.live).toBe(0);
  });
});

describe('multiplexing', () => {
  test('hundreds of interleaved requests with bodies are answered each with its own', async () => {
    const { server, client } = await door.serve(echo, { maxRequestsPerConnection: 400 });
    const random = seeded(1);
    const count = 400;
    const rest = new Map<number, Buffer>();
    for (let n = 0; n < count; n++) {
      const id = n === 0 ? 65535 : n;
      const body = Buffer.alloc(1 + random(3000), `${id} `);
      client.begin(id).params(id, { REQUEST_METHOD: 'POST', CONTENT_LENGTH: String(body.length) });
      rest.set(id, body);
    }
    const bodies = new Map(rest);
    while (rest.size > 0) {
      const id = [...rest.keys()][random(rest.size)]!;
      const body = rest.get(id)!;
      const size = 1 + random(2000);
      client.stdin(id, body.subarray(0, size));
      if (body.length > size) rest.set(id, body.subarray(size));
      else {
        rest.delete(id);
        client.stdinEnd(id);
      }
    }
    for (const [id, body] of bodies) {
      const answer = await client.answer(id);
      expect(answer.body.equals(body)).toBe(true);
      expect(answer.ends).toBe(1);
    }
    expect(server.live).toBe(0);
  });

  test('a body that nobody reads yet holds up no neighbour, and arrives whole', async () => {
    const requests = held();
    const { client } = await door.serve(requests.listener, { maxBufferedBytes: 64 * 1024 });
    const body = Buffer.alloc(8 * 1024 * 1024, 'a slow reader ');
    client.begin(2).params(2, { REQUEST_URI: '/slow', REQUEST_METHOD: 'POST' }).stdin(2, body).stdinEnd(2);
    client.request({ id: 4, params: { REQUEST_URI: '/fast' } });
    (await requests.of('/fast')).res.end('fast');
    expect((await client.answer(4)).text).toBe('fast');
    const slow = await requests.of('/slow');
    const heapBefore = process.memoryUsage().arrayBuffers;
    expect(heapBefore).toBeLessThan(200 * 1024 * 1024);
    expect((await buffer(slow.req)).equals(body)).toBe(true);
    slow.res.end('slow');
    expect((await client.answer(2)).text).toBe('slow');
  });

  test('a request behind the body of the first on its connection is served before that is read', async () => {
    const requests = held();
    const { client } = await door.serve(requests.listener);
    const body = Buffer.alloc(8 * 1024 * 1024, 'slow ');
    client.begin(1).params(1, { REQUEST_URI: '/slow', REQUEST_METHOD: 'POST' }).stdin(1, body).stdinEnd(1);
    const slow = await requests.of('/slow');
    client.request({ id: 2, params: { REQUEST_URI: '/fast' } });
    (await requests.of('/fast')).res.end('fast');
    expect((await client.answer(2)).text).toBe('fast');
    expect((await buffer(slow.req)).equals(body)).toBe(true);
  });

  test('a web server that sends all of a body before it takes any of the answer gets it whole', async () => {
    const { client } = await door.serve((req, res) => {
      req.pipe(res);
    });
    const body = Buffer.alloc(16 * 1024 * 1024, 'echo ');
    client.socket.pause();
    client.begin(1, 1, 0).params(1, { REQUEST_METHOD: 'POST' }).stdin(1, body).stdinEnd(1);
    await once(client.socket, 'drain');
    client.socket.resume();
    const answer = await client.answer();
    expect(answer.body.equals(body)).toBe(true);
  });

  test('an exception in a handler is uncaught, as on node:http, and harms no neighbour', async () => {
    const { client } = await door.serve((req, res) => {
      if (req.url === '/throw') throw new Error('mine');
      req.on('data', () => {
        if (req.url === '/data') throw new Error('mine, later');
      });
      req.on('end', () => res.end(req.url));
    });
    const messages = await uncaught(3, async () => {
      client.send(
        encodeRequest({ id: 1, params: { REQUEST_URI: '/before' } }),
        encodeRequest({ id: 2, params: { REQUEST_URI: '/throw' } }),
        encodeBeginRequest(3, 1, 1),
      );
      client.params(3, { REQUEST_URI: '/data', REQUEST_METHOD: 'POST', CONTENT_LENGTH: '6' });
      await client.answer(1);
      client.stdin(3, 'abc');
      client.send(encodeRecord(5, 3, Buffer.from('def')), encodeRequest({ id: 4, params: { REQUEST_URI: '/after' } }));
      expect((await client.answer(1)).text).toBe('/before');
      expect((await client.answer(4)).text).toBe('/after');
    });
    expect(messages).toEqual(['mine', 'mine, later', 'mine, later']);
  });

  test('an exception at the end of a body is uncaught, as on node:http, and harms no neighbour', async () => {
    const requests = held();
    const { client } = await door.serve(requests.listener);
    client.begin().params(1, { REQUEST_URI: '/throw', REQUEST_METHOD: 'POST', CONTENT_LENGTH: '3' }).stdin(1, 'abc');
    const { req } = await requests.of('/throw');
    const read = new Promise<void>((resolve) => {
      req.on('readable', () => {
        if (req.read() === null) throw new Error('mine');
        resolve();
      });
    });
    await read;
    const messages = await uncaught(1, async () => {
      client.stdinEnd().request({ id: 2, params: { REQUEST_URI: '/after' } });
      (await requests.of('/after')).res.end('after');
      expect((await client.answer(2)).text).toBe('after');
    });
    expect(messages).toEqual(['mine']);
  });

  test("whoever answers a 'clientError' of a request, as Fastify does, harms no other, nor our own answer", async () => {
    const requests = held();
    const { server, client } = await door.serve(requests.listener);
    server.on('clientError', (error, socket) => {
      if (!socket.destroyed) socket.write('HTTP/1.1 418 Not Ours\r\n\r\n');
      socket.destroy(error);
    });
    client.request({ id: 1, params: { REQUEST_URI: '/other' } });
    const { res } = await requests.of('/other');
    expect((await client.get({ id: 2, params: { REQUEST_METHOD: 'NONE' } })).status).toBe(400);
    res.end('unharmed');
    expect((await client.answer(1)).text).toBe('unharmed');
  });

  test("an exception of whoever hears 'clientError' is uncaught, and closes the connection", async () => {
    const { server, client } = await door.serve(echo);
    server.on('clientError', () => {
      throw new Error('mine');
    });
    const messages = await uncaught(1, async () => {
      client.request({ role: 9 });
      await client.closed;
    });
    expect(messages).toEqual(['mine']);
    await eventually(() => expect(server.live).toBe(0));
  });
});

describe('ABORT_REQUEST', () => {
  test('in the middle of a body reaches the application, and is answered with one END_REQUEST', async () => {
    const requests = held();
    const { server, client } = await door.serve(requests.listener);
    client.begin().params(1, { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '10' }).stdin(1, 'abc');
    const { req, res } = await requests.of('/');
    req.on('error', () => {});
    const { signal } = req as IncomingMessage & { signal: AbortSignal };
    const told = Promise.all([new Promise((resolve) => req.on('close', resolve)), once(res, 'close')]);
    client.abort();
    await told;
    expect([req.aborted, signal.aborted]).toEqual([true, true]);
    res.end('too late');
    client.stdin(1, 'late').stdinEnd();
    client.request({ id: 2, params: { REQUEST_URI: '/next' } });
    (await requests.of('/next')).res.end('next');
    expect((await client.answer(2)).text).toBe('next');
    expect(client.exchange(1).records.filter(({ content }) => content.length > 0)).toEqual([
      { type: FCGI_END_REQUEST, content: Buffer.alloc(8) },
    ]);
    expect(server.live).toBe(0);
  });

  test('in the middle of an answer ends it with one END_REQUEST, and its neighbour goes on', async () => {
    const requests = held();
    const { server, client } = await door.serve(requests.listener);
    client.request({ id: 1, params: { REQUEST_URI: '/1' } }).request({ id: 2, params: { REQUEST_URI: '/2' } });
    const [one, two] = [await requests.of('/1'), await requests.of('/2')];
    one.res.write('begun');
    await client.until(() => client.exchange(1).stdout.length > 0);
    const closed = once(one.res, 'close');
    client.abort(1).abort(1);
    await closed;
    one.res.end('too late');
    two.res.end('whole');
    expect((await client.answer(2)).text).toBe('whole');
    expect(client.exchange(1)).toMatchObject({ ends: 1, text: 'begun' });
    expect(server.live).toBe(0);
  });

  test('that comes late is ignored', async () => {
    const { client } = await door.serve(echo);
    await client.get();
    client.abort();
    await client.get({ id: 2 });
    expect(client.exchange(1).ends).toBe(1);
  });

  test('before the end of the parameters ends the request, which reaches nobody', async () => {
    const listener = vi.fn();
    const { server, client } = await door.serve(listener);
    client.begin().abort();
    expect((await client.answer()).ends).toBe(1);
    client.params().stdinEnd();
    client.request({ id: 2, role: 9 });
    await client.answer(2);
    expect(listener).not.toHaveBeenCalled();
    expect(server.live).toBe(0);
  });
});

describe('a web server that vanishes', () => {
  const stages: Record<string, (client: Client) => void> = {
    'before a request': () => {},
    'within the parameters': (client) => client.begin(),
    'within the body': (client) => client.begin().params(1, { CONTENT_LENGTH: '10' }).stdin(1, 'abc'),
    'before the answer': (client) => client.request(),
    'within the answer': (client) => client.request({ params: { REQUEST_URI: '/begin' } }),
    'within several': (client) => {
      client.request({ id: 1 }).request({ id: 2, params: { REQUEST_URI: '/begin' } });
      client.begin(3).params(3, { CONTENT_LENGTH: '10' }).stdin(3, 'abc');
    },
  };
  const ways: Record<string, (client: Client) => void> = {
    'closes (FIN)': (client) => client.socket.end(),
    'resets (RST)': (client) => client.socket.resetAndDestroy(),
  };

  for (const [when, send] of Object.entries(stages)) {
    for (const [how, leave] of Object.entries(ways)) {
      test(`${when}, and ${how}, reaches every request once, and leaves nothing`, async () => {
        const told: string[] = [];
        let dispatched = 0;
        let closed = 0;
        const { server, client } = await door.serve((req, res) => {
          dispatched++;
          if (req.url === '/begin') res.write('begun');
          for (const event of ['aborted', 'close']) req.on(event, () => told.push(`req ${event}`));
          req.on('error', (error) => told.push((error as NodeJS.ErrnoException).code!));
          (req as IncomingMessage & { signal: AbortSignal }).signal.onabort = () => told.push('signal');
          res.on('close', () => {
            closed++;
            told.push('res close');
          });
        });
        const second = await door.connect(server);
        send(second);
        if (when !== 'before a request' && when !== 'within the parameters') {
          await eventually(() => expect(dispatched).toBe(when === 'within several' ? 3 : 1));
        }
        leave(second);
        await second.left;
        await eventually(() => expect(closed).toBe(dispatched));
        const each = ['req aborted', 'res close', 'signal', 'ECONNRESET', 'req close'];
        await eventually(() => expect(told.length).toBe(each.length * dispatched));
        expect(told.sort()).toEqual(each.flatMap((event) => Array(dispatched).fill(event)).sort());
        expect(server.live).toBe(0);
        expect((await client.get({ role: 9 })).status).toBe(503);
      });
    }
  }
});

describe('a web server that is out of step', () => {
  test('gets whole what was answered before, whatever the others still write, and these are told', async () => {
    const requests = held();
    const { server, client } = await door.serve(requests.listener);
    const codes = codesOf(server);
    client.socket.allowHalfOpen = true;
    client.request({ id: 1, params: { REQUEST_URI: '/1' } }).request({ id: 2, params: { REQUEST_URI: '/2' } });
    const [one, two] = [await requests.of('/1'), await requests.of('/2')];
    client.socket.pause();
    one.res.end(Buffer.alloc(8_000_000));
    two.res.write('begun');
    await new Promise(setImmediate);
    client.send(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    await once(server, 'clientError');
    two.res.write('more');
    await once(two.res, 'close');
    const late = new Promise((resolve) => two.res.write('more', resolve));
    expect(await late).toMatchObject({ code: 'ERR_STREAM_DESTROYED' });
    // Which it would reset the connection for, if nobody read it.
    client.send(Buffer.alloc(100_000));
    client.socket.resume();
    const { body, ends } = await client.answer(1);
    expect([body.length, ends]).toEqual([8_000_000, 1]);
    expect(client.exchange(2).ends).toBe(0);
    expect(codes).toEqual(['FCGI_ERR_VERSION']);
    expect(server.live).toBe(0);
    client.socket.end();
    await client.left;
  });

  test('is read no further than maxDrainBytes', async () => {
    const { server, client } = await door.serve(echo, { maxDrainBytes: 1_000_000 });
    client.socket.allowHalfOpen = true;
    client.send(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    await once(server, 'clientError');
    client.send(Buffer.alloc(2_000_000));
    await client.left;
  });
});

describe('an answer that breaks off', () => {
  test('leaves no END_REQUEST, but a record of no version, before the connection ends', async () => {
    const { client } = await door.serve((_req, res) => {
      res.write('half');
      res.destroy();
    });
    client.request();
    await client.closed;
    expect(client.broken).toBe(true);
    expect(client.exchange().ends).toBe(0);
  });

  test('waits with that for its neighbours, whose answers are whole', async () => {
    const requests = held();
    const { server, client } = await door.serve(requests.listener);
    client.request({ id: 1, params: { REQUEST_URI: '/1' } }).request({ id: 2, params: { REQUEST_URI: '/2' } });
    const [one, two] = [await requests.of('/1'), await requests.of('/2')];
    one.res.write('half');
    await client.until(() => client.exchange(1).stdout.length > 0);
    one.res.destroy();
    expect((await client.get({ id: 3 })).status).toBe(503);
    two.res.write('who');
    two.res.end('le');
    expect((await client.answer(2)).text).toBe('whole');
    await client.closed;
    expect(client.broken).toBe(true);
    expect(client.exchange(1).ends).toBe(0);
    expect(server.live).toBe(0);
  });

  test('before its head is a 502, where the connection has other requests', async () => {
    const requests = held();
    const { client } = await door.serve(requests.listener);
    client.request({ id: 1, params: { REQUEST_URI: '/1' } }).request({ id: 2, params: { REQUEST_URI: '/2' } });
    const [one, two] = [await requests.of('/1'), await requests.of('/2')];
    one.res.destroy();
    expect(await client.answer(1)).toMatchObject({ status: 502, ends: 1 });
    two.res.end('whole');
    expect((await client.answer(2)).text).toBe('whole');
    expect(client.broken).toBe(false);
  });

  test('before its head breaks off the connection, where it is the only request', async () => {
    const { client } = await door.serve((_req, res) => res.destroy());
    client.request();
    await client.closed;
    expect(client.broken).toBe(true);
    expect(client.exchange().records).toEqual([]);
  });

  test('is told once, also when the server is closed then', async () => {
    const { server, client } = await door.serve((_req, res) => res.destroy());
    client.socket.allowHalfOpen = true;
    let left = false;
    client.left.then(() => {
      left = true;
    });
    client.request();
    await once(client.socket, 'end');
    server.close();
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
    expect(left).toBe(false);
    client.socket.end();
    await client.left;
  });
});

describe('a web server that takes no answers', () => {
  test('is sent no more than it asked for at once: new requests wait until it does', async () => {
    let served = 0;
    const { server, client } = await door.serve((_req, res) => {
      served++;
      res.end(Buffer.alloc(200_000));
    });
    client.socket.pause();
    const count = 2000;
    const one = encodeRequest({ params: { HTTP_COOKIE: 'x'.repeat(2000) } });
    for (let n = 0; n < count; n++) client.socket.write(one);
    await eventually(() => expect(served).toBeGreaterThan(1));
    for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate);
    expect(served).toBeLessThan(count / 2);
    client.socket.removeAllListeners('data');
    client.socket.resume();
    await eventually(() => expect(served).toBe(count));
    expect(server.live).toBe(0);
  });

  test.each([
    ['questions for variables', encodeGetValues([FCGI_MAX_CONNS, FCGI_MAX_REQS, FCGI_MPXS_CONNS])],
    ['management records of unknown type', encodeRecord(99, 0)],
  ])('%s without end are held back as well', async (_what, record) => {
    const { server, client } = await door.serve(echo);
    const connected = once(server, 'connection');
    const visitor = await door.connect(server);
    const [socket] = (await connected) as [Socket];
    visitor.socket.pause();
    const bytes = Buffer.concat(new Array(Math.ceil(20_000_000 / record.length)).fill(record));
    visitor.socket.write(bytes);
    await eventually(() => expect(socket.writableLength).toBeGreaterThan(0));
    await eventually(() => expect(socket.isPaused()).toBe(true));
    expect(socket.writableLength).toBeLessThan(1_000_000);
    visitor.socket.removeAllListeners('data');
    visitor.socket.resume();
    await eventually(() => expect(socket.bytesRead).toBe(bytes.length));
    client.destroy();
  });
});

describe('whatever comes', () => {
  test('random conversations cut anywhere are answered, and leave nothing', async () => {
    const server = await door.open(echo);
    for (let seed = 1; seed <= 20; seed++) {
      const random = seeded(seed);
      const client = await door.connect(server);
      const queues: Buffer[][] = [];
      const expected = new Map<number, string>();
      for (let id = 1; id <= 1 + random(20); id++) {
        const body = random(3) === 0 ? undefined : `${id}`.repeat(random(5000));
        const params = random(2) === 0 ? { CONTENT_LENGTH: undefined } : {};
        const bytes = encodeRequest({ id, body, params: { REQUEST_URI: `/${id}`, ...params } });
        const records: Buffer[] = [];
        for (let at = 0; at < bytes.length; ) {
          const end = at + 8 + bytes.readUInt16BE(at + 4) + bytes[at + 6]!;
          records.push(bytes.subarray(at, end));
          at = end;
        }
        queues.push(records);
        expected.set(id, body || `/${id}`);
      }
      const order: Buffer[] = [];
      while (queues.some((queue) => queue.length > 0)) {
        const queue = queues[random(queues.length)]!;
        if (queue.length > 0) order.push(queue.shift()!);
      }
      const bytes = Buffer.concat(order);
      for (let at = 0; at < bytes.length; ) {
        const end = at + 1 + random(random(2) === 0 ? 20 : 5000);
        client.socket.write(bytes.subarray(at, end));
        if (random(4) === 0) await new Promise(setImmediate);
        at = end;
      }
      for (const [id, body] of expected) expect((await client.answer(id)).text).toBe(body);
      client.destroy();
    }
    await eventually(() => expect(server.live).toBe(0));
  });

  test('random garbage among records never brings the server down, nor leaves anything', async () => {
    const server = await door.open((req, res) => {
      req.on('error', () => {});
      req.on('data', () => {});
      req.on('end', () => res.end(Buffer.alloc(100)));
    });
    for (let seed = 1; seed <= 150; seed++) {
      const random = seeded(seed);
      const client = await door.connect(server);
      const good = encodeRequest({
        id: 1 + random(3),
        body: 'x'.repeat(random(300)),
        role: 1 + random(4),
        flags: random(2),
      });
      const bytes = Buffer.concat([good, good, encodeRequest({ id: 2 })]);
      for (let n = random(6); n > 0; n--) bytes[random(bytes.length)] = random(256);
      if (random(3) === 0) client.socket.write(Buffer.from(Array.from({ length: random(200) }, () => random(256))));
      const cut = random(bytes.length);
      client.socket.write(bytes.subarray(0, cut));
      await new Promise(setImmediate);
      client.socket.write(bytes.subarray(cut, cut + random(bytes.length)));
      if (random(2) === 0) client.socket.end();
      else client.socket.resetAndDestroy();
    }
    await eventually(() => expect(server.live).toBe(0));
    const connections = () => new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
    await eventually(async () => expect(await connections()).toBe(0));
    const client = await door.connect(server);
    expect((await client.get()).status).toBe(200);
  });

  test('thousands of uploads given up leave no request, no connection and no file', async () => {
    let closed = 0;
    const { server, client } = await door.serve(
      (req, res) => {
        if (req.url === '/after') res.end('after');
        req.on('error', () => {});
        res.on('close', () => closed++);
      },
      { maxBufferedBytes: 1024 },
    );
    const before = openFiles();
    const total = 2000;
    const body = Buffer.alloc(40_000, 'x');
    for (let batch = 0; batch < total / 100; batch++) {
      const leaving: Promise<unknown>[] = [];
      for (let n = 0; n < 50; n++) {
        const one = await door.connect(server);
        // Two on a connection, so that their bodies are kept for them.
        for (const id of [1, 2]) one.begin(id).params(id, { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '100000' });
        for (const id of [1, 2, 1, 2]) one.stdin(id, body);
        leaving.push(one.closed);
        one.socket.end();
      }
      await Promise.all(leaving);
    }
    await eventually(() => expect(server.live).toBe(0));
    await eventually(() => expect(closed).toBe(total));
    await eventually(() => expect(openFiles()).toBeLessThanOrEqual(before));
    expect((await client.get({ params: { REQUEST_URI: '/after' } })).text).toBe('after');
  });
});

/** What is thrown and caught by nobody meanwhile, that many times. */
async function uncaught(times: number, act: () => Promise<void>): Promise<string[]> {
  const messages: string[] = [];
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', ({ message }) => messages.push(message));
  try {
    await act();
    await eventually(() => expect(messages.length).toBe(times));
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of listeners) process.on('uncaughtException', listener);
  }
  return messages;
}

/** Descriptors of this process, where the system tells. */
function openFiles(): number {
  return fs.existsSync('/proc/self/fd') ? fs.readdirSync('/proc/self/fd').length : 0;
}
