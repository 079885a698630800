import { getEventListeners, once } from 'node:events';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { type ClientOptions, FcgiClient } from '../../../src/adapters/client/index.ts';
import {
  encodeGetValuesResult,
  encodeUnknownType,
  FCGI_CANT_MPX_CONN,
  FCGI_END_REQUEST,
  FCGI_GET_VALUES,
  FCGI_OVERLOADED,
  FCGI_STDOUT,
  FCGI_UNKNOWN_ROLE,
} from '../../../src/adapters/fastcgi/protocol.ts';
import { deferred } from '../../core/pair.ts';
import { application, clientOf, codeOf, GET, HEAD, POST, type Received, record, talk } from './application.ts';

describe('a request', () => {
  it('is sent with its parameters, and answered with status, headers, body and application status', async () => {
    const { app, client } = await talk((request) => {
      const head = 'Status: 201 Made\r\nX-A: 1\r\nx-a: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2, 3\r\n\r\n';
      request.stdout(head).stderr('a warning\n').stdout('hello').end(7);
    });
    const response = await client.request({ ...GET, A: 'é', B: 1, C: undefined, D: Buffer.from([0xff]) });
    expect(response.status).toBe(201);
    expect(response.statusText).toBe('Made');
    expect({ ...response.headers }).toEqual({ 'x-a': '1, 2', 'set-cookie': ['a=1', 'b=2, 3'] });
    expect(response.rawHeaders.slice(1, 3)).toEqual([
      ['X-A', '1'],
      ['x-a', '2'],
    ]);
    expect(await text(response.stdout)).toBe('hello');
    expect(await text(response.stderr)).toBe('a warning\n');
    expect(await response.appStatus).toBe(7);
    const [request] = app.requests;
    expect(request.params).toEqual({ ...GET, A: 'é', B: '1', D: '\ufffd' });
    expect(request.keep).toBe(false);
  });

  it('takes its parameters from anything that gives pairs', async () => {
    const { app, client } = await talk((request) => request.answer(''));
    await client.request(new Map([['A', 'b']]));
    expect(app.requests[0].params).toEqual({ A: 'b' });
  });

  it('never lets a pair lie in two records: PHP-FPM would close the connection', async () => {
    const { app, client } = await talk((request) => request.answer(''));
    const large = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`LARGE_${i}`, 'x'.repeat(5000 + i)]));
    await client.request({ ...GET, ...large });
    const [request] = app.requests;
    expect(request.packed.length).toBeGreaterThan(2);
    expect(Object.keys(request.params)).toHaveLength(42);
  });

  it.each<[string, object, object]>([
    ['its length with a body', { ...POST }, { CONTENT_LENGTH: '5' }],
    ['its length with a body of a method that mostly has none', { ...GET }, { CONTENT_LENGTH: '5' }],
  ])('says %s', async (_, params, expected) => {
    const { app, client } = await talk((request) => request.answer(''));
    await client.request(params as typeof GET, 'hello');
    expect(app.requests[0].params).toMatchObject(expected);
    expect(app.requests[0].stdin.toString()).toBe('hello');
  });

  it('says CONTENT_LENGTH 0 where a body is expected, and nothing where none is', async () => {
    const { app, client } = await talk((request) => request.answer(''));
    await client.request(POST);
    await client.request(GET);
    expect(app.requests.map(({ params }) => params.CONTENT_LENGTH)).toEqual(['0', undefined]);
  });

  it('of an Authorizer has neither a body nor STDIN', async () => {
    const { app, client } = await talk((request) => request.answer(''));
    const { status } = await client.request(GET, 'ignored', { role: 'authorizer' });
    expect([status, app.requests[0].role, app.requests[0].stdin.length]).toEqual([200, 2, 0]);
  });

  it('of a Filter has its data, and the length of that', async () => {
    const { app, client } = await talk((request) => request.answer(''));
    await client.request(POST, 'body', { role: 'filter', data: Readable.from(['da', 'ta']) });
    const [request] = app.requests;
    expect([request.role, request.stdin.toString(), request.data.toString()]).toEqual([3, 'body', 'data']);
    expect(request.params).toMatchObject({ CONTENT_LENGTH: '4', FCGI_DATA_LENGTH: '4' });
  });

  it.each<[string, Parameters<FcgiClient['request']>, string]>([
    ['a parameter that is no text', [{ A: {} } as never], 'FCGI_ERR_ARGUMENT'],
    ['a length that is none', [{ CONTENT_LENGTH: '-1' }, 'x'], 'FCGI_ERR_ARGUMENT'],
    ['a body that is none', [GET, 5 as never], 'FCGI_ERR_ARGUMENT'],
    ['a role that is none', [GET, '', { role: 'x' as never }], 'FCGI_ERR_ARGUMENT'],
    ['a pair larger than a record', [{ A: 'x'.repeat(65536) }], 'FCGI_ERR_PARAMS_TOO_LARGE'],
    ['a body longer than its length', [{ CONTENT_LENGTH: 1 }, 'xy'], 'FCGI_ERR_BODY_OVERRUN'],
    ['a body shorter than its length', [{ CONTENT_LENGTH: 3 }, 'xy'], 'FCGI_ERR_BODY_UNDERRUN'],
    ['a stream longer than its length', [{ CONTENT_LENGTH: 1 }, Readable.from(['xy'])], 'FCGI_ERR_BODY_OVERRUN'],
    ['a stream shorter than its length', [{ CONTENT_LENGTH: 3 }, Readable.from(['xy'])], 'FCGI_ERR_BODY_UNDERRUN'],
    ['a stream of objects', [{ CONTENT_LENGTH: 3 }, Readable.from([{}])], 'FCGI_ERR_ARGUMENT'],
  ])('with %s is refused', async (_, args, code) => {
    const { client } = await talk((request) => request.answer(''));
    expect(await codeOf(client.request(...args))).toBe(code);
  });

  it.each<[string, (client: FcgiClient, stream: Readable) => Promise<unknown>]>([
    ['role', (client, stream) => client.request(GET, stream, { role: 'x' as never })],
    ['parameter', (client, stream) => client.request({ A: {} } as never, stream)],
    ['length', (client, stream) => client.request({ CONTENT_LENGTH: '-1' }, stream)],
    ['data', (client, stream) => client.request(POST, stream, { role: 'filter', data: 5 as never })],
    ['body, beside data', (client, data) => client.request(POST, 5 as never, { role: 'filter', data })],
    ['URL', (client, body) => client.fetch('http://', { method: 'POST', body })],
    ['method', (client, data) => client.fetch('/', { method: 'A B', role: 'filter', data })],
  ])('that cannot be sent for its %s destroys its streams', async (_, ask) => {
    const { client } = await talk(() => {});
    const stream = new Readable({ read() {} });
    expect(await codeOf(ask(client, stream))).toBe('FCGI_ERR_ARGUMENT');
    expect(stream.destroyed).toBe(true);
  });

  it('fails with what its body fails with', async () => {
    const { app, client } = await talk((request) => request.answer(''));
    const body = new Readable({ read() {} });
    const answer = client.request({ ...POST, CONTENT_LENGTH: 10 }, body);
    body.push('half');
    await app.until(() => app.requests.length === 1);
    body.destroy(new Error('the disk'));
    await expect(answer).rejects.toThrow('the disk');
    await app.until(() => app.sockets.size === 0);
  });
});

describe('a body', () => {
  it.each<[string, () => Parameters<FcgiClient['request']>[1]]>([
    ['text', () => 'grün'],
    ['bytes', () => Buffer.from('grün')],
    ['an ArrayBuffer', () => new Uint8Array(Buffer.from('grün')).buffer],
    ['a Blob', () => new Blob(['grün'])],
    ['a stream of Node’s', () => Readable.from([Buffer.from('gr'), 'ün'])],
    ['a stream of the web', () => new Response('grün').body!],
    [
      'a generator',
      async function* () {
        yield 'gr';
        yield Buffer.from('ün');
      },
    ],
  ])('may be %s', async (_, body) => {
    const { app, client } = await talk((request) => request.answer(''));
    const given = body();
    await client.request(POST, typeof given === 'function' ? (given as () => AsyncIterable<string>)() : given);
    expect([app.requests[0].stdin.toString(), app.requests[0].params.CONTENT_LENGTH]).toEqual(['grün', '5']);
  });

  it('of a known length streams as fast as it is taken', async () => {
    const { app, client } = await talk((request) => request.answer(''));
    const length = 500 * 65536;
    let [pulled, most] = [0, 0];
    const body = new Readable({
      read() {
        most = Math.max(most, pulled - (app.requests[0]?.stdinBytes ?? 0));
        pulled += 65536;
        this.push(Buffer.alloc(65536));
        if (pulled === length) this.push(null);
      },
    });
    await client.request({ ...POST, CONTENT_LENGTH: length }, body);
    expect(app.requests[0].stdinBytes).toBe(length);
    // What the buffers of two sockets hold.
    expect(most).toBeLessThan(length / 2);
  });

  it('of unknown length is counted first, in memory and beyond that in a file', async () => {
    const { app, client } = await talk((request) => request.answer(''), { maxBufferedBytes: 10 });
    const pieces = Array.from({ length: 300 }, (_, i) => `piece ${i}\n`);
    await client.request(POST, Readable.from(pieces));
    expect(app.requests[0].stdin.toString()).toBe(pieces.join(''));
    expect(Number(app.requests[0].params.CONTENT_LENGTH)).toBe(pieces.join('').length);
  });

  it('of unknown length is refused beyond maxSpooledBytes, and its stream destroyed', async () => {
    const { app, client } = await talk((request) => request.answer(''), { maxSpooledBytes: 10 });
    const body = Readable.from(['12345', '67890', '1']);
    expect(await codeOf(client.request(POST, body))).toBe('FCGI_ERR_BODY_TOO_LARGE');
    expect([body.destroyed, app.connections]).toEqual([true, 0]);
  });

  it('is not waited for when the answer comes before its end', async () => {
    const app = await application(() => {});
    const client = clientOf(app.address, { keepAlive: true });
    const body = new Readable({ read() {} });
    body.push('half');
    const answer = client.request({ ...POST, CONTENT_LENGTH: 10 }, body);
    await app.until(() => app.requests[0]?.stdin.length === 4);
    app.requests[0].stdout('Status: 413\r\n\r\ntoo much').end();
    const { status, stdout } = await answer;
    expect([status, await text(stdout)]).toEqual([413, 'too much']);
    expect(body.destroyed).toBe(true);
    // The rest of it could be taken for another request's.
    await app.until(() => app.sockets.size === 0);
  });

  it('of bytes larger than the socket’s buffers arrives whole', async () => {
    const { app, client } = await talk((request) => request.answer(''));
    const body = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => i % 251));
    await client.request(POST, body);
    expect(app.requests[0].stdin.equals(body)).toBe(true);
  });
});

describe('an answer', () => {
  it('may come in any pieces', async () => {
    const bytes = Buffer.concat([
      record(FCGI_STDOUT, 1, Buffer.from(HEAD.slice(0, 10))),
      record(FCGI_STDOUT, 1, Buffer.from(HEAD.slice(10))),
      record(FCGI_STDOUT, 1, Buffer.from('hello')),
      record(FCGI_STDOUT, 1),
      record(FCGI_END_REQUEST, 1, Buffer.alloc(8)),
    ]);
    const { client } = await talk(async ({ socket }) => {
      for (const byte of bytes) {
        socket.write(Buffer.from([byte]));
        await new Promise(setImmediate);
      }
    });
    const { stdout } = await client.request(GET);
    expect(await text(stdout)).toBe('hello');
  });

  it.each([
    ['nothing', ''],
    ['no head', 'hello'],
    ['a head that does not end', 'Status: 200\r\n'],
    ['a line that is no header', 'HTTP/1.1 200 OK\r\n\r\n'],
    ['a status that is none', 'Status: hello\r\n\r\n'],
    ['an interim status', 'Status: 103\r\n\r\n'],
    ['a head that is too long', `A: ${'x'.repeat(200)}\r\n\r\n`],
  ])('with %s is refused', async (_, output) => {
    const { client } = await talk((request) => request.stdout(output).end(), { maxHeadBytes: 100 });
    const error = await client.request(GET).catch((error) => error);
    expect([error.code, error.status]).toEqual(['FCGI_ERR_CLIENT_PROTOCOL', 502]);
  });

  it.each<[number, string, number]>([
    [FCGI_OVERLOADED, 'FCGI_ERR_CLIENT_OVERLOADED', 503],
    [FCGI_UNKNOWN_ROLE, 'FCGI_ERR_CLIENT_UNKNOWN_ROLE', 502],
    [FCGI_CANT_MPX_CONN, 'FCGI_ERR_CLIENT_CANT_MPX_CONN', 502],
    [9, 'FCGI_ERR_CLIENT_PROTOCOL', 502],
  ])('with protocol status %i is an error', async (protocolStatus, code, status) => {
    const { client } = await talk((request) => request.end(0, protocolStatus));
    const error = await client.request(GET).catch((error) => error);
    expect([error.code, error.status]).toEqual([code, status]);
  });

  it.each([
    ['no FastCGI', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['a record that only web servers send', record(5, 1, Buffer.from('x'))],
    ['a record that cannot be', record(FCGI_END_REQUEST, 1, Buffer.from('x'))],
  ])('of %s is refused, and the connection closed', async (_, bytes) => {
    const { app, client } = await talk(({ socket }) => socket.write(bytes), { keepAlive: true });
    expect(await codeOf(client.request(GET))).toBe('FCGI_ERR_CLIENT_PROTOCOL');
    await app.until(() => app.sockets.size === 0);
  });

  it('that is cut off before its head is an error', async () => {
    const { client } = await talk((request) => request.stdout('Status: 2').socket.end());
    const error = await client.request(GET).catch((error) => error);
    expect([error.code, error.status]).toEqual(['FCGI_ERR_CLIENT_CLOSED', 502]);
  });

  it.each<[string, (request: Received) => void]>([
    ['between records', (request) => request.stdout(`${HEAD}half`).socket.end()],
    ['inside a record', ({ socket }) => socket.end(record(FCGI_STDOUT, 1, Buffer.from(`${HEAD}half`)).subarray(0, -9))],
    ['by a reset', (request) => request.stdout(`${HEAD}half`).socket.resetAndDestroy()],
  ])('that is cut off in its body, %s, is an error of stdout and of appStatus', async (_, cut) => {
    const { client } = await talk(cut);
    const result = client.request(GET).then(async ({ stdout, appStatus }) => {
      const codes = await Promise.all([codeOf(text(stdout)), codeOf(appStatus)]);
      return codes;
    });
    const codes = await result.catch((error) => [error.code, error.code]);
    expect(codes).toEqual(['FCGI_ERR_CLIENT_CLOSED', 'FCGI_ERR_CLIENT_CLOSED']);
  });

  it('that is shorter than its Content-Length is an error', async () => {
    const { client } = await talk((request) => request.stdout('Content-Length: 10\r\n\r\nhalf').end());
    const { stdout } = await client.request(GET);
    expect(await codeOf(text(stdout))).toBe('FCGI_ERR_CLIENT_PROTOCOL');
  });

  it('that is longer than its Content-Length is cut there', async () => {
    const { client } = await talk((request) => request.stdout('Content-Length: 4\r\n\r\nhalf and more').end());
    expect(await text((await client.request(GET)).stdout)).toBe('half');
  });

  it.each([
    ['to HEAD', 'HEAD', 'Content-Length: 5'],
    ['of status 204', 'GET', 'Status: 204'],
    ['of status 304', 'GET', 'Status: 304\r\nContent-Length: 5'],
  ])('%s has no body, whatever comes', async (_, method, head) => {
    const { client } = await talk((request) => request.stdout(`${head}\r\n\r\nhello`).end());
    const { stdout } = await client.request({ REQUEST_METHOD: method });
    expect(await text(stdout)).toBe('');
  });

  it('is held back while it is not read', async () => {
    const length = 40_000_000;
    const { app, client } = await talk((request) => request.stdout(HEAD).stdout(Buffer.alloc(length)).end());
    const { stdout } = await client.request(GET);
    const [{ socket }] = app.requests;
    let [read, most] = [0, 0];
    for await (const chunk of stdout) {
      read += chunk.length;
      most = Math.max(most, socket.bytesWritten - socket.writableLength - read);
      await new Promise(setImmediate);
    }
    expect(read).toBe(length);
    expect(most).toBeLessThan(length / 2);
  });

  it('that nobody wants any more closes the connection', async () => {
    const { app, client } = await talk((request) => request.stdout(`${HEAD}half`));
    const { stdout, appStatus } = await client.request(GET);
    stdout.destroy();
    expect(await codeOf(appStatus)).toBe('FCGI_ERR_CLIENT_DESTROYED');
    await app.until(() => app.sockets.size === 0);
  });

  it('that fails while nobody listens yet can still be listened to', async () => {
    const { client } = await talk(({ socket }) => {
      socket.end(Buffer.concat([record(FCGI_STDOUT, 1, Buffer.from(`${HEAD}half`)), Buffer.from('oops')]));
    });
    const { stdout } = await client.request(GET);
    const [error] = await once(stdout, 'error');
    expect(error.code).toMatch(/^FCGI_ERR_CLIENT_(PROTOCOL|CLOSED)$/);
  });
});

describe('stderr', () => {
  it('is told as it comes to onStderr, also where the request fails', async () => {
    const { client } = await talk((request) => request.stderr('Fatal error\n').socket.end());
    const told: string[] = [];
    const answer = client.request(GET, '', { onStderr: (bytes) => told.push(String(bytes)) });
    expect(await codeOf(answer)).toBe('FCGI_ERR_CLIENT_CLOSED');
    expect(told).toEqual(['Fatal error\n']);
  });

  it('that nobody reads is kept up to maxStderrBytes', async () => {
    const { client } = await talk((request) => request.stderr('x'.repeat(5000)).stderr('y').stdout(HEAD).end(), {
      maxStderrBytes: 1000,
    });
    const { stdout, stderr } = await client.request(GET);
    await text(stdout);
    expect(await text(stderr)).toBe('x'.repeat(1000));
  });

  it('ends where the answer is cut off', async () => {
    const { client } = await talk((request) => request.stdout(`${HEAD}half`).stderr('why').socket.end());
    const { stdout, stderr } = await client.request(GET);
    const [body, log] = await Promise.all([codeOf(text(stdout)), text(stderr)]);
    expect([body, log]).toEqual(['FCGI_ERR_CLIENT_CLOSED', 'why']);
  });
});

describe('values', () => {
  const answering = (result: Buffer) => async () => {
    const app = await application(() => {});
    app.server.on('connection', (socket) => socket.once('data', () => socket.write(result)));
    return clientOf(app.address);
  };

  it('are what the application says', async () => {
    const client = await answering(encodeGetValuesResult([['FCGI_MPXS_CONNS', '0']]))();
    expect(await client.values()).toEqual({ FCGI_MPXS_CONNS: '0' });
  });

  it('are none where it does not know the question', async () => {
    const client = await answering(encodeUnknownType(FCGI_GET_VALUES))();
    expect(await client.values()).toEqual({});
  });

  it('fail where it closes', async () => {
    const { app, client } = await talk(() => {});
    app.server.on('connection', (socket) => socket.destroy());
    expect(await codeOf(client.values())).toBe('FCGI_ERR_CLIENT_CLOSED');
  });

  it('fail where it says something else, or nothing', async () => {
    const client = await answering(Buffer.from('HTTP/1.1 400\r\n'))();
    expect(await codeOf(client.values())).toBe('FCGI_ERR_CLIENT_PROTOCOL');
    const { client: waiting } = await talk(() => {}, { headersTimeout: 20 });
    expect(await codeOf(waiting.values())).toBe('FCGI_ERR_CLIENT_TIMEOUT');
  });
});

describe('a timeout', () => {
  it('of the head rejects, and closes the connection', async () => {
    const { app, client } = await talk(() => {}, { headersTimeout: 20, keepAlive: true });
    const error = await client.request(GET).catch((error) => error);
    expect([error.code, error.status]).toEqual(['FCGI_ERR_CLIENT_TIMEOUT', 504]);
    await app.until(() => app.sockets.size === 0);
  });

  it('of the body fails it', async () => {
    const { app, client } = await talk((request) => request.stdout(`${HEAD}half`), { bodyTimeout: 20 });
    const { stdout } = await client.request(GET);
    expect(await codeOf(text(stdout))).toBe('FCGI_ERR_CLIENT_TIMEOUT');
    await app.until(() => app.sockets.size === 0);
  });

  it('does not run while the reader takes his time', async () => {
    const { client } = await talk((request) => request.stdout(HEAD).stdout(Buffer.alloc(5_000_000)).end(), {
      bodyTimeout: 20,
    });
    const { stdout } = await client.request(GET);
    await new Promise((resolve) => setTimeout(resolve, 100));
    let bytes = 0;
    for await (const chunk of stdout) bytes += chunk.length;
    expect(bytes).toBe(5_000_000);
  });

  it('of a kept connection without requests closes it', async () => {
    const { app, client } = await talk((request) => request.answer(''), { keepAlive: true, keepAliveTimeout: 20 });
    await text((await client.request(GET)).stdout);
    await app.until(() => app.sockets.size === 0);
    expect(app.connections).toBe(1);
  });
});

describe('a signal', () => {
  const reason = new Error('enough');

  it('that was aborted before sends nothing', async () => {
    const { app, client } = await talk((request) => request.answer(''));
    await expect(client.request(GET, '', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(app.connections).toBe(0);
  });

  it('that is aborted in the turn of the request gives it up', async () => {
    const { app, client } = await talk(() => {});
    const controller = new AbortController();
    const answer = client.request(GET, '', { signal: controller.signal });
    controller.abort(reason);
    await expect(answer).rejects.toBe(reason);
    expect(app.connections).toBe(0);
  });

  it('gives up a request that waits for its answer, and closes its connection', async () => {
    const { app, client } = await talk(() => {});
    const controller = new AbortController();
    const answer = client.request(GET, '', { signal: controller.signal });
    await app.until(() => app.requests.length === 1);
    controller.abort(reason);
    await expect(answer).rejects.toBe(reason);
    await app.until(() => app.sockets.size === 0);
  });

  it('gives up one that waits for a connection', async () => {
    const { app, client } = await talk(() => {}, { connections: 1 });
    const controller = new AbortController();
    const first = client.request(GET);
    const second = client.request(GET, '', { signal: controller.signal });
    await app.until(() => app.requests.length === 1);
    controller.abort(reason);
    await expect(second).rejects.toBe(reason);
    app.requests[0].answer('');
    await text((await first).stdout);
    expect(app.requests).toHaveLength(1);
  });

  it('gives up one whose body is being counted', async () => {
    const { app, client } = await talk(() => {});
    const controller = new AbortController();
    const body = new Readable({ read() {} });
    const answer = client.request(POST, body, { signal: controller.signal });
    controller.abort(reason);
    await expect(answer).rejects.toBe(reason);
    expect([body.destroyed, app.connections]).toEqual([true, 0]);
  });

  it('gives up one whose body is waited for by a generator', async () => {
    const { app, client } = await talk(() => {});
    const controller = new AbortController();
    const begun = deferred<void>();
    async function* body() {
      yield 'half';
      begun.resolve();
      await new Promise(() => {});
    }
    const answer = client.request(POST, body(), { signal: controller.signal });
    await begun.promise;
    controller.abort(reason);
    await expect(answer).rejects.toBe(reason);
    expect(app.connections).toBe(0);
  });

  it('breaks off the body of an answer', async () => {
    const { app, client } = await talk((request) => request.stdout(`${HEAD}half`));
    const controller = new AbortController();
    const { stdout } = await client.request(GET, '', { signal: controller.signal });
    controller.abort(reason);
    await expect(text(stdout)).rejects.toBe(reason);
    await app.until(() => app.sockets.size === 0);
  });

  it('may stop many at a time, without a warning', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    const { app, client } = await talk(() => {});
    const controller = new AbortController();
    const answers = Array.from({ length: 20 }, () => client.request(GET, '', { signal: controller.signal }));
    await app.until(() => app.requests.length === 20);
    controller.abort(reason);
    expect(new Set(await Promise.all(answers.map((answer) => answer.catch((error) => error))))).toEqual(
      new Set([reason]),
    );
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });

  it('has no listener left when the request is over', async () => {
    const { client } = await talk((request) => request.answer(''));
    const { signal } = new AbortController();
    await text((await client.request(POST, Readable.from(['x']), { signal })).stdout);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('closing', () => {
  it('waits for the requests under way, and takes no more', async () => {
    const { app, client } = await talk(() => {}, { keepAlive: true, connections: 1 });
    const answers = [client.request(GET), client.request(GET)];
    await app.until(() => app.requests.length === 1);
    const closed = client.close();
    expect(await codeOf(client.request(GET))).toBe('FCGI_ERR_CLIENT_DESTROYED');
    app.requests[0].answer('one');
    expect(await text((await answers[0]).stdout)).toBe('one');
    await app.until(() => app.requests.length === 2);
    app.requests[1].answer('two');
    expect(await text((await answers[1]).stdout)).toBe('two');
    await closed;
    await app.until(() => app.sockets.size === 0);
  });

  it('at once gives up all requests', async () => {
    const { app, client } = await talk(() => {}, { connections: 1 });
    const answers = [client.request(GET), client.request(GET)].map(codeOf);
    await app.until(() => app.requests.length === 1);
    client.destroy();
    expect(await Promise.all(answers)).toEqual(['FCGI_ERR_CLIENT_DESTROYED', 'FCGI_ERR_CLIENT_DESTROYED']);
    await app.until(() => app.sockets.size === 0);
  });

  it.each<[string, ClientOptions, (client: FcgiClient) => Promise<unknown>]>([
    ['for its values', {}, (client) => client.values()],
    ['whether it multiplexes', { multiplex: true }, (client) => client.request(GET)],
  ])('at once gives up the question to the application %s', async (_, options, ask) => {
    const { app, client } = await talk(() => {}, options);
    const answer = codeOf(ask(client));
    await app.until(() => app.records.length === 1);
    client.destroy();
    expect(await answer).toBe('FCGI_ERR_CLIENT_DESTROYED');
    await client.close();
    await app.until(() => app.sockets.size === 0);
  });

  it('waits for values that were asked for, and asks for no more', async () => {
    const { app, client } = await talk(() => {});
    const values = client.values();
    await app.until(() => app.records.length === 1);
    const closed = client.close();
    expect(await codeOf(client.values())).toBe('FCGI_ERR_CLIENT_DESTROYED');
    let open = true;
    closed.then(() => {
      open = false;
    });
    await new Promise(setImmediate);
    expect(open).toBe(true);
    for (const socket of app.sockets) socket.write(encodeGetValuesResult([['FCGI_MAX_REQS', '1']]));
    expect(await values).toEqual({ FCGI_MAX_REQS: '1' });
    await closed;
  });

  it('is what the end of an `await using` block does', async () => {
    const { app, client } = await talk((request) => request.answer(''), { keepAlive: true });
    await text((await client.request(GET)).stdout);
    await client[Symbol.asyncDispose]();
    await app.until(() => app.sockets.size === 0);
  });
});

it.each([
  [{ connections: 0 }, 'connections'],
  [{ headersTimeout: 'x' as never }, 'headersTimeout'],
  [{ keepAlive: 1 as never }, 'keepAlive'],
])('refuses the options %o', (options, name) => {
  expect(() => new FcgiClient(9000, options)).toThrow(
    expect.objectContaining({ code: 'FCGI_ERR_OPTION', message: expect.stringContaining(name) }),
  );
});
