import { once } from 'node:events';
import type { RequestListener, ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { HttpServer } from '../../../src/adapters/http.ts';
import { Door, type Exchange, type TestParams } from './client.ts';

const door = new Door();

afterEach(() => door.close());

async function answerOf(act: (res: ServerResponse) => void, params: TestParams = {}): Promise<Exchange> {
  const { client } = await door.serve((_req, res) => act(res));
  return client.get({ params });
}

/** What the same listener answers over HTTP. */
async function bodyOverHttp(listener: RequestListener): Promise<Buffer> {
  const server = new HttpServer({}, listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const answer = await fetch(`http://127.0.0.1:${port}/`);
  const body = Buffer.from(await answer.arrayBuffer());
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  return body;
}

describe('what is written arrives as over HTTP:', () => {
  const texts = ['ascii', 'é latin1 ÿ', '漢字 and 😀', ''];
  const encodings: (BufferEncoding | undefined)[] = [undefined, 'utf8', 'utf-8', 'latin1', 'binary', 'ascii', 'ucs2'];
  for (const encoding of encodings) {
    test(`text in ${encoding}`, async () => {
      for (const text of texts) {
        const ways: RequestListener[] = [
          (_req, res) => res.end(text, encoding!),
          (_req, res) => {
            res.write('x', encoding!);
            res.write(text, encoding!);
            res.end(text, encoding!);
          },
          (_req, res) => {
            res.write(text || 'y', encoding!);
            setImmediate(() => res.end(text, encoding!));
          },
        ];
        for (const way of ways) {
          const { client } = await door.serve(way);
          expect((await client.get()).body).toEqual(await bodyOverHttp(way));
        }
      }
    });
  }

  test('hex and base64', async () => {
    const answer = await answerOf((res) => {
      res.write('00ff10', 'hex');
      res.end('aGFsbG8=', 'base64');
    });
    expect(answer.body).toEqual(Buffer.from('\x00\xff\x10hallo', 'latin1'));
  });

  test('bytes of every value: Buffers, views into larger ones, other Uint8Arrays', async () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const around = Buffer.concat([Buffer.alloc(7, 1), all, Buffer.alloc(7, 2)]);
    const answer = await answerOf((res) => {
      res.write(all);
      res.write(around.subarray(7, 7 + 256));
      res.write(new Uint8Array(all));
      res.end();
    });
    expect(answer.body.equals(Buffer.concat([all, all, all]))).toBe(true);
  });

  test('a write of 10 MB, as text, as other text, as bytes', async () => {
    for (const body of ['a'.repeat(10_000_000), 'é'.repeat(5_000_000), Buffer.alloc(10_000_000, 'bytes')]) {
      const { client } = await door.serve((_req, res) => {
        res.write('before ');
        res.write(body);
        res.end(' after');
      });
      const answer = await client.get();
      expect(answer.body.equals(Buffer.from(`before ${body} after`))).toBe(true);
    }
  });

  test('text and bytes in turn, small and large', async () => {
    const parts = [
      'a',
      Buffer.alloc(20_000, 'b'),
      'é',
      Buffer.alloc(3, 'c'),
      'd'.repeat(70_000),
      Buffer.alloc(66_000, 'e'),
    ];
    const answer = await answerOf((res) => {
      for (const part of parts) res.write(part);
      res.end();
    });
    expect(answer.body.equals(Buffer.concat(parts.map((part) => Buffer.from(part))))).toBe(true);
  });
});

describe('an answer without a body', () => {
  test('to HEAD has the head of GET', async () => {
    const answer = await answerOf(
      (res) => {
        res.setHeader('Content-Length', 4);
        res.end('body');
      },
      { REQUEST_METHOD: 'HEAD' },
    );
    expect(answer).toMatchObject({ head: ['Status: 200 OK', 'Content-Length: 4'], text: '', ends: 1 });
  });

  test.each([204, 304])('of %i carries none, written or not', async (status) => {
    for (const body of [undefined, 'body']) {
      const answer = await answerOf((res) => {
        res.writeHead(status);
        if (body) res.write(body);
        res.end(body);
      });
      expect(answer).toMatchObject({ status, text: '', ends: 1, stderr: '' });
    }
  });

  test('is what HEAD gets too when it is refused', async () => {
    const { client } = await door.serve(() => {}, { maxBodyBytes: 10 });
    const { status, text } = await client.get({ params: { REQUEST_METHOD: 'HEAD', CONTENT_LENGTH: '11' } });
    expect([status, text]).toEqual([413, '']);
  });
});

describe('Content-Length', () => {
  const lengths: Record<string, (res: ServerResponse) => void> = {
    'in one piece': (res) => res.end('0123456789'),
    'in pieces': (res) => {
      res.write('012');
      res.write('345');
      res.end('6789');
    },
    'as bytes': (res) => {
      res.write(Buffer.from('01234'));
      res.end(Buffer.from('56789'));
    },
    'over time': (res) => {
      res.write('01234');
      setImmediate(() => res.end('56789'));
    },
  };
  for (const [how, act] of Object.entries(lengths)) {
    test(`cuts a longer body off, written ${how}, with a note on STDERR`, async () => {
      const answer = await answerOf((res) => {
        res.setHeader('Content-Length', 4);
        act(res);
      });
      expect(answer).toMatchObject({ text: '0123', ends: 1 });
      expect(answer.stderr).toMatch(/^FCGI_ERR_RESPONSE_OVERRUN: 6 bytes [^\n]*\n$/);
    });

    test(`breaks off a shorter body, written ${how}`, async () => {
      const { client } = await door.serve((_req, res) => {
        res.setHeader('Content-Length', 11);
        act(res);
      });
      client.request();
      await client.closed;
      expect(client.broken).toBe(true);
      expect(client.exchange()).toMatchObject({ text: '0123456789', ends: 0 });
    });
  }

  test('counts bytes, not characters', async () => {
    const answer = await answerOf((res) => res.writeHead(200, { 'Content-Length': 4 }).end('éé'));
    expect(answer).toMatchObject({ text: 'éé', stderr: '' });
  });

  test('is the same however the head is written', async () => {
    const answers = await Promise.all([
      answerOf((res) => res.writeHead(200, { 'content-length': 4 }).end('0123456789')),
      answerOf((res) => res.writeHead(200, ['CONTENT-LENGTH', '4']).end('0123456789')),
    ]);
    expect(answers.map(({ text }) => text)).toEqual(['0123', '0123']);
  });

  test('of an answer whose socket the application ends half-way is not made good', async () => {
    const { client } = await door.serve((_req, res) => {
      res.write('half');
      res.socket!.end();
    });
    client.request();
    await client.closed;
    expect(client.broken).toBe(true);
    expect(client.exchange().ends).toBe(0);
  });
});
