import type { StdioOptions } from 'node:child_process';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Body, ClientOptions, FcgiResponse, Params } from '../../../src/adapters/client/index.ts';
import {
  encodeGetValuesResult,
  FCGI_ABORT_REQUEST,
  FCGI_CANT_MPX_CONN,
  FCGI_END_REQUEST,
  FCGI_GET_VALUES,
  FCGI_STDOUT,
} from '../../../src/adapters/fastcgi/protocol.ts';
import { freePort, Program, temporaryFolder } from '../../servers/program.ts';
import { Door, eventually, held } from '../fastcgi/client.ts';
import { application, clientOf, codeOf, GET, HEAD, POST, record, talk } from './application.ts';

const door = new Door();
afterEach(() => door.close());

const bodyOf = async (response: Promise<FcgiResponse>) => text((await response).stdout);

/** An answer to the request of id 1, to be written at once. */
const whole = (body: string) =>
  Buffer.concat([record(FCGI_STDOUT, 1, Buffer.from(HEAD + body)), record(FCGI_END_REQUEST, 1, Buffer.alloc(8))]);

describe('connections', () => {
  it('are closed after one request unless they are to be kept', async () => {
    const { app, client } = await talk((request) => request.answer(''));
    await bodyOf(client.request(GET));
    await bodyOf(client.request(GET));
    expect(app.connections).toBe(2);
    expect(app.requests.map(({ keep }) => keep)).toEqual([false, false]);
    await app.until(() => app.sockets.size === 0);
  });

  it('are closed by the client where the application forgets to', async () => {
    const { app, client } = await talk((request) => {
      request.socket.write(record(6, 1, Buffer.from(HEAD)));
      request.socket.write(record(FCGI_END_REQUEST, 1, Buffer.alloc(8)));
    });
    await bodyOf(client.request(GET));
    await app.until(() => app.sockets.size === 0);
  });

  it('are used again where they are kept', async () => {
    const { app, client } = await talk((request) => request.answer(''), { keepAlive: true });
    for (let i = 0; i < 5; i++) await bodyOf(client.request(GET));
    expect(app.connections).toBe(1);
    expect(app.requests.every(({ keep, id }) => keep && id === 1)).toBe(true);
  });

  it('are never more than allowed; other requests wait, in their order', async () => {
    const { app, client } = await talk(() => {}, { connections: 2 });
    const answers = ['a', 'b', 'c', 'd'].map((A) => bodyOf(client.request({ ...GET, A })));
    for (let i = 0; i < 4; i++) {
      await app.until(() => app.requests[i]?.params.A !== undefined);
      expect(app.requests.length - i).toBeLessThanOrEqual(2);
      app.requests[i].answer(app.requests[i].params.A);
    }
    expect(await Promise.all(answers)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('are not waited for by more requests than allowed', async () => {
    const { app, client } = await talk(() => {}, { connections: 1, maxQueued: 1 });
    const answers = [client.request(GET), client.request(GET)].map(codeOf);
    await app.until(() => app.requests.length === 1);
    const error = await client.request(GET).catch((error) => error);
    expect([error.code, error.status]).toEqual(['FCGI_ERR_CLIENT_OVERLOADED', 503]);
    client.destroy();
    await Promise.all(answers);
  });

  it('that say something without being asked are not used again', async () => {
    const { app, client } = await talk((request) => request.answer(''), { keepAlive: true });
    await bodyOf(client.request(GET));
    app.requests[0].stdout(`${HEAD}for nobody`).end();
    await app.until(() => app.sockets.size === 0);
    expect(await bodyOf(client.request(GET))).toBe('');
  });

  it.each<[string, (stray: Buffer) => Buffer]>([
    ['more', (stray) => stray],
    ['a part of a record', (stray) => stray.subarray(0, 30)],
    ['a part of a header', (stray) => stray.subarray(0, 5)],
  ])('that say %s behind the end of an answer are not used again', async (_, cut) => {
    const { app, client } = await talk(
      (request, { requests }) => {
        if (requests.length === 1) request.socket.write(Buffer.concat([whole('first'), cut(whole('stray'))]));
        else request.answer('second');
      },
      { keepAlive: true, connections: 1 },
    );
    const answers = [client.request(GET), client.request(GET)].map(bodyOf);
    expect(await Promise.all(answers)).toEqual(['first', 'second']);
    expect(app.connections).toBe(2);
  });

  it.each<[string, (answer: Buffer) => Buffer[]]>([
    ['in pieces', (answer) => [answer.subarray(0, -10), answer.subarray(-10, -3), answer.subarray(-3)]],
    [
      'with padding',
      (answer) => {
        const padded = Buffer.concat([answer, Buffer.alloc(5)]);
        padded[answer.length - 10] = 5;
        return [padded];
      },
    ],
  ])('are used again where the end of an answer comes %s', async (_, pieces) => {
    const { app, client } = await talk(
      async ({ socket }) => {
        socket.setNoDelay();
        for (const piece of pieces(whole('x'))) {
          socket.write(piece);
          await new Promise(setImmediate);
        }
      },
      { keepAlive: true, connections: 1 },
    );
    for (let i = 0; i < 3; i++) expect(await bodyOf(client.request(GET))).toBe('x');
    expect(app.connections).toBe(1);
  });

  it('may be kept for ever', async () => {
    const unlimited = Number.POSITIVE_INFINITY;
    const { app, client } = await talk((request) => request.answer('hello'), {
      keepAlive: true,
      connections: unlimited,
      maxQueued: unlimited,
      connectTimeout: unlimited,
      headersTimeout: unlimited,
      bodyTimeout: unlimited,
      keepAliveTimeout: unlimited,
    });
    expect(await bodyOf(client.request(GET))).toBe('hello');
    expect(await bodyOf(client.request(GET))).toBe('hello');
    expect(app.connections).toBe(1);
  });

  it('do not keep the process alive between requests', async () => {
    const { client } = await talk((request) => request.answer(''), { keepAlive: true });
    await bodyOf(client.request(GET));
    const kept = process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
    // The application's side of it, in this very process.
    expect(kept).toBe(1);
  });
});

describe('connecting', () => {
  it('to nobody is an error', async () => {
    const client = clientOf(await freePort());
    const error = await client.request(GET).catch((error) => error);
    expect([error.code, error.status, error.cause.code]).toEqual(['FCGI_ERR_CLIENT_CONNECT', 502, 'ECONNREFUSED']);
  });

  it('to a socket that is not there is an error that names it', async () => {
    const path = join(temporaryFolder(), 'none.sock');
    const error = await clientOf({ path })
      .request(GET)
      .catch((error) => error);
    expect([error.code, error.message]).toEqual(['FCGI_ERR_CLIENT_CONNECT', expect.stringContaining(path)]);
  });

  it('is given up by a signal', async () => {
    const { client } = await talk((request) => request.answer(''));
    const controller = new AbortController();
    const answer = client.request(GET, '', { signal: controller.signal });
    queueMicrotask(() => queueMicrotask(() => controller.abort(new Error('enough'))));
    await expect(answer).rejects.toThrow('enough');
    expect(await bodyOf(client.request(GET))).toBe('');
  });

  it.each<[string, number, unknown[]]>([
    ['waits, and gets through', 20_000, ['hello']],
    ['waits no longer than allowed', 30, ['FCGI_ERR_CLIENT_CONNECT', 'hello']],
  ])('to a unix socket whose backlog is full %s', async (_, connectTimeout, outcomes) => {
    const path = join(temporaryFolder(), 'full.sock');
    const program = await blocked(path);
    const client = clientOf({ path }, { connectTimeout });
    const answers = Array.from({ length: 8 }, () => codeOf(bodyOf(client.request(GET))));
    // All that do not fit into the backlog have been refused, or have given up, by then.
    if (connectTimeout < 1000) await Promise.race(answers);
    else await new Promise((resolve) => setTimeout(resolve, 50));
    program.child.stdin!.end('\n');
    expect([...new Set(await Promise.all(answers))].sort()).toEqual(outcomes);
  });
});

/** An application with a backlog of one, which accepts nobody until it is told to. */
async function blocked(path: string): Promise<Program> {
  const answer = whole('hello').toString('base64');
  const script = `
    const server = require('node:net').createServer((socket) => {
      socket.once('data', () => socket.end(Buffer.from('${answer}', 'base64')));
    });
    server.listen({ path: process.argv[1], backlog: 1 }, () => {
      console.log('listening');
      require('node:fs').readSync(0, Buffer.alloc(1));
    });`;
  const stdio: StdioOptions = ['pipe', 'pipe', 'pipe'];
  const program = new Program(process.execPath, ['-e', script, path], dirname(path), { stdio });
  onTestFinished(async () => {
    await program.stop();
  });
  await eventually(() => expect(program.output).toContain('listening'));
  return program;
}

describe('a kept connection that has closed', () => {
  /** Closes its first connection when a second request comes on it. */
  const closing = (options: ClientOptions = { keepAlive: true }) =>
    talk((request, app) => {
      if (app.requests.filter(({ socket }) => socket === request.socket).length === 1) request.answer('');
      else request.socket.destroy();
    }, options);

  it('is replaced, once, where the request may be sent again', async () => {
    const { app, client } = await closing();
    await bodyOf(client.request(GET));
    expect(await bodyOf(client.request({ ...GET, A: 'again' }, 'body'))).toBe('');
    expect(app.connections).toBe(2);
    expect(app.requests.map(({ params }) => params.A)).toEqual([undefined, 'again', 'again']);
    expect(app.requests[2].stdin.toString()).toBe('body');
  });

  it('is replaced for a POST that is said to be idempotent', async () => {
    const { client } = await closing();
    await bodyOf(client.request(GET));
    expect(await bodyOf(client.request(POST, 'body', { idempotent: true }))).toBe('');
  });

  it.each<[string, Params, () => Body]>([
    ['a POST', POST, () => 'body'],
    ['a body that has been read', { ...GET, CONTENT_LENGTH: 4 }, () => Readable.from(['body'])],
  ])('is the error of %s', async (_, params, body) => {
    const { client } = await closing();
    await bodyOf(client.request(GET));
    expect(await codeOf(client.request(params, body()))).toBe('FCGI_ERR_CLIENT_CLOSED');
  });

  it('is not replaced when something has come back', async () => {
    const { app, client } = await talk(
      (request, app) => {
        if (app.requests.length === 1) request.answer('');
        else request.stderr('x').socket.end();
      },
      { keepAlive: true },
    );
    await bodyOf(client.request(GET));
    expect(await codeOf(client.request(GET))).toBe('FCGI_ERR_CLIENT_CLOSED');
    expect(app.requests).toHaveLength(2);
  });

  it('is replaced by a new one, for all of them may have closed', async () => {
    let reloaded = false;
    const { app, client } = await talk(
      (request) => {
        if (reloaded && request.socket !== [...app.sockets].at(-1)) request.socket.destroy();
        else request.answer('');
      },
      { keepAlive: true, connections: 3 },
    );
    await Promise.all([1, 2, 3].map(() => bodyOf(client.request(GET))));
    expect(app.connections).toBe(3);
    reloaded = true;
    expect(await bodyOf(client.request(GET))).toBe('');
    expect(app.connections).toBe(4);
  });
});

describe('a multiplexed connection', () => {
  const mpx = (requests: number, answerer: Parameters<typeof talk>[0], options: ClientOptions = {}) =>
    telling(
      [
        ['FCGI_MPXS_CONNS', '1'],
        ['FCGI_MAX_REQS', String(requests)],
      ],
      answerer,
      options,
    );

  async function telling(values: [string, string][], answerer: Parameters<typeof talk>[0], options: ClientOptions) {
    const app = await application(answerer);
    let questions = 0;
    app.server.on('connection', (socket) => {
      socket.on('data', (chunk) => {
        if (chunk[1] !== FCGI_GET_VALUES) return;
        questions++;
        socket.write(encodeGetValuesResult(values));
      });
    });
    return { app, client: clientOf(app.address, { multiplex: true, ...options }), questions: () => questions };
  }

  it('carries as many requests as the application says, with ids of their own', async () => {
    const { app, client, questions } = await mpx(3, () => {});
    const answers = [1, 2, 3, 4].map((A) => bodyOf(client.request({ ...GET, A })));
    await app.until(() => app.requests.length === 4);
    expect(questions()).toBe(1);
    // One for the question.
    expect(app.connections).toBe(3);
    expect(app.requests.map(({ id }) => id)).toEqual([1, 2, 3, 1]);
    for (const request of app.requests.toReversed()) request.stdout(HEAD + request.params.A).end();
    expect(await Promise.all(answers)).toEqual(['1', '2', '3', '4']);
  });

  it('is not had where the application does not say so', async () => {
    const { app, client } = await telling([['FCGI_MPXS_CONNS', '0']], (request) => request.answer(''), {});
    await Promise.all([1, 2, 3].map(() => bodyOf(client.request(GET))));
    expect(app.connections).toBe(4);
    expect(app.requests.every(({ keep }) => !keep)).toBe(true);
  });

  it('is not had where the application does not understand the question', async () => {
    const { app, client } = await talk((request) => request.answer(''), { multiplex: true });
    app.server.on('connection', (socket) => {
      socket.on('data', (chunk) => {
        if (chunk[1] === FCGI_GET_VALUES) socket.destroy();
      });
    });
    expect(await bodyOf(client.request(GET))).toBe('');
  });

  it('is not had any more when the application says that it cannot', async () => {
    const { app, client } = await mpx(10, (request, app) => {
      const beside = app.requests.filter(({ socket }) => socket === request.socket).length > 1;
      if (beside) request.end(0, FCGI_CANT_MPX_CONN);
      else setImmediate(() => request.answer('one'));
    });
    expect(await Promise.all([1, 2, 3].map(() => bodyOf(client.request(GET))))).toEqual(['one', 'one', 'one']);
    expect(app.connections).toBeGreaterThan(2);
  });

  it('is asked about by the next request where the first is given up', async () => {
    let questions = 0;
    const { app, client } = await talk((request) => request.answer('next'), { multiplex: true });
    app.server.on('connection', (socket) => {
      socket.on('data', (chunk) => {
        if (chunk[1] === FCGI_GET_VALUES && questions++ > 0) socket.write(encodeGetValuesResult([]));
      });
    });
    const controller = new AbortController();
    const first = client.request(GET, '', { signal: controller.signal });
    const next = bodyOf(client.request(GET));
    await app.until(() => app.records.length === 1);
    controller.abort(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    expect(await next).toBe('next');
    expect(questions).toBe(2);
  });

  it('fails where nobody can be asked', async () => {
    const client = clientOf(await freePort(), { multiplex: true });
    expect(await Promise.all([1, 2].map(() => codeOf(client.request(GET))))).toEqual([
      'FCGI_ERR_CLIENT_CONNECT',
      'FCGI_ERR_CLIENT_CONNECT',
    ]);
  });

  it('has a request given up by FCGI_ABORT_REQUEST, and takes no others, since more of it may come', async () => {
    const { app, client } = await mpx(10, () => {}, { connections: 1 });
    const controller = new AbortController();
    const given = client.request(GET, '', { signal: controller.signal });
    const other = bodyOf(client.request(GET));
    await app.until(() => app.requests.length === 2);
    controller.abort(new Error('enough'));
    await expect(given).rejects.toThrow('enough');
    await app.until(() => app.records.some(([type, id]) => type === FCGI_ABORT_REQUEST && id === 1));
    // Go's net/http/fcgi ends it at once, and again with what its handler still says.
    app.requests[0].end();

    const later = bodyOf(client.request({ ...GET, A: 'later' }));
    await app.until(() => app.requests.length === 3);
    expect(app.requests[2].socket).not.toBe(app.requests[0].socket);
    app.requests[0].stdout(`${HEAD}what still comes`).end();
    app.requests[2].answer('later');
    app.requests[1].answer('other');
    expect(await Promise.all([other, later])).toEqual(['other', 'later']);
    await app.until(() => !app.sockets.has(app.requests[0].socket));
    const again = bodyOf(client.request(GET));
    await app.until(() => app.requests.length === 4);
    expect(app.requests[3].socket).toBe(app.requests[2].socket);
    app.requests[3].answer('again');
    expect(await again).toBe('again');
  });

  it('whose application ends a request before it has all of the body lets the next ones not wait for the others', async () => {
    const { app, client } = await mpx(10, () => {}, { connections: 1 });
    const live = client.request(GET);
    const body = new Readable({ read() {} });
    body.push('half');
    const early = client.request({ ...POST, CONTENT_LENGTH: 10 }, body);
    await app.until(() => app.requests[1]?.stdinBytes === 4);
    app.requests[1].stdout('Status: 413\r\n\r\n').end();
    expect((await early).status).toBe(413);

    const next = bodyOf(client.request(GET));
    await app.until(() => app.requests.length === 3);
    expect(app.requests[2].socket).not.toBe(app.requests[0].socket);
    app.requests[2].answer('next');
    expect(await next).toBe('next');
    expect(app.records.some(([type]) => type === FCGI_ABORT_REQUEST)).toBe(false);
    app.requests[0].answer('live');
    expect(await bodyOf(live)).toBe('live');
    await app.until(() => !app.sockets.has(app.requests[0].socket));
  });

  it('lets no slow reader hold back the others, and loses nothing of his answer', async () => {
    const { app, client } = await mpx(10, () => {}, { maxBufferedBytes: 1000 });
    const [slow, quick] = [client.request(GET), client.request(GET)];
    await app.until(() => app.requests.length === 2);
    const body = Buffer.from(Array.from({ length: 2_000_000 }, (_, i) => i % 251));
    app.requests[0].stdout(HEAD).stdout(body);
    const { stdout } = await slow;
    app.requests[1].answer('quick');
    expect(await bodyOf(quick)).toBe('quick');
    app.requests[0].end();
    expect(Buffer.concat(await stdout.toArray()).equals(body)).toBe(true);
  });

  it('that says more of a request that has ended takes no others, and what is under way goes on', async () => {
    const { app, client } = await mpx(10, () => {});
    const answers = [1, 2].map(() => bodyOf(client.request(GET)));
    await app.until(() => app.requests.length === 2);
    app.requests[0].socket.write(Buffer.concat([whole('one'), whole('stray')]));
    expect(await answers[0]).toBe('one');
    const third = bodyOf(client.request(GET));
    await app.until(() => app.requests.length === 3);
    expect(app.requests[2].socket).not.toBe(app.requests[1].socket);
    app.requests[2].answer('three');
    app.requests[1].answer('two');
    expect(await Promise.all([answers[1], third])).toEqual(['two', 'three']);
    await app.until(() => !app.sockets.has(app.requests[1].socket));
  });

  it('fails with all that are on it', async () => {
    const { app, client } = await mpx(10, () => {});
    const answers = [1, 2, 3].map(() => codeOf(client.request(POST)));
    await app.until(() => app.requests.length === 3);
    app.requests[0].socket.destroy();
    expect(new Set(await Promise.all(answers))).toEqual(new Set(['FCGI_ERR_CLIENT_CLOSED']));
  });

  it('is what our own server has', async () => {
    const { listener, of } = held();
    const server = await door.open(listener);
    const client = clientOf((server.address() as { port: number }).port, { multiplex: true });
    const answers = Array.from({ length: 250 }, (_, i) => bodyOf(client.request({ ...GET, REQUEST_URI: `/${i}` })));
    const pairs = await Promise.all(answers.map((_, i) => of(`/${i}`)));
    await eventually(async () => {
      const connections = await new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
      expect(connections).toBe(3);
    });
    for (const { req, res } of pairs.toReversed()) res.end(req.url);
    expect(await Promise.all(answers)).toEqual(answers.map((_, i) => `/${i}`));
    await client.close();
  });
});

it('leaves no socket open and no request in memory, whatever becomes of 2000 of them', async () => {
  const { app, client } = await talk(
    (request) => {
      const kind = Number(request.params.KIND);
      if (kind === 0) request.answer('whole');
      else if (kind === 1) request.stdout(`${HEAD}half`).socket.end();
      else if (kind === 2) request.socket.destroy();
      else if (kind === 3) request.stdout('no head').end();
      else request.stdout(HEAD).stdout(Buffer.alloc(100_000)).end();
    },
    { keepAlive: true, connections: 20 },
  );
  const outcomes = await Promise.all(
    Array.from({ length: 2000 }, async (_, i) => {
      const kind = i % 6;
      const signal = kind === 5 ? AbortSignal.timeout(i % 7) : undefined;
      try {
        const { stdout } = await client.request({ ...POST, KIND: kind }, '', { signal });
        return (await text(stdout)).length;
      } catch (error) {
        return (error as { code: unknown }).code ?? (error as Error).name;
      }
    }),
  );
  const count = (outcome: unknown) => outcomes.filter((each) => each === outcome).length;
  expect([count('whole'.length), count('FCGI_ERR_CLIENT_PROTOCOL'), count('FCGI_ERR_CLIENT_CLOSED')]).toEqual([
    334, 333, 667,
  ]);
  await client.close();
  await app.until(() => app.sockets.size === 0);
});
