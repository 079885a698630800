import type { ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';
import { type Act, type Scene, type Script, same } from './row.ts';

type Fatal = 'uncaughtException' | 'unhandledRejection';

/** Has what nobody catches noted, until the test is over: the test runner would fail it. */
function noteFatal(event: Fatal, note: Scene['note']): void {
  // Both events give an error first.
  const uncaught = event as 'uncaughtException';
  const listeners = process.listeners(uncaught);
  process.removeAllListeners(event);
  process.on(uncaught, (error) => note(event, error));
  onTestFinished(() => {
    process.removeAllListeners(event);
    for (const listener of listeners) process.on(uncaught, listener);
  });
}

const MINE = 'Error undefined: mine';

function fail(): never {
  throw new Error('mine');
}

/** Something of the application's fails, and nobody catches it; the client waits, and then leaves. */
function fails(name: string, event: Fatal, act: Act): void {
  same(
    name,
    { length: 6 },
    (req, res, scene) => {
      scene.watch('req', req, 'aborted', 'close', 'error');
      scene.watch('res', res, 'close');
      return act(req, res, scene);
    },
    async (visitor, { note, noted }, ask) => {
      noteFatal(event, note);
      const answer = visitor.ask(ask).write('abc').answer();
      await noted([event, MINE]);
      visitor.leave();
      await noted('res close');
      return answer;
    },
  );
}

fails('a listener that throws', 'uncaughtException', fail);

fails('a listener that throws behind its head', 'uncaughtException', (_req, res) => {
  res.write('x');
  fail();
});

fails('an async listener that rejects', 'unhandledRejection', async () => fail());

fails("a listener of req 'data' that throws", 'uncaughtException', (req) => req.on('data', fail));

fails('an async listener of req that rejects', 'unhandledRejection', (req) => req.on('data', async () => fail()));

fails('a callback of res.write that throws', 'uncaughtException', (_req, res) => res.write('x', fail));

same(
  "a listener of res 'finish' that throws",
  {},
  (_req, res, { watch }) => {
    watch('res', res, 'finish', 'close');
    res.on('finish', fail);
    res.end('x');
  },
  async (visitor, { note, noted }) => {
    noteFatal('uncaughtException', note);
    const answer = await visitor.ask().answer();
    await noted(['uncaughtException', MINE]);
    return answer;
  },
);

/** With `events.captureRejections`. */
function captured(name: string, act: Act): void {
  const script: Script = async (visitor, { noted }) => {
    const answer = visitor.ask().answer();
    await noted('res close');
    return answer;
  };
  same(name, {}, act, script, { captureRejections: true });
}

captured('captureRejections: an async listener that rejects is answered with 500', async (_req, res, { watch }) => {
  watch('res', res, 'finish', 'close');
  res.setHeader('X-Not-Told', 'to the client');
  fail();
});

captured('captureRejections: behind its head, the answer is broken off', async (_req, res, { watch }) => {
  watch('res', res, 'finish', 'close', 'error');
  res.write('x');
  await new Promise(setImmediate);
  fail();
});

captured('captureRejections: an async listener of res', async (_req, res: ServerResponse, { watch }) => {
  watch('res', res, 'finish', 'close', 'error');
  res.on('mine', async () => fail());
  res.emit('mine');
});
