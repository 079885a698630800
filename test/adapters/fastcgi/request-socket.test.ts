import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex, Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Request } from '../../../src/core/request.ts';
import { Door, type Exchange, eventually, held } from './client.ts';

const door = new Door();

afterEach(() => door.close());

// What else is told of a request's end: test/contract.
test('req.signal aborts when the client leaves or the answer breaks off, and never behind a whole answer', async () => {
  type Act = (res: ServerResponse, leave: () => void) => void;
  const acts: [act: Act, aborted: boolean][] = [
    [(res) => res.end('x'), false],
    [(_res, leave) => leave(), true],
    [
      (res, leave) => {
        res.write('x');
        setImmediate(leave);
      },
      true,
    ],
    [(res) => res.destroy(), true],
  ];
  for (const [act, aborted] of acts) {
    const requests = held();
    const { client } = await door.serve(requests.listener);
    client.request();
    const { req, res } = await requests.of('/');
    const { signal } = req as Request;
    const closed = once(res, 'close');
    act(res, () => client.destroy());
    await closed;
    expect(signal.aborted).toBe(aborted);
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

test("the socket tells the error of a destroyed response a tick later, before the end of a promise's turn and before 'close'", async () => {
  const told: string[] = [];
  const { client } = await door.serve((req, res) => {
    req.socket.on('error', (error) => told.push(error.message)).on('close', () => told.push('close'));
    res.flushHeaders();
    setImmediate(() => {
      res.destroy(new Error('mine'));
      process.nextTick(() => told.push('tick'));
      setImmediate(() => told.push('immediate'));
    });
  });
  client.request({ flags: 0 });
  await client.closed;
  expect(told.slice(0, 2)).toEqual(['mine', 'tick']);
  expect(told).toContain('close');
});
