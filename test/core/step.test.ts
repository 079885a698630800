import { expect, test } from 'vitest';
import { Step } from '../../src/core/step.ts';
import type { ErrorHandler, Handler } from '../../src/core/types.ts';

const [req, res] = [{}, {}] as unknown as Parameters<Handler>;

function passedOn(handler: Handler): Promise<unknown> {
  return new Promise((resolve) => new Step(handler).run(undefined, req, res, resolve));
}

test.each<[string, () => unknown, unknown]>([
  [
    'thrown',
    () => {
      throw 'thrown';
    },
    'thrown',
  ],
  ['of a promise', async () => Promise.reject('late'), 'late'],
  // biome-ignore lint/suspicious/noThenProperty: what is tested.
  ['of any thenable', () => ({ then: (_done: unknown, failed: (error: unknown) => void) => failed('own') }), 'own'],
  ['of a promise, without a reason', async () => Promise.reject(), new Error('Rejected promise')],
])('an error %s is passed on', async (_of, handler, error) => {
  expect(await passedOn(handler)).toEqual(error);
});

test.each([[undefined], [null], [7], ['text'], [{}], [Promise.resolve('done')]])(
  'what a handler returns is not looked at: %s',
  async (returned) => {
    const calls: unknown[] = [];
    new Step(() => returned).run(undefined, req, res, (error) => calls.push(error));
    await returned;
    expect(calls).toEqual([]);
  },
);

test('is told to be an error handler by four parameters', () => {
  const handler: Handler = (_req, _res, _next) => {};
  const errorHandler: ErrorHandler = (_error, _req, _res, _next) => {};
  expect([handler, errorHandler, () => {}].map((handle) => new Step(handle).catches)).toEqual([false, true, false]);
});

test('a hundred handlers run on one stack, the next one in a turn of its own', async () => {
  let turns = 0;
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    setImmediate(() => order.push('immediate'));
    const count: Handler = (_req, _res, next) => {
      turns++;
      order.push(String(turns));
      if (turns === 101) resolve();
      else next();
    };
    const step = new Step(count);
    const next = () => step.run(undefined, req, res, next);
    next();
  });
  expect(order.slice(-3)).toEqual(['100', 'immediate', '101']);
});
