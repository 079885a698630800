import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { FCGI_END_REQUEST, FCGI_MAX_LENGTH, FCGI_STDOUT } from '../../../src/adapters/fastcgi/constants.ts';
import { Door, encodeRequest, eventually, held } from './client.ts';

const door = new Door();

afterEach(() => door.close());

describe('records', () => {
  test('a small answer and the end of its request leave in one write', async () => {
    const { client } = await door.serve((_req, res) => {
      res.setHeader('Content-Length', 5);
      res.write('hel');
      res.end('lo');
    });
    client.socket.removeAllListeners('data');
    const chunks: Buffer[] = [];
    client.socket.on('data', (chunk) => chunks.push(chunk));
    client.request({ flags: 0 });
    await client.closed;
    expect(chunks.length).toBe(1);
  });

  test('what was written of an answer that is broken off leaves in a write before', async () => {
    const { server, client } = await door.serve((_req, res) => {
      res.write('part');
      process.nextTick(() => res.destroy());
    });
    const written: unknown[] = [];
    server.on('connection', (socket) => {
      const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
      socket.write = (...args: unknown[]) => {
        if (args[0] !== '') written.push(args[0]);
        return write(...args);
      };
    });
    const visitor = await door.connect(server);
    visitor.request();
    await visitor.closed;
    client.destroy();
    expect(written).toEqual([expect.stringMatching(/part$/), '\xff'.repeat(8)]);
  });

  test('what tells that it is broken off waits its time, whatever comes meanwhile', async () => {
    const requests = held();
    const { server, client } = await door.serve(requests.listener);
    const connected = once(server, 'connection');
    const visitor = await door.connect(server);
    const [socket] = await connected;
    visitor.begin().params(1, { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '1000' }).stdin(1, 'x');
    const { res } = await requests.of('/');
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    onTestFinished(() => vi.useRealTimers() as never);
    res.write('part');
    await visitor.until(() => visitor.exchange().stdout.includes('part'));
    res.destroy();
    const before = socket.bytesRead;
    visitor.stdin(1, 'more');
    while (socket.bytesRead === before) await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(socket.writableEnded).toBe(false);
    vi.advanceTimersByTime(20);
    await visitor.closed;
    expect(visitor.broken).toBe(true);
    client.destroy();
  });

  test('the head and a body written in one turn lie in one record', async () => {
    const { client } = await door.serve((_req, res) => {
      res.write('a');
      res.write(Buffer.from('b'));
      res.end('c');
    });
    const { records } = await client.get();
    expect(records.map(({ type, content }) => [type, content.length > 0])).toEqual([
      [FCGI_STDOUT, true],
      [FCGI_STDOUT, false],
      [FCGI_END_REQUEST, true],
    ]);
  });

  for (const length of [0, 1, 16_384, 16_385, FCGI_MAX_LENGTH - 1, FCGI_MAX_LENGTH, FCGI_MAX_LENGTH + 1, 1_000_000]) {
    test(`a body of ${length} bytes arrives whole, as text and as bytes, in a later turn or at once`, async () => {
      for (const body of ['x'.repeat(length), Buffer.alloc(length, 'x')]) {
        for (const later of [false, true]) {
          const { client } = await door.serve((_req, res) => {
            if (!later) return res.end(body);
            res.flushHeaders();
            setImmediate(() => res.end(body));
          });
          const answer = await client.get();
          expect(answer.body.equals(Buffer.from(body))).toBe(true);
          expect(answer.records.at(-1)!.type).toBe(FCGI_END_REQUEST);
        }
      }
    });
  }

  test('no empty record, which would end STDOUT, comes before the end', async () => {
    const { client } = await door.serve(async (_req, res) => {
      res.flushHeaders();
      for (const piece of ['', 'a', '', Buffer.alloc(0), 'b', '']) {
        res.write(piece);
        await new Promise(setImmediate);
      }
      res.end('');
    });
    const answer = await client.get();
    expect(answer.text).toBe('ab');
    expect(answer.records.filter(({ type, content }) => type === FCGI_STDOUT && content.length === 0).length).toBe(1);
  });

  test('what is streamed leaves as it is written', async () => {
    const requests = held();
    const { client } = await door.serve(requests.listener);
    client.request();
    const { res } = await requests.of('/');
    for (let n = 1; n <= 5; n++) {
      res.write(`data: ${n}\n\n`);
      await client.until(() => client.exchange().text.endsWith(`data: ${n}\n\n`));
    }
    res.end();
    expect((await client.answer()).ends).toBe(1);
  });
});

describe('cork', () => {
  test('holds back until uncork, end or nothing holds any more', async () => {
    const requests = held();
    const { client } = await door.serve(requests.listener);
    client.send(encodeRequest({ id: 1 }), encodeRequest({ id: 2, params: { REQUEST_URI: '/2' } }));
    const { res } = await requests.of('/');
    res.cork();
    res.cork();
    res.write('one ');
    res.uncork();
    res.write('two ');
    (await requests.of('/2')).res.end('neighbour');
    await client.answer(2);
    expect(client.exchange(1).records).toEqual([]);
    res.uncork();
    await client.until(() => client.exchange(1).text === 'one two ');
    res.cork();
    res.cork();
    res.end('three');
    expect((await client.answer(1)).text).toBe('one two three');
  });
});

describe('callbacks', () => {
  test("come in node:http's order, and 'close' last", async () => {
    const told: string[] = [];
    let closed: Promise<unknown> | undefined;
    const { client } = await door.serve((_req, res) => {
      for (const event of ['finish', 'close']) res.on(event, () => told.push(event));
      closed = once(res, 'close');
      res.write('a', () => told.push('first'));
      res.write(Buffer.from('b'), () => told.push('second'));
      told.push(`${res.writableEnded} ${res.writableFinished}`);
      res.end('c', () => {
        told.push(`end ${res.writableEnded} ${res.writableFinished}`);
      });
    });
    await client.get();
    await closed;
    expect(told.filter((event) => !event.startsWith('end'))).toEqual([
      'false false',
      'first',
      'second',
      'finish',
      'close',
    ]);
    expect(told).toContain('end true true');
  });

  test('come with an error, and no finish, when the web server has gone', async () => {
    const requests = held();
    const { client } = await door.serve(requests.listener);
    client.request();
    const { res } = await requests.of('/');
    client.socket.pause();
    const told: unknown[] = [];
    res.on('finish', () => told.push('finish'));
    while (res.write(Buffer.alloc(1_000_000)));
    await new Promise(setImmediate);
    const failed = new Promise((resolve) => res.write(Buffer.alloc(10_000_000), resolve));
    const closed = once(res, 'close');
    res.end();
    client.destroy();
    expect(await failed).toBeInstanceOf(Error);
    await closed;
    expect(told).toEqual([]);
  });
});

describe('a reader that is slower than the application', () => {
  /** Writes until it is told to wait; resolves with the bytes it has written. */
  function fill(res: ServerResponse, piece: Buffer | string): number {
    let bytes = piece.length;
    while (res.write(piece)) bytes += piece.length;
    return bytes;
  }

  test("is waited for: write says so, and 'drain' comes when it takes more", async () => {
    const requests = held();
    const { client } = await door.serve(requests.listener);
    client.socket.pause();
    client.request();
    const { res } = await requests.of('/');
    let bytes = 0;
    // What the system buffers goes at once: the second 'drain' or the tenth is the reader's.
    let waits = false;
    for (let round = 0; round < 200 && !waits; round++) {
      bytes += fill(res, Buffer.alloc(100_000, 'x'));
      const drained = once(res, 'drain').then(() => true);
      await new Promise(setImmediate);
      await new Promise(setImmediate);
      waits = !(await Promise.race([drained, new Promise((resolve) => setImmediate(resolve))]));
      if (waits) {
        expect(res.writableNeedDrain).toBe(true);
        expect(res.writableLength + (res.socket?.writableLength ?? 0)).toBeLessThan(2_000_000);
        client.socket.resume();
        expect(await drained).toBe(true);
      }
    }
    expect(waits).toBe(true);
    res.end('end');
    expect((await client.answer()).body.length).toBe(bytes + 3);
  });

  test('gets all of a stream that is piped to it', async () => {
    let piped: Promise<void> | undefined;
    const { client } = await door.serve((_req, res) => {
      const source = function* () {
        for (let n = 0; n < 300; n++) yield Buffer.alloc(100_000, n);
      };
      piped = pipeline(Readable.from(source()), res);
    });
    client.request();
    client.socket.pause();
    await new Promise(setImmediate);
    client.socket.resume();
    const { body } = await client.answer();
    expect(body.length).toBe(30_000_000);
    for (let n = 0; n < 300; n++) expect(body[n * 100_000]).toBe(n & 255);
    await piped;
  });

  test('ends the pipeline that feeds it when it leaves', async () => {
    let piped: Promise<unknown> | undefined;
    const { client } = await door.serve((_req, res) => {
      const source = function* () {
        for (;;) yield Buffer.alloc(100_000);
      };
      piped = pipeline(Readable.from(source()), res).catch((error) => error.code);
    });
    client.request();
    await client.until(() => client.exchange().records.length > 3);
    client.destroy();
    expect(await piped).toBe('ERR_STREAM_PREMATURE_CLOSE');
  });
});

describe('after the end', () => {
  test('nothing more leaves, and who writes is told', async () => {
    const told: unknown[] = [];
    const { client } = await door.serve((_req, res) => {
      const { socket } = res;
      res.on('error', (error) => told.push((error as NodeJS.ErrnoException).code));
      res.end('whole');
      res.write('more', (error) => told.push(error instanceof Error));
      socket!.write('more', (error) => told.push(error instanceof Error));
      res.on('close', () => {
        socket!.write('more', (error) => told.push(error instanceof Error));
        socket!.end('more');
      });
    });
    const answer = await client.get();
    await eventually(() => expect(told.length).toBe(4));
    expect(told).toContain('ERR_STREAM_WRITE_AFTER_END');
    expect(told.filter((error) => error === true).length).toBe(3);
    expect((await client.get({ id: 2 })).text).toBe('whole');
    expect(answer).toMatchObject({ text: 'whole', ends: 1 });
  });
});

test('an answer without end does not keep the server from noticing that the web server has left', async () => {
  const ENOUGH = 100_000;
  const answering = held();
  const { client } = await door.serve(answering.listener);
  client.request();
  const { res } = await answering.of('/');
  client.destroy();
  await client.closed;
  let writes = 0;
  const write = () => {
    while (writes++ < ENOUGH) if (!res.write('x'.repeat(10_000))) return;
  };
  res.on('drain', write);
  write();
  await once(res, 'close');
  expect(writes).toBeLessThan(ENOUGH);
});
