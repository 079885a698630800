import { once } from 'node:events';
import net from 'node:net';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { type SimpleContext, type SimpleHandler, type SimpleOptions, simple } from '../../src/core/simple.ts';
import { deferred, serve } from './pair.ts';

async function serveSimple(handler: SimpleHandler, options?: SimpleOptions) {
  const middleware = simple(handler, options);
  return serve((req, res) => middleware(req, res, req.next!));
}

describe('simple', () => {
  it('gives params, env, stdin, stderr, send, req and res', async () => {
    const site = await serveSimple(async ({ params, env, stdin, stderr, send, req, res }) => {
      expect(params).toBe(env);
      expect(env).toBe(req.env);
      expect(stderr).toBe(res.stderr);
      send(`${params.REQUEST_METHOD} ${await stdin.text()}`);
    });
    expect((await site.ask('/', { method: 'POST' }, 'body')).body).toBe('POST body');
  });

  it('ignores what the handler returns', async () => {
    const site = await serveSimple(({ send }) => {
      send('sent');
      return 'returned';
    });
    expect((await site.ask()).body).toBe('sent');
  });

  it.each<[string, SimpleHandler]>([
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    [
      'rejects with',
      async () => {
        throw new Error('no');
      },
    ],
    [
      'sends and fails with',
      ({ send }) =>
        send(
          (async function* () {
            yield* [];
            throw new Error('no');
          })(),
        ),
    ],
  ])('gives next the error that a handler %s', async (_how, handler) => {
    const told = deferred<unknown>();
    const site = await serve((req, res) => {
      simple(handler)(req, res, (error) => {
        told.resolve(error);
        res.sendStatus(500);
      });
    });
    expect((await site.ask()).status).toBe(500);
    expect(await told.promise).toMatchObject({ message: 'no' });
  });

  it.each([undefined, null, 0, '', false])('gives next an error for a rejection with %j', async (reason) => {
    const told = deferred<unknown>();
    const site = await serve((req, res) => {
      simple(() => Promise.reject(reason))(req, res, (error) => {
        told.resolve(error);
        res.end();
      });
    });
    await site.ask();
    expect(await told.promise).toMatchObject({ message: `The handler threw ${reason}` });
  });

  it('passes on what a handler passes on', async () => {
    const site = await serve((req, res) => {
      simple(async ({ req }) => req.next!())(req, res, () => res.send('next'));
    });
    expect((await site.ask()).body).toBe('next');
  });
});

const HEAD = 'Content-Type: text/plain\n\n';

describe('stdout', () => {
  it.each<[what: string, handler: SimpleHandler]>([
    ['has returned', ({ stdout }) => void stdout.write(`${HEAD}body`)],
    [
      'is settled',
      async ({ stdout }) => {
        stdout.write(HEAD);
        await new Promise(setImmediate);
        stdout.write('body');
      },
    ],
    [
      'is settled, of which only `then` is known',
      // biome-ignore lint/suspicious/noThenProperty: it is what this is about
      ({ stdout }) => ({ then: (done: (value: unknown) => void) => done(stdout.write(`${HEAD}body`)) }),
    ],
    ['has ended it in a callback', ({ stdout }) => void setImmediate(() => stdout.end(`${HEAD}body`))],
    [
      'has ended it in a callback, having asked late',
      (context) => void setImmediate(() => context.stdout.end(`${HEAD}body`)),
    ],
    ['has had all that it pipes into it', ({ stdout }) => void Readable.from([HEAD, 'bo', 'dy']).pipe(stdout)],
    [
      'has had all that it pipes into it, and its promise is settled',
      async ({ stdout }) => {
        stdout.write(HEAD);
        Readable.from(['bo', 'dy']).pipe(stdout, { end: false });
      },
    ],
    [
      'has read stdin, and written before',
      ({ stdin, stdout }) => {
        stdout.write(HEAD);
        stdin.setEncoding('utf8').on('data', (text) => stdout.write(text));
      },
    ],
    [
      'has read stdin, and written at its end',
      ({ stdin, stdout }) => {
        const chunks: string[] = [];
        stdin.setEncoding('utf8').on('data', (text) => chunks.push(text));
        stdin.on('end', () => stdout.write(HEAD + chunks.join('')));
      },
    ],
    [
      'has read stdin in pieces',
      ({ stdin, stdout }) => {
        stdin.on('readable', () => {
          for (let chunk = stdin.read(); chunk !== null; chunk = stdin.read()) stdout.write(`${HEAD}${chunk}`);
        });
      },
    ],
  ])('ends when the handler %s', async (_when, handler) => {
    const site = await serveSimple(handler);
    expect(await site.ask('/', { method: 'POST' }, 'body')).toMatchObject({ status: 200, body: 'body' });
  });

  it('does not wait for a body that only others listen to', async () => {
    const site = await serve((req, res) => {
      req.on('end', () => {});
      return simple(({ stdout }) => void stdout.write(`${HEAD}body`))(req, res);
    });
    expect((await site.ask('/', { method: 'POST' }, 'unread')).body).toBe('body');
  });

  it.each<[what: string, handler: SimpleHandler]>([
    ['answers nothing', async () => {}],
    ['has touched stdout and stderr alone', async ({ stdout, stderr }) => void [stdout, stderr]],
    ['ends stdout before it begins', ({ stdout }) => void stdout.end()],
    ['writes what has no head', ({ stdout }) => void stdout.write('<html>')],
    ['writes what has no head, in a callback', (context) => void setImmediate(() => context.stdout.end('<html>'))],
    ['pipes what has no head', ({ stdout }) => void Readable.from(['<html>\n\n', 'more']).pipe(stdout)],
  ])('of a handler that %s is FCGI_ERR_CGI_OUTPUT', async (_what, handler) => {
    const site = await serveSimple(handler);
    expect(await site.ask()).toMatchObject({ status: 500, body: expect.stringMatching(/^FCGI_ERR_CGI_OUTPUT /) });
  });

  it.each<[what: string, answer: SimpleHandler]>([
    ['send', async ({ send }) => send('sent')],
    ['res', async ({ res }) => void res.end('sent')],
    ['res, later', async ({ res }) => void setImmediate(() => res.end('sent'))],
    ['send of a stream', async ({ stdout, send }) => [stdout, send(Readable.from(['se', 'nt']))]],
  ])('is not missed where the answer comes by %s', async (_what, answer) => {
    const site = await serveSimple(answer);
    expect(await site.ask()).toMatchObject({ status: 200, body: 'sent' });
  });

  it.each<[how: string, fail: (source: Readable) => unknown]>([
    ['fails', (source) => source.on('error', () => {}).destroy(new Error('no'))],
    ['is destroyed', (source) => source.destroy()],
  ])('does not wait for a source that %s', async (_how, fail) => {
    const failing: SimpleHandler = ({ stdout }) => {
      const source = new Readable({ read() {} });
      stdout.write(`${HEAD}body`);
      source.pipe(stdout);
      setImmediate(fail, source);
    };
    for (const handler of [failing, async (context: SimpleContext) => failing(context)]) {
      expect((await (await serveSimple(handler)).ask()).body).toBe('body');
    }
  });

  it('does not wait for a source that was closed before', async () => {
    const source = new Readable({ read() {} });
    await once(source.destroy(), 'close');
    const site = await serveSimple(({ stdout }) => {
      stdout.write(`${HEAD}body`);
      source.pipe(stdout);
    });
    expect((await site.ask()).body).toBe('body');
  });

  it('leaves no listener on a source that others read as well', async () => {
    const source = new Readable({ read() {} });
    const site = await serveSimple(async ({ stdout }) => {
      stdout.write(`${HEAD}body`);
      source.pipe(stdout);
      source.unpipe(stdout);
    });
    await site.ask();
    expect(source.listenerCount('close')).toBe(0);
  });

  it('is destroyed when the client leaves, with what is piped into it; that is no error of the handler', async () => {
    const source = new Readable({
      read() {
        this.push('x'.repeat(1000));
      },
    });
    const done = deferred<unknown>();
    const contexts: SimpleContext[] = [];
    const site = await serve((req, res) => {
      const handle = simple(
        (context) => {
          contexts.push(context);
          context.stdout.write(HEAD);
          source.pipe(context.stdout);
        },
        { readAhead: 1 },
      );
      handle(req, res, done.resolve).then(done.resolve);
    });
    const socket = net.connect(site.port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(socket, 'data');
    const closed = once(source, 'close');
    socket.destroy();
    await closed;
    expect(await done.promise).toBeUndefined();
    expect(contexts[0]?.stdout.destroyed).toBe(true);
  });
});

describe('readAhead', () => {
  it('calls the handler when the body is there, or more of it than that', async () => {
    const lengths: number[] = [];
    const site = await serveSimple(
      ({ stdin, send }) => {
        lengths.push(stdin.readableLength);
        send('called');
      },
      { readAhead: 10 },
    );
    const headers = { 'Transfer-Encoding': 'chunked' };
    for (const body of ['', 'x', 'x'.repeat(10), 'x'.repeat(11)]) {
      expect((await site.ask('/', { method: 'POST', headers }, body)).body).toBe('called');
    }
    expect(lengths).toEqual([0, 1, 10, 11]);
  });

  it('does not call the handler for a client that left before', async () => {
    const called: unknown[] = [];
    const done = deferred<unknown>();
    const site = await serve((req, res) => {
      simple(({ params }) => called.push(params), { readAhead: 10 })(req, res, (error) => called.push(error)).then(
        done.resolve,
      );
      socket.destroy();
    });
    const socket = net.connect(site.port, '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhalf');
    await done.promise;
    expect(called).toEqual([]);
  });

  it.each([-1, Number.NaN, '1mb', null])('refuses %j', (readAhead) => {
    expect(() => simple(() => {}, { readAhead: readAhead as number })).toThrow(
      expect.objectContaining({ code: 'FCGI_ERR_OPTION' }),
    );
  });
});
