import { describe, expect, it } from 'vitest';
import { FcgiHandler, type FcgiHandlerClass, isFcgiHandler, serveFcgiHandler } from '../../src/core/fcgi-handler.ts';
import { deferred, serve } from './pair.ts';

const MIB = 1024 * 1024;
const HEAD = 'Content-Type: text/plain\n\n';

function serveHandler(Handler: FcgiHandlerClass) {
  const listener = serveFcgiHandler(Handler);
  return serve((req, res) => listener(req, res, req.next));
}

describe('a handler', () => {
  it('finds the request: environ, stdin, the streams by name, req and res', async () => {
    const site = await serveHandler(
      class extends FcgiHandler {
        async handle() {
          expect(this.environ).toBe(this.req.env);
          expect(this.environ.QUERY_STRING).toBe('q');
          expect(this.stdin).toBe(this.req);
          expect(this.stderr).toBe(this.res.stderr);
          for (const name of ['stdin', 'stdout', 'stderr'] as const)
            expect(this.stream(name as 'stdin')).toBe(this[name]);
          this.print(`Content-Type: text/plain\n\n${await this.stdin.text()}`);
        }
      },
    );
    expect((await site.ask('/?q', { method: 'POST' }, 'body')).body).toBe('body\r\n');
  });

  it.each<[what: string, write: (handler: FcgiHandler) => void, written: string]>([
    ['print: a line', (handler) => handler.print('line'), 'line\r\n'],
    ['print: nothing but a line end', (handler) => handler.print(), '\r\n'],
    ['print: LF and CRLF as CRLF', (handler) => handler.print('a\nb\r\nc\rd'), 'a\r\nb\r\nc\rd\r\n'],
    ['print: anything as text', (handler) => handler.print(null), 'null\r\n'],
    ['write: text', (handler) => handler.write('a\nb'), 'a\nb'],
    ['write: bytes', (handler) => handler.write(Buffer.from('a\nb')), 'a\nb'],
    ['write: no stderr', (handler) => handler.write(new Uint8Array([97]), false), 'a'],
    ['stdout', (handler) => handler.stdout.write('a\nb'), 'a\nb'],
    ['the stream of that name', (handler) => handler.stream('stdout').write('a\nb'), 'a\nb'],
  ])('writes its answer with %s', async (_what, write, written) => {
    const site = await serveHandler(
      class extends FcgiHandler {
        handle() {
          this.write(HEAD);
          write(this);
        }
      },
    );
    expect((await site.ask()).body).toBe(written);
  });

  it('answers with a status and headers, by res or by stdout', async () => {
    const site = await serveHandler(
      class extends FcgiHandler {
        handle() {
          if (this.environ.QUERY_STRING === 'res') this.res.status(201).send('made');
          else this.print('Status: 404 Gone\nX-A: b\n\nno');
        }
      },
    );
    expect(await site.ask('/?res')).toMatchObject({ status: 201, body: 'made' });
    expect(await site.ask()).toMatchObject({ status: 404, message: 'Gone', headers: { 'x-a': 'b' }, body: 'no\r\n' });
  });

  it.each([
    ['nothing', undefined, ''],
    ['text', 'h\u00e9', 'h\u00e9'],
    ['1 MiB', Buffer.alloc(MIB, 'x'), 'x'.repeat(MIB)],
  ])('has the whole body as content(), each time it asks: %s', async (_what, body, content) => {
    const site = await serveHandler(
      class extends FcgiHandler {
        handle() {
          expect(this.content()).toBe(this.content());
          this.write(HEAD + this.content());
        }
      },
    );
    expect((await site.ask('/', { method: 'POST' }, body)).body).toBe(content);
  });

  it('of more than 1 MiB has a stream, and from content() an error that is a 413', async () => {
    const site = await serveHandler(
      class extends FcgiHandler {
        async handle() {
          if (this.environ.QUERY_STRING !== 'stream') return this.print(HEAD + this.content());
          let size = 0;
          for await (const chunk of this.stdin) size += chunk.length;
          this.write(`${HEAD}${size}`);
        }
      },
    );
    const more = Buffer.alloc(MIB + 1, 'x');
    expect((await site.ask('/?stream', { method: 'POST' }, more)).body).toBe(`${MIB + 1}`);
    const { status, body } = await site.ask('/', { method: 'POST' }, more);
    expect([status, body]).toEqual([413, expect.stringContaining('FCGI_ERR_BODY_TOO_LARGE')]);
  });

  it('shares nothing with the handlers of other requests', async () => {
    const both = deferred<void>();
    let count = 0;
    const made = new Set<FcgiHandler>();
    const site = await serveHandler(
      class extends FcgiHandler {
        own = '';
        async handle() {
          made.add(this);
          this.own += this.environ.QUERY_STRING;
          if (++count === 2) both.resolve();
          await both.promise;
          this.write(`${HEAD}${this.own} ${this.content()}`);
        }
      },
    );
    const answers = await Promise.all(['a', 'b'].map((id) => site.ask(`/?${id}`, { method: 'POST' }, `body ${id}`)));
    expect(answers.map(({ body }) => body)).toEqual(['a body a', 'b body b']);
    expect(made.size).toBe(2);
  });
});

describe('setup and finish', () => {
  async function orderOf(fails: string): Promise<[status: number, order: string[]]> {
    const order: string[] = [];
    const step = async (name: string) => {
      await 1;
      order.push(name);
      if (fails === name) throw new Error(name);
    };
    const site = await serveHandler(
      class extends FcgiHandler {
        override setup() {
          return step('setup');
        }
        async handle() {
          await step('handle');
          this.write(HEAD);
        }
        override finish() {
          if (fails === '') this.write('finished');
          return step('finish');
        }
      },
    );
    const { status, body } = await site.ask();
    expect(body).toContain(fails || 'finished');
    return [status, order];
  }

  it('are called before and after handle, and waited for', async () => {
    expect(await orderOf('')).toEqual([200, ['setup', 'handle', 'finish']]);
  });

  it('finish is called where handle has thrown, too, but not where setup has', async () => {
    expect(await orderOf('handle')).toEqual([500, ['setup', 'handle', 'finish']]);
    expect(await orderOf('setup')).toEqual([500, ['setup']]);
  });
});

describe('what goes wrong', () => {
  it.each<[what: string, handle: (handler: FcgiHandler) => unknown, told: string]>([
    [
      'throws',
      () => {
        throw new Error('broken');
      },
      'broken',
    ],
    ['rejects', () => Promise.reject(new Error('broken')), 'broken'],
    ['rejects without a reason', () => Promise.reject(), 'The handler threw undefined'],
    ['answers nothing', () => {}, 'FCGI_ERR_CGI_OUTPUT The handler has answered nothing'],
    ['writes no head', (handler) => handler.print('<html>'), 'FCGI_ERR_CGI_OUTPUT'],
  ])('is for the error handlers: one that %s', async (_what, handle, told) => {
    const site = await serveHandler(
      class extends FcgiHandler {
        handle() {
          return handle(this);
        }
      },
    );
    const { status, body } = await site.ask();
    expect([status, body]).toEqual([500, expect.stringContaining(told)]);
  });
});

it('a class of handlers is told from a function', () => {
  class Hello extends FcgiHandler {
    handle() {}
  }
  class Special extends Hello {}
  expect([Hello, Special].map(isFcgiHandler)).toEqual([true, true]);
  expect([() => {}, class {}, FcgiHandler, {}, undefined].map(isFcgiHandler)).toEqual([
    false,
    false,
    false,
    false,
    false,
  ]);
});
