import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import type { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from 'vitest';
import { FCGI_FILTER, FCGI_REQUEST_COMPLETE } from '../../../src/adapters/fastcgi/constants.ts';
import type { Request } from '../../../src/core/request.ts';
import { type Client, codesOf, Door, eventually, held } from './client.ts';

const door = new Door();

afterEach(() => door.close());

function dataOf(req: unknown): Readable {
  return (req as Request).data!;
}

/** `once` would listen to its errors as well. */
function closeOf(data: Readable): Promise<unknown> {
  return new Promise((resolve) => data.once('close', resolve));
}

/** Answers with the body and the length of the data. */
const measure: RequestListener = async (req, res) => {
  const parts = await Promise.all([text(req), text(dataOf(req))]).catch(() => undefined);
  if (parts) res.end(`${parts[0]}:${parts[1].length}`);
};

/** A Filter up to its data. */
function beginFilter(client: Client, params: Record<string, string> = {}, flags = 1): Client {
  return client
    .begin(1, FCGI_FILTER, flags)
    .params(1, { CONTENT_LENGTH: '0', ...params })
    .stdinEnd();
}

describe('the data of a Filter', () => {
  test('is a stream beside its body', async () => {
    const { client } = await door.serve(measure);
    client.request({ role: FCGI_FILTER, body: 'how' });
    client.data(1, 'd'.repeat(300_000)).dataEnd();
    expect((await client.answer()).text).toBe('how:300000');
  });

  test('may be empty', async () => {
    const { client } = await door.serve(measure);
    client.request({ role: FCGI_FILTER, body: 'how', params: { FCGI_DATA_LENGTH: '0' } }).dataEnd();
    expect((await client.answer()).text).toBe('how:0');
  });

  test('is filtered while it comes, with its length and date in the parameters', async () => {
    const { client } = await door.serve(async (message, res) => {
      const req = message as Request;
      res.write(`${req.role} ${req.env.FCGI_DATA_LENGTH} ${req.env.FCGI_DATA_LAST_MOD}\n`);
      for await (const chunk of dataOf(req)) res.write(String(chunk).toUpperCase());
      res.end();
    });
    beginFilter(client, { FCGI_DATA_LENGTH: '9', FCGI_DATA_LAST_MOD: '1760000000' });
    let expected = 'filter 9 1760000000\n';
    for (const piece of ['one', 'two', 'six']) {
      client.data(1, piece);
      expected += piece.toUpperCase();
      await client.until(() => client.exchange().text === expected);
    }
    const { end } = await client.dataEnd().answer();
    expect(end).toEqual({ appStatus: 0, protocolStatus: FCGI_REQUEST_COMPLETE });
  });

  test('that nobody reads yet holds the web server back, and arrives whole', async () => {
    const requests = held();
    const { client } = await door.serve(requests.listener);
    const data = Buffer.alloc(16 * 1024 * 1024, 'the file ');
    beginFilter(client, { FCGI_DATA_LENGTH: String(data.length) }, 0);
    client.data(1, data).dataEnd();
    const { req, res } = await requests.of('/');
    const stream = dataOf(req);
    await once(stream, 'readable');
    for (let turn = 0; turn < 1000; turn++) await new Promise(setImmediate);
    expect(client.socket.writableLength).toBeGreaterThan(0);
    expect(stream.readableLength).toBeLessThan(500_000);
    expect((await buffer(stream)).equals(data)).toBe(true);
    res.end('whole');
    expect((await client.answer()).text).toBe('whole');
  });

  test('can be read before a body that is in its way', async () => {
    const { client } = await door.serve(async (req, res) => {
      const data = await text(dataOf(req));
      res.end(`${data.length} ${(await text(req)).length}`);
    });
    client.begin(1, FCGI_FILTER, 0).params(1, { REQUEST_METHOD: 'POST' });
    client.stdin(1, 'b'.repeat(1_000_000)).stdinEnd().data(1, 'd'.repeat(2_000_000)).dataEnd();
    expect((await client.answer()).text).toBe('2000000 1000000');
  });

  test('leaves the body where it is while it is read', async () => {
    const requests = held();
    const { client } = await door.serve(requests.listener);
    client.begin(2, FCGI_FILTER).params(2, { REQUEST_METHOD: 'POST' });
    client.stdin(2, 'b'.repeat(5_000_000)).stdinEnd(2).data(2, 'd'.repeat(5_000_000)).dataEnd(2);
    const { req, res } = await requests.of('/');
    expect((await text(dataOf(req))).length).toBe(5_000_000);
    expect(req.readableLength).toBeLessThan(500_000);
    expect((await text(req)).length).toBe(5_000_000);
    res.end();
    await client.answer(2);
  });

  test('that is left unread does not keep the answer', async () => {
    const { client } = await door.serve((_req, res) => res.end('no look'));
    client.request({ role: FCGI_FILTER }).data(1, 'd'.repeat(1_000_000)).dataEnd();
    expect((await client.answer()).text).toBe('no look');
    expect((await client.get({ id: 2 })).text).toBe('no look');
  });

  test('of which its reader has seen enough is taken to its end for the answer behind it', async () => {
    const { client } = await door.serve(async (req, res) => {
      for await (const chunk of dataOf(req)) {
        res.write(String(chunk).slice(0, 4));
        break;
      }
      res.end();
    });
    const data = Buffer.alloc(16 * 1024 * 1024, 'head and much more');
    beginFilter(client, { FCGI_DATA_LENGTH: String(data.length) }, 0)
      .data(1, data)
      .dataEnd();
    expect((await client.answer()).text).toBe('head');
  });

  test('given up by its reader no longer stands before what comes behind it', async () => {
    const requests = held();
    const { client } = await door.serve(requests.listener);
    beginFilter(client, {}, 0).data(1, 'd'.repeat(2_000_000));
    const { req, res } = await requests.of('/');
    const data = dataOf(req);
    await once(data, 'readable');
    data.destroy();
    const closed = once(res, 'close');
    client.data(1, 'd'.repeat(2_000_000)).abort();
    await closed;
    expect(req.aborted).toBe(true);
  });

  test('over the limit of a body is refused with 413', async () => {
    const { client } = await door.serve(measure, { maxBodyBytes: 10 });
    client.request({ role: FCGI_FILTER }).data(1, 'd'.repeat(11));
    expect((await client.answer()).status).toBe(413);
  });

  test('before the end of the parameters is refused with 400', async () => {
    for (const send of [(client: Client) => client.data(1, 'early'), (client: Client) => client.dataEnd(1)]) {
      const { server, client } = await door.serve(measure);
      const codes = codesOf(server);
      send(client.begin(1, FCGI_FILTER));
      expect((await client.answer()).status).toBe(400);
      expect(codes).toEqual(['FCGI_ERR_BAD_REQUEST']);
    }
  });

  test('after its end is thrown away', async () => {
    const requests = held();
    const { client } = await door.serve(requests.listener);
    beginFilter(client).data(1, 'whole').dataEnd().data(1, 'late').dataEnd();
    const { req, res } = await requests.of('/');
    expect(await text(dataOf(req))).toBe('whole');
    res.end('fine');
    expect((await client.answer()).text).toBe('fine');
  });

  test('is thrown away where the role is another', async () => {
    const { client } = await door.serve((message, res) => {
      const req = message as Request;
      res.end(`${req.role} ${req.data}`);
    });
    client.begin().params().data(1, 'what for?').dataEnd().stdinEnd();
    expect((await client.answer()).text).toBe('responder undefined');
  });

  test('counts for the timeout of its socket', async () => {
    const { client } = await door.serve((req, res) => {
      req.socket.setTimeout(150);
      dataOf(req)
        .resume()
        .on('end', () => res.end('read'));
    });
    beginFilter(client);
    for (let n = 0; n < 12; n++) {
      client.data(1, 'x');
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    expect((await client.dataEnd().answer()).text).toBe('read');
  });
});

describe('data that does not come whole', () => {
  /** What the reader of the data is told. */
  function reader(): { listener: RequestListener; told: Promise<string> } {
    let tell: (told: string) => void;
    const told = new Promise<string>((resolve) => {
      tell = resolve;
    });
    return {
      told,
      async listener(req, res) {
        let bytes = 0;
        try {
          for await (const chunk of dataOf(req)) bytes += chunk.length;
          tell(`whole ${bytes}`);
        } catch (error) {
          tell((error as NodeJS.ErrnoException).code!);
        }
        res.end('answered');
      },
    };
  }

  test.each([
    ['3', 'FCGI_ERR_BODY_OVERRUN'],
    ['5', 'FCGI_ERR_BODY_UNDERRUN'],
    ['4', 'whole 4'],
    ['0004', 'whole 4'],
    ['', 'whole 4'],
    ['-1', 'whole 4'],
    ['four', 'whole 4'],
  ])('of 4 bytes with FCGI_DATA_LENGTH %j is told to its reader as %s', async (length, expected) => {
    const { listener, told } = reader();
    const { client } = await door.serve(listener);
    beginFilter(client, { FCGI_DATA_LENGTH: length }).data(1, 'data').dataEnd();
    expect(await told).toBe(expected);
    expect((await client.answer()).text).toBe('answered');
  });

  test.each([
    ['the web server aborts the request', (client: Client) => client.abort()],
    ['the web server closes', (client: Client) => client.socket.end()],
    ['the web server resets the connection', (client: Client) => client.socket.resetAndDestroy()],
  ])('because %s is told to its reader', async (_what, act) => {
    const { listener, told } = reader();
    const { server, client } = await door.serve((req, res) => {
      dataOf(req).once('data', () => act(client));
      listener(req, res);
    });
    beginFilter(client).data(1, 'begun');
    expect(await told).toBe('ECONNRESET');
    await eventually(() => expect(server.live).toBe(0));
  });

  test('while its reader has not taken what came before, leaves nothing', async () => {
    const requests = held();
    const { server, client } = await door.serve(requests.listener, { maxBufferedBytes: 1000 });
    client.begin(2, FCGI_FILTER).params(2, { CONTENT_LENGTH: '0' }).stdinEnd(2).data(2, 'd'.repeat(500_000));
    const data = dataOf((await requests.of('/')).req);
    await eventually(() => expect(data.readableLength).toBeGreaterThan(0));
    const failed = once(data, 'error');
    client.abort(2);
    expect((await failed)[0].code).toBe('ECONNRESET');
    expect(server.live).toBe(0);
  });

  test('and that nobody reads brings nothing down', async () => {
    const requests = held();
    const { client } = await door.serve(requests.listener);
    beginFilter(client, { FCGI_DATA_LENGTH: '9' });
    const { req, res } = await requests.of('/');
    const closed = closeOf(dataOf(req));
    client.data(1, 'short').dataEnd();
    await closed;
    res.end('all the same');
    expect((await client.answer()).text).toBe('all the same');
    client.begin(2, FCGI_FILTER).params(2, { REQUEST_URI: '/2', CONTENT_LENGTH: '0' }).data(2, 'some');
    const gone = closeOf(dataOf((await requests.of('/2')).req));
    client.abort(2);
    await gone;
  });
});
