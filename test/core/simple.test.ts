import { describe, expect, it } from 'vitest';
import { type SimpleHandler, simple } from '../../src/core/simple.ts';
import { deferred, serve } from './pair.ts';

async function serveSimple(handler: SimpleHandler) {
  const middleware = simple(handler);
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

  it('gives next an error for a rejection without a reason', async () => {
    const told = deferred<unknown>();
    const site = await serve((req, res) => {
      simple(() => Promise.reject())(req, res, (error) => {
        told.resolve(error);
        res.end();
      });
    });
    await site.ask();
    expect(await told.promise).toBeInstanceOf(Error);
  });
});
