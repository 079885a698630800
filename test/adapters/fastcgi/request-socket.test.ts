import { once } from 'node:events';
import type http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { Duplex, Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { HttpServer } from '../../../src/adapters/http.ts';
import { Door, type Exchange, eventually, held } from './client.ts';

const door = new Door();
const servers: http.Server[] = [];

afterEach(async () => {
  await door.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
});

interface Scenario {
  /** What of a body of ten bytes the client sends; without it, a GET. */
  body?: string;
  /** There the socket has a handle to close, and bytes to wait for; here it has not. */
  inAnyOrder?: boolean;
  act?: (req: IncomingMessage, res: ServerResponse, leave: () => void) => void;
}

/** Notes what a request and its response tell, in its order. */
function watch(req: IncomingMessage, res: ServerResponse, events: string[]): void {
  for (const event of ['aborted', 'end', 'close']) req.on(event, () => events.push(`req ${event}`));
  req.on('error', (error) => events.push(`req error ${(error as NodeJS.ErrnoException).code}`));
  for (const event of ['finish', 'close']) res.on(event, () => events.push(`res ${event}`));
  res.on('error', (error) => events.push(`res error ${(error as NodeJS.ErrnoException).code}`));
  (req as IncomingMessage & { signal: AbortSignal }).signal.addEventListener('abort', () => events.push('signal'));
}

function stateOf(req: IncomingMessage, res: ServerResponse): object {
  return {
    req: [req.aborted, req.complete, req.destroyed, req.readableEnded, req.closed],
    res: [res.destroyed, res.closed, res.writableEnded, res.headersSent],
  };
}

type Told = { events: string[]; state: object };

function listen(scenario: Scenario, leave: () => void, told: (told: Told) => void) {
  return (req: IncomingMessage, res: ServerResponse) => {
    const events: string[] = [];
    watch(req, res, events);
    // Whatever else is told follows within some turns of the loop.
    res.on('close', async () => {
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
      told({ events, state: stateOf(req, res) });
    });
    scenario.act?.(req, res, leave);
  };
}

async function overHttp(scenario: Scenario): Promise<Told> {
  const told = await new Promise<Told>((resolve) => {
    const server = new HttpServer(
      {},
      listen(scenario, () => client.destroy(), resolve),
    );
    servers.push(server);
    const { body } = scenario;
    let client: ReturnType<typeof connect>;
    server.listen(0, '127.0.0.1', () => {
      client = connect((server.address() as AddressInfo).port, '127.0.0.1');
      client.on('error', () => {});
      client.resume();
      const length = body === undefined ? '' : 'Content-Length: 10\r\n';
      client.write(`${body === undefined ? 'GET' : 'POST'} / HTTP/1.1\r\nHost: x\r\n${length}\r\n${body ?? ''}`);
    });
  });
  return told;
}

async function overFastcgi(scenario: Scenario): Promise<Told> {
  return new Promise<Told>((resolve, reject) => {
    const opened = door.serve(listen(scenario, () => opened.then(({ client }) => client.destroy()), resolve));
    opened.then(({ client }) => {
      const { body } = scenario;
      if (body === undefined) {
        client.request();
        return;
      }
      client.begin().params(1, { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '10' }).stdin(1, body);
      if (body.length === 10) client.stdinEnd();
    }, reject);
  });
}

describe('tells the application what node:http tells it:', () => {
  const leaveSoon = (_req: IncomingMessage, _res: ServerResponse, leave: () => void) => setImmediate(leave);
  const scenarios: Record<string, Scenario> = {
    'a GET that is answered': { act: (_req, res) => res.end('x') },
    'a POST whose body is read, then answered': {
      body: '0123456789',
      act: (req, res) => req.resume().on('end', () => res.end('x')),
    },
    'a POST that is answered without a look at its body': { body: '0123456789', act: (_req, res) => res.end('x') },
    'the client leaves before its body is complete, nobody reading': { body: '012', act: leaveSoon },
    'the client leaves before its body is complete, which is read': {
      body: '012',
      act: (req, _res, leave) => req.on('data', () => setImmediate(leave)),
    },
    'the client leaves after its body, before the answer': {
      body: '0123456789',
      act: (req, _res, leave) => req.resume().on('end', () => setImmediate(leave)),
    },
    'the client of a GET leaves before the answer': { act: leaveSoon },
    'the client of a GET leaves before the answer, its end read': {
      act: (req, _res, leave) => {
        req.resume();
        setImmediate(leave);
      },
    },
    'the client leaves in the middle of the answer': {
      act: (_req, res, leave) => {
        res.write('x');
        setImmediate(leave);
      },
    },
    'the client leaves in the middle of the answer, its end read': {
      act: (req, res, leave) => {
        req.resume();
        res.write('x');
        setImmediate(leave);
      },
    },
    'the response is destroyed before its head': { act: (_req, res) => setImmediate(() => res.destroy()) },
    'the response is destroyed with an error before its head': {
      act: (_req, res) => setImmediate(() => res.destroy(new Error('mine'))),
    },
    'the response is destroyed after its head': {
      act: (_req, res) => {
        res.write('x');
        setImmediate(() => res.destroy());
      },
    },
    'the response is destroyed after its end': {
      act: (_req, res) => {
        res.end('x');
        res.destroy();
      },
    },
    'the request is destroyed, its body complete': {
      body: '0123456789',
      act: (req) => setImmediate(() => req.destroy()),
      inAnyOrder: true,
    },
    'the request is destroyed with an error': {
      body: '012',
      act: (req) => req.destroy(new Error('mine')),
      inAnyOrder: true,
    },
    'the request is destroyed before its body is complete': {
      body: '012',
      act: (req) => req.destroy(),
      inAnyOrder: true,
    },
    'the request is destroyed after its end was read, then answered': {
      body: '0123456789',
      act: (req, res) =>
        req.resume().on('end', () =>
          setImmediate(() => {
            req.destroy();
            res.end('x');
          }),
        ),
    },
    'an answered POST whose body is read only then': {
      body: '0123456789',
      act: (req, res) => {
        res.end('x');
        req.resume();
      },
      inAnyOrder: true,
    },
    'the socket is destroyed': { act: (req) => setImmediate(() => req.socket.destroy()) },
    'the socket is destroyed in the middle of the answer': {
      act: (_req, res) => {
        res.write('x');
        setImmediate(() => res.socket?.destroy());
      },
    },
  };

  for (const [name, scenario] of Object.entries(scenarios)) {
    test(name, async () => {
      const [expected, told] = [await overHttp(scenario), await overFastcgi(scenario)];
      if (scenario.inAnyOrder) for (const { events } of [expected, told]) events.sort();
      expect(told).toEqual(expected);
    });
  }
});

describe('is a stream to code that looks for one:', () => {
  /** What one does with the socket, and what it says of that. */
  async function socketOf(act: (socket: Socket, res: ServerResponse) => void): Promise<Exchange> {
    const { client } = await door.serve((req, res) => act(req.socket, res));
    return client.get();
  }

  test('finished() calls back when the answer has left', async () => {
    let ended: Promise<void> | undefined;
    await socketOf((socket, res) => {
      ended = finished(socket, { readable: false }).catch((error) => error);
      res.end('x');
    });
    expect(await ended).toBeUndefined();
  });

  test('finished() fails when the client leaves', async () => {
    const requests = held();
    const { client } = await door.serve(requests.listener);
    client.request();
    const { req, res } = await requests.of('/');
    const ended = finished(req.socket).catch((error) => error.code);
    const response = finished(res).catch((error) => error.code);
    client.destroy();
    expect([await ended, await response]).toEqual(['ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_PREMATURE_CLOSE']);
  });

  test('pipeline() writes HTTP to it', async () => {
    const answer = await socketOf((socket) => {
      pipeline(Readable.from(['HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\n', 'piped ', 'body']), socket).catch(() => {});
    });
    expect(answer).toMatchObject({ status: 200, text: 'piped body', ends: 1 });
  });

  test('a response answers as before when somebody has looked', async () => {
    for (const look of [
      (socket: Socket) => socket.writableLength,
      (socket: Socket) => (socket as unknown as { _writableState: unknown })._writableState,
      (socket: Socket) => (socket as unknown as { _readableState: unknown })._readableState,
      (socket: Socket) => socket.on('data', () => {}),
      (socket: Socket) => socket.on('readable', () => {}).off('readable', () => {}),
      (socket: Socket) => socket.addListener('close', () => {}).removeListener('close', () => {}),
    ]) {
      const { client } = await door.serve((req, res) => {
        look(req.socket);
        res.cork();
        res.write('one ');
        look(req.socket);
        res.end('two');
      });
      expect(await client.get({ body: 'x' })).toMatchObject({ text: 'one two', ends: 1 });
      expect(await client.get()).toMatchObject({ text: 'one two', ends: 1 });
    }
  });

  test('it is a Duplex with the properties of a net.Socket', async () => {
    const { text } = await socketOf((socket, res) => {
      const { readable, writable, destroyed, connecting, pending, readyState, allowHalfOpen } = socket;
      socket.setNoDelay().setKeepAlive().ref().unref();
      res.end(
        JSON.stringify([
          socket instanceof Duplex,
          readable,
          writable,
          destroyed,
          connecting,
          pending,
          readyState,
          allowHalfOpen,
        ]),
      );
    });
    expect(JSON.parse(text)).toEqual([true, true, true, false, false, false, 'open', true]);
  });

  test("its own error event needs no listener, and reaches one with the application's error", async () => {
    const told: unknown[] = [];
    for (const listens of [false, true]) {
      const { client } = await door.serve((req, res) => {
        if (listens) req.socket.on('error', (error) => told.push(error.message));
        res.destroy(new Error('mine'));
      });
      client.request();
      await client.closed;
    }
    expect(told).toEqual(['mine']);
  });
});

describe('setTimeout', () => {
  test("of an idle request tells 'timeout' to whoever listens, and gives it up where nobody does", async () => {
    for (const set of [
      (req: IncomingMessage) => req.setTimeout(20),
      (req: IncomingMessage) => req.socket.setTimeout(20),
      (_req: IncomingMessage, res: ServerResponse) => res.setTimeout(20),
    ]) {
      const closed = vi.fn();
      const { client } = await door.serve((req, res) => {
        res.on('close', closed);
        set(req, res);
      });
      client.request();
      await client.closed;
      await eventually(() => expect(closed).toHaveBeenCalled());
    }
    const { client } = await door.serve((_req, res) => {
      res.setTimeout(20, () => res.writeHead(503).end('late'));
    });
    expect(await client.get()).toMatchObject({ status: 503, text: 'late' });
  });

  test('counts from the last byte either way, as on node:http', async () => {
    const { client } = await door.serve((req, res) => {
      req.socket.setTimeout(150);
      let rounds = 0;
      const write = setInterval(() => {
        res.write('x');
        if (++rounds < 12) return;
        clearInterval(write);
        res.end();
      }, 30);
    });
    expect((await client.get()).text).toBe('x'.repeat(12));
    const upload = await door.serve((req, res) => {
      req.socket.setTimeout(150);
      req.resume().on('end', () => res.end('read'));
    });
    upload.client.begin().params(1, { REQUEST_METHOD: 'POST' });
    for (let n = 0; n < 12; n++) {
      upload.client.stdin(1, 'x');
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    upload.client.stdinEnd();
    expect((await upload.client.answer()).text).toBe('read');
  });

  test('0 takes it back', async () => {
    const requests = held();
    const { client } = await door.serve(requests.listener);
    client.request();
    const { req, res } = await requests.of('/');
    const timeout = vi.fn();
    req.socket.setTimeout(10, timeout);
    req.socket.setTimeout(0);
    await new Promise((resolve) => setTimeout(resolve, 40));
    res.end('x');
    expect((await client.answer()).text).toBe('x');
    expect(timeout).not.toHaveBeenCalled();
  });
});
