import { IncomingMessage, type ServerResponse } from 'node:http';
import { finished, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Act, type Scene, type Script, same } from './row.ts';
import type { Ask, Visitor } from './visitor.ts';

/** What can be seen afterwards. */
function stateOf(req: IncomingMessage, res: ServerResponse): unknown {
  const { errored } = req as IncomingMessage & { errored: Error | null };
  return {
    req: [req.aborted, req.complete, req.destroyed, req.readableEnded, req.closed, errored?.message],
    res: [res.destroyed, res.closed, res.headersSent, res.writableEnded, res.writableFinished],
  };
}

const PART: Ask = { length: 10 };
const WHOLE: Ask = { body: '0123456789' };

type Leave = (visitor: Visitor, scene: Scene) => unknown;

/** All that is told of the end of a request, in its order, and what can be seen afterwards. */
function ends(name: string, ask: Ask, act: Act, client: Leave = () => {}): void {
  same(
    name,
    ask,
    (req, res, scene) => {
      const { note, watch } = scene;
      watch('req', req, 'aborted', 'end', 'close', 'error');
      watch('res', res, 'prefinish', 'finish', 'close', 'error');
      res.on('close', async () => {
        for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
        note(stateOf(req, res));
        note('all told');
      });
      return act(req, res, scene);
    },
    async (visitor, scene) => {
      const answer = visitor.ask(ask).answer();
      if (ask === PART) visitor.write('012');
      await client(visitor, scene);
      await scene.noted('all told');
      return answer;
    },
  );
}

/** Leaves when the listener has said so. */
const leaves: Leave = async (visitor, { noted }) => {
  await noted('leave');
  visitor.leave();
};

ends('a GET that is answered', {}, (_req, res) => res.end('x'));

ends('a GET that is answered later', {}, (_req, res) => setImmediate(() => res.end('x')));

ends('a POST whose body is read, then answered', WHOLE, (req, res) => req.resume().on('end', () => res.end('x')));

ends('a POST that is answered without a look at its body', WHOLE, (_req, res) => res.end('x'));

/** Who listens to a request no sooner than he is called, by an answer's end. */
const listens =
  (
    call: (res: ServerResponse, listen: () => void) => unknown,
    read: (req: IncomingMessage) => unknown = () => {},
    events = ['end', 'close'],
  ): Act =>
  (req, res, { watch }) => {
    call(res, () => {
      watch('req', req, ...events);
      read(req);
    });
    if (!res.writableEnded) res.end('x');
  };

/** From Node 26 on, the end of node:http's request has passed by then; here it still comes. */
const LATE = Number.parseInt(process.versions.node, 10) < 26 ? ['end', 'close'] : ['close'];

/** Waits for what nobody may be told. */
const hears: Script = async (visitor, { noted }, ask) => {
  const answer = await visitor.ask(ask).answer();
  await noted('req close');
  return answer;
};

same(
  'a GET whose end is read in the callback of res.end',
  {},
  (req, res, { note }) => {
    res.end('x', async () => {
      for await (const _piece of req);
      note('req close');
    });
  },
  hears,
);

same(
  "a GET that is listened to from 'finish' on",
  {},
  listens((res, listen) => res.on('finish', listen)),
  hears,
);

same(
  "a GET that is resumed in 'finish'",
  {},
  listens(
    (res, listen) => res.on('finish', listen),
    (req) => req.resume(),
  ),
  hears,
);

same(
  "a GET that is listened to from a tick behind 'finish' on",
  {},
  listens((res, listen) => res.on('finish', () => process.nextTick(listen)), undefined, LATE),
  hears,
);

same(
  "a GET that is listened to from the response's 'close' on",
  {},
  listens((res, listen) => res.on('close', listen), undefined, LATE),
  hears,
);

same(
  "a POST that is listened to from 'finish' on",
  WHOLE,
  listens((res, listen) => res.on('finish', listen)),
  hears,
);

same(
  "a POST that is listened to from the response's 'close' on",
  WHOLE,
  listens((res, listen) => res.on('close', listen)),
  hears,
);

ends(
  'the client leaves before its body is complete, nobody reading',
  PART,
  (_req, _res, { note }) => note('leave'),
  leaves,
);

ends(
  'the client leaves before its body is complete, which is read',
  PART,
  (req, _res, { note }) => req.on('data', () => note('leave')),
  leaves,
);

ends(
  'the client leaves after its body, before the answer',
  WHOLE,
  (req, _res, { note }) => req.resume().on('end', () => note('leave')),
  leaves,
);

ends('the client of a GET leaves before the answer', {}, (_req, _res, { note }) => note('leave'), leaves);

ends(
  'the client of a GET leaves before the answer, its end read',
  {},
  (req, _res, { note }) => req.resume().on('end', () => note('leave')),
  leaves,
);

ends(
  'the client leaves in the middle of the answer',
  {},
  (_req, res) => res.write('x'),
  async (visitor) => {
    await visitor.until('x');
    visitor.leave();
  },
);

ends(
  'the client leaves in the middle of the answer, its end read',
  {},
  (req, res) => {
    req.resume();
    res.write('x');
  },
  async (visitor) => {
    await visitor.until('x');
    visitor.leave();
  },
);

ends(
  'the client leaves while res is piped to',
  {},
  (_req, res, { note }) => {
    const source = new Readable({ read() {} });
    source.push('x');
    source.on('close', () => note('source close'));
    pipeline(source, res).catch(note);
  },
  async (visitor) => {
    await visitor.until('x');
    visitor.leave();
  },
);

ends(
  'what is written after the client has left',
  {},
  (_req, res, { note, attempt }) => {
    res.on('close', () => {
      attempt(() => res.write('too late', note));
      attempt(() => res.end(note) === res);
      attempt(() => res.writableEnded);
    });
    note('leave');
  },
  leaves,
);

ends('res.destroy() before the head', {}, (_req, res) => setImmediate(() => res.destroy()));

ends('res.destroy(error) before the head', {}, (_req, res, { note }) => {
  finished(res, note);
  setImmediate(() => res.destroy(new Error('mine')));
  res.on('close', () => note(res.errored));
});

ends('res.destroy() after the head', {}, (_req, res) => {
  res.write('x');
  setImmediate(() => res.destroy());
});

ends('res.destroy() a tick after the head', {}, (_req, res) => {
  res.write('x');
  process.nextTick(() => res.destroy());
});

ends('res.destroy() after its end', {}, (_req, res) => {
  res.end('x');
  res.destroy();
});

ends('req.destroy() of a complete request', WHOLE, (req) => setImmediate(() => req.destroy()));

ends('req.destroy() before the body is complete', PART, (req) => req.destroy());

ends('req.destroy(error)', PART, (req, _res, { note }) => {
  finished(req, note);
  req.destroy(new Error('mine'));
});

ends('req.destroy() after its end was read, then an answer', WHOLE, (req, res) =>
  req.resume().on('end', () =>
    setImmediate(() => {
      req.destroy();
      res.end('x');
    }),
  ),
);

ends('req.socket.destroy()', {}, (req) => setImmediate(() => req.socket.destroy()));

ends('req.socket.destroy(error)', {}, (req) => setImmediate(() => req.socket.destroy(new Error('mine'))));

ends('req.socket.destroy() in the middle of the answer', {}, (_req, res) => {
  res.write('x');
  setImmediate(() => res.socket?.destroy());
});

/** Node's own, from Node 24 on; this package's requests have it on every Node. */
const notesSignal =
  (act: Act): Act =>
  (req, res, scene) => {
    if ('signal' in IncomingMessage.prototype) {
      const { signal } = req as IncomingMessage & { signal: AbortSignal };
      res.on('close', () => setImmediate(() => scene.note(signal.aborted)));
    }
    return act(req, res, scene);
  };

ends(
  'req.signal of a request that is answered',
  {},
  notesSignal((_req, res) => setImmediate(() => res.end('x'))),
);

ends(
  'req.signal when the client leaves',
  {},
  notesSignal((_req, _res, { note }) => note('leave')),
  leaves,
);

ends(
  'req.signal of an answer that is destroyed',
  {},
  notesSignal((_req, res) => setImmediate(() => res.destroy())),
);
