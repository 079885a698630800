import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type Act, type Scene, same, sameServer } from './row.ts';
import type { Ask, Visitor } from './visitor.ts';

const SOON = 20;
const PART: Ask = { length: 10 };

type Set = (req: IncomingMessage, res: ServerResponse, scene: Scene) => unknown;

/** Whoever hears of a timeout; where nobody does, the connection is closed. */
function timesOut(name: string, ask: Ask, set: Set): void {
  const act: Act = (req, res, scene) => {
    scene.watch('res', res, 'finish', 'close');
    set(req, res, scene);
  };
  same(name, ask, act, async (visitor: Visitor, { noted }) => {
    const answer = visitor.ask(ask).answer();
    if (ask === PART) visitor.write('abc');
    await noted('res close');
    return answer;
  });
}

timesOut('req.setTimeout that nobody hears of', PART, (req, _res, { note }) => note(req.setTimeout(SOON) === req));

timesOut('req.setTimeout while the body is coming', PART, (req, res, { note }) => {
  req.setTimeout(SOON, (socket?: Socket) => {
    note('timeout', socket === req.socket);
    res.end('late');
  });
});

timesOut('req.setTimeout of a request that is complete', {}, (req, res, { note }) => {
  req.setTimeout(SOON, () => note('timeout of the request'));
  res.on('close', () => note(req.socket.destroyed));
});

timesOut('res.setTimeout', {}, (_req, res, { note }) => {
  note(
    res.setTimeout(SOON, () => {
      note('timeout');
      res.writeHead(503).end('late');
    }) === res,
  );
});

timesOut('res.setTimeout that nobody hears of', {}, (_req, res) => res.setTimeout(SOON));

timesOut('req.socket.setTimeout', {}, ({ socket }, _res, { note }) => {
  note(socket.setTimeout(SOON, () => note('timeout of the socket', socket.destroyed)) === socket, socket.timeout);
});

timesOut('setTimeout heard by all', PART, (req, res, { note, server }) => {
  req.on('timeout', () => note('req'));
  res.on('timeout', () => note('res'));
  server.on('timeout', () => {
    note('server');
    res.end('late');
  });
  req.socket.on('timeout', () => note('socket'));
  req.socket.setTimeout(SOON);
});

timesOut('setTimeout(0) takes it back', {}, (req, res, { note }) => {
  const timeout = () => note('timeout');
  req.socket.setTimeout(SOON, timeout);
  req.socket.setTimeout(0, timeout);
  note(req.socket.timeout);
  setTimeout(() => res.end('in time'), SOON * 3);
});

timesOut('setTimeout of what is no time', {}, (req, res, { attempt }) => {
  for (const time of ['20', -1, Number.NaN, Number.POSITIVE_INFINITY, null]) {
    attempt(() => req.socket.setTimeout(time as number));
  }
  attempt(() => req.socket.setTimeout(20, 'no function' as never));
  req.socket.setTimeout(0);
  res.end('x');
});

timesOut('setTimeout counts from the last byte either way', {}, (req, res, { note }) => {
  req.socket.setTimeout(SOON * 10, () => note('timeout'));
  let left = 10;
  const drip = setInterval(() => {
    res.write('x');
    if (--left > 0) return;
    clearInterval(drip);
    res.end();
  }, SOON * 2);
});

sameServer('server.setTimeout, timeout', async ({ server, note, noted, visit }) => {
  note(server.timeout);
  note(
    server.setTimeout(SOON, (socket: Socket) => {
      note('timeout', socket.destroyed);
      socket.destroy();
    }) === server,
    server.timeout,
  );
  server.on('request', (_req, res) => {
    res.on('close', () => note('res close'));
  });
  const visitor = await visit();
  const answer = visitor.ask().answer();
  await noted('res close');
  return answer;
});

sameServer('server.timeout that nobody hears of', async ({ server, note, noted, visit }) => {
  server.timeout = SOON;
  server.on('request', (_req, res) => {
    res.on('close', () => note('res close'));
  });
  const visitor = await visit();
  const answer = visitor.ask().answer();
  await noted('res close');
  return answer;
});
