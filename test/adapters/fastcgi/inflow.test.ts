import fs from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Inflow } from '../../../src/adapters/fastcgi/inflow.ts';
import { codesOf, Door, eventually, held } from './client.ts';
import { seeded } from './random.ts';

const door = new Door();

afterEach(async () => {
  vi.restoreAllMocks();
  await door.close();
});

describe('what comes before its reader wants it', () => {
  test('is passed on in its order, through memory and file, however the two alternate', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = seeded(seed);
      let wanted: (() => void) | undefined;
      const reader = new Readable({ highWaterMark: 1 + random(500), read: () => wanted?.() });
      const inflow = new Inflow(reader, random(1000) + 1, () => reader.push(null));
      wanted = () => inflow.resume();
      const sent: Buffer[] = [];
      const got: Buffer[] = [];
      for (let n = 0; n < 200; n++) {
        const chunk = Buffer.from(Array.from({ length: 1 + random(300) }, () => random(256)));
        sent.push(chunk);
        inflow.push(chunk);
        if (random(3) === 0) got.push(reader.read() ?? Buffer.alloc(0));
      }
      inflow.end();
      got.push(await buffer(reader));
      expect(Buffer.concat(got).equals(Buffer.concat(sent))).toBe(true);
    }
  });

  test('leaves no file in the directory, and no descriptor once it is read or given up', async () => {
    const open = vi.spyOn(fs, 'openSync');
    const close = vi.spyOn(fs, 'closeSync');
    for (const finish of ['read', 'give up']) {
      const reader = new Readable({ highWaterMark: 1, read: () => inflow.resume() });
      const inflow = new Inflow(reader, 10, () => reader.push(null));
      for (let n = 0; n < 10; n++) inflow.push(Buffer.alloc(100));
      expect(fs.existsSync(open.mock.lastCall![0] as string)).toBe(false);
      inflow.end();
      if (finish === 'read') await buffer(reader);
      else inflow.close();
    }
    expect(open).toHaveBeenCalledTimes(2);
    expect(close.mock.calls.map(([file]) => file)).toEqual(open.mock.results.map(({ value }) => value));
  });
});

describe('a reader that is slow', () => {
  test('holds back the web server, where it holds back nothing else', async () => {
    const requests = held();
    const { client } = await door.serve(requests.listener);
    const open = vi.spyOn(fs, 'openSync');
    const body = Buffer.alloc(20_000_000, 'held back ');
    client.begin(1, 1, 0).params(1, { REQUEST_METHOD: 'POST' }).stdin(1, body).stdinEnd();
    const { req, res } = await requests.of('/');
    await eventually(() => expect((req.socket as unknown as { inputPaused: boolean }).inputPaused).toBe(true));
    expect(client.socket.writableLength).toBeGreaterThan(0);
    expect((await buffer(req)).equals(body)).toBe(true);
    res.end('read');
    expect((await client.answer()).text).toBe('read');
    expect(open).not.toHaveBeenCalled();
  });

  test('that stops and goes on gets everything in its order', async () => {
    const requests = held();
    const { client } = await door.serve(requests.listener, { maxBufferedBytes: 50_000 });
    const body = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 7919) >> 3));
    client.begin(5).params(5, { REQUEST_METHOD: 'POST' }).stdin(5, body).stdinEnd(5);
    const { req, res } = await requests.of('/');
    const got = await readHaltingly(req);
    expect(got.equals(body)).toBe(true);
    res.end();
    expect((await client.answer(5)).ends).toBe(1);
  });
});

async function readHaltingly(req: IncomingMessage): Promise<Buffer> {
  const random = seeded(7);
  const got: Buffer[] = [];
  for await (const chunk of req) {
    got.push(chunk);
    for (let turns = random(4); turns > 0; turns--) await new Promise(setImmediate);
  }
  return Buffer.concat(got);
}

test('a body that cannot be kept for lack of room is answered with 503, and its neighbours live', async () => {
  const requests = held();
  const { server, client } = await door.serve(requests.listener, { maxBufferedBytes: 1000 });
  const codes = codesOf(server);
  vi.spyOn(fs, 'openSync').mockImplementation(() => {
    throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  });
  client.begin(2).params(2, { REQUEST_METHOD: 'POST' }).stdin(2, Buffer.alloc(1_000_000)).stdinEnd(2);
  expect((await client.answer(2)).status).toBe(503);
  expect(codes).toEqual(['FCGI_ERR_OVERLOADED']);
  client.request({ id: 3, params: { REQUEST_URI: '/3' } });
  (await requests.of('/3')).res.end('well');
  expect((await client.answer(3)).text).toBe('well');
  expect(server.live).toBe(0);
});
