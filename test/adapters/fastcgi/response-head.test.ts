import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { FCGI_STDOUT } from '../../../src/adapters/fastcgi/constants.ts';
import { Door, type Exchange, type TestParams } from './client.ts';

const door = new Door();

afterEach(() => door.close());

async function answerOf(act: (res: ServerResponse) => void, params: TestParams = {}): Promise<Exchange> {
  const { client } = await door.serve((_req, res) => act(res));
  return client.get({ params });
}

describe('the head', () => {
  test('begins with an explicit Status, its reason, and then the headers', async () => {
    const { head } = await answerOf((res) =>
      res.writeHead(201, 'Made', { 'Content-Location': '/x', 'X-A': ['1', '2'] }).end('x'),
    );
    expect(head).toEqual(['Status: 201 Made', 'Content-Location: /x', 'X-A: 1', 'X-A: 2']);
  });

  test('has its Status behind a Location, which HAProxy takes for a 302, and each cookie in a line of its own', async () => {
    const { head } = await answerOf((res) => {
      res.statusCode = 301;
      res.setHeader('Location', '/elsewhere');
      res.setHeader('Set-Cookie', ['a=1', 'b=2']);
      res.end();
    });
    expect(head.slice(0, 3)).toEqual(['Location: /elsewhere', 'Set-Cookie: a=1', 'Set-Cookie: b=2']);
    expect(head.at(-1)).toBe('Status: 301 Moved Permanently');
  });

  const unwanted = {
    Status: '404 Not Found',
    cOnNeCtIoN: 'close, X-Secret',
    'Keep-Alive': 'timeout=5',
    'Proxy-Connection': 'close',
    'TRANSFER-ENCODING': 'chunked',
    Trailer: 'X-Checksum',
  };
  const ways: Record<string, (res: ServerResponse) => void> = {
    setHeader: (res) => {
      for (const [name, value] of Object.entries(unwanted)) res.setHeader(name, value);
      res.end('body');
    },
    'setHeader with several values': (res) => {
      for (const [name, value] of Object.entries(unwanted)) res.setHeader(name, [value, value]);
      res.end('body');
    },
    'writeHead with an object': (res) => res.writeHead(200, unwanted).end('body'),
    'writeHead with a list': (res) => res.writeHead(200, Object.entries(unwanted).flat()).end('body'),
    'writeHead over setHeader': (res) => {
      res.setHeader('connection', 'close');
      res.writeHead(200, { ...unwanted, Connection: 'keep-alive' }).end('body');
    },
  };
  for (const [way, act] of Object.entries(ways)) {
    test(`has one Status, and nothing that describes a connection, set by ${way}`, async () => {
      const { head, text } = await answerOf(act);
      expect(head).toEqual(['Status: 200 OK']);
      expect(text).toBe('body');
    });
  }

  test('has no such thing of what Node adds by itself', async () => {
    for (const SERVER_PROTOCOL of ['HTTP/1.0', 'HTTP/1.1', 'HTTP/2.0']) {
      const { head, text } = await answerOf(
        (res) => {
          res.write('streamed');
          res.end();
        },
        { SERVER_PROTOCOL },
      );
      expect(head).toEqual(['Status: 200 OK']);
      expect(text).toBe('streamed');
    }
  });

  test('keeps what only looks like one of these', async () => {
    const { head } = await answerOf((res) => res.writeHead(200, { 'X-Status': 'a', 'Content-Status': 'b' }).end());
    expect(head).toContain('X-Status: a');
    expect(head).toContain('Content-Status: b');
  });

  test('of an interim status is 500: it would be taken for the final one', async () => {
    for (const status of [100, 102, 103])
      expect((await answerOf((res) => res.writeHead(status).end())).status).toBe(500);
  });

  const interim: Record<string, (res: ServerResponse) => void> = {
    'before the head': () => {},
    'between writeHead and the body': (res) => res.writeHead(200, { 'X-A': '1' }),
  };
  for (const [when, begin] of Object.entries(interim)) {
    test(`interim answers ${when} are left out`, async () => {
      const { head, text } = await answerOf((res) => {
        begin(res);
        for (const write of [
          () => res.writeContinue(),
          () => res.writeProcessing(),
          () => res.writeEarlyHints({ link: '</style.css>; rel=preload' }),
        ]) {
          // Newer Nodes refuse them behind a head.
          expect(codeOf(write)).toBeOneOf([undefined, 'ERR_HTTP_HEADERS_SENT']);
        }
        res.end('final');
      });
      expect(head[0]).toBe('Status: 200 OK');
      expect(text).toBe('final');
    });
  }

  test('leaves alone by flushHeaders', async () => {
    let answer: ServerResponse | undefined;
    const { client } = await door.serve((_req, res) => {
      answer = res;
      res.writeHead(200, { 'X-A': '1' }).flushHeaders();
    });
    client.request();
    await client.until(() => client.exchange().stdout.length > 0);
    expect(client.exchange().head).toEqual(['Status: 200 OK', 'X-A: 1']);
    answer!.end('later');
    expect((await client.answer()).text).toBe('later');
  });

  test('is UTF-8 or latin1 as on node:http, and never cut short by it', async () => {
    const whole = await answerOf((res) => res.writeHead(200, { 'X-Name': 'é'.repeat(100) }).end(Buffer.from('body')));
    expect(whole.head).toContain(`X-Name: ${'é'.repeat(100)}`);
    expect(whole.text).toBe('body');
    const joined = await answerOf((res) =>
      res.writeHead(200, { 'X-Name': 'é'.repeat(100), 'Content-Length': 5 }).end('body!'),
    );
    expect(joined.text).toBe('body!');
  });

  for (const length of [1000, 60_000]) {
    for (const body of ['small', 'x'.repeat(100_000), Buffer.alloc(10), Buffer.alloc(100_000)] as const) {
      test(`of ${length} characters lies in one record, before ${typeof body} of ${body.length}`, async () => {
        const answer = await answerOf((res) => res.writeHead(200, { 'X-Long': 'h'.repeat(length) }).end(body));
        const first = answer.records.find(({ type }) => type === FCGI_STDOUT)!.content.toString('latin1');
        expect(first).toMatch(/^Status: 200 OK\r\n[\s\S]*\r\n\r\n/);
        expect(answer.body.equals(Buffer.from(body))).toBe(true);
      });
    }
  }

  const tooLong: Record<string, (res: ServerResponse) => void> = {
    'of ASCII': (res) => res.writeHead(200, { 'X-Long': 'h'.repeat(70_000) }).end('never sent'),
    'of what needs two bytes in UTF-8': (res) => res.writeHead(200, { 'X-Long': 'é'.repeat(40_000) }).end('never sent'),
    'with a body of bytes': (res) =>
      res.writeHead(200, { 'X-Long': 'h'.repeat(70_000) }).end(Buffer.from('never sent')),
    'with a body in pieces': (res) => {
      res.writeHead(200, { 'X-Long': 'h'.repeat(70_000), 'Content-Length': 10 });
      res.write('never');
      setImmediate(() => res.end(' sent'));
    },
    'written to the socket itself': (res) => {
      res.socket!.end(`HTTP/1.1 200 OK\r\nX-Long: ${'h'.repeat(70_000)}\r\n\r\nnever sent`);
    },
  };
  for (const [how, act] of Object.entries(tooLong)) {
    test(`too long for a record, ${how}, is replaced by a 500, with a note on STDERR`, async () => {
      const answer = await answerOf(act);
      expect(answer).toMatchObject({ status: 500, text: '500 Internal Server Error\n', ends: 1 });
      expect(answer.stderr).toMatch(/^FCGI_ERR_RESPONSE_HEAD: [^\n]*\n$/);
    });
  }
});

describe('HTTP written to the socket itself', () => {
  const raw: [string, string[]][] = [
    ['whole', ['HTTP/1.1 400 Bad Request\r\nConnection: close\r\nX-A: 1\r\n\r\nbody']],
    ['in pieces', ['HTTP/1.1 400 Bad', ' Request\r\nConn', 'ection: close\r\nX-A: 1\r\n', '\r\nbo', 'dy']],
    ['behind an interim answer', ['HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 Bad Request\r\nX-A: 1\r\n\r\nbody']],
  ];
  for (const [how, pieces] of raw) {
    test(`${how} becomes the answer`, async () => {
      const answer = await answerOf((res) => {
        const { socket } = res;
        for (const piece of pieces.slice(0, -1)) socket!.write(piece);
        socket!.end(pieces.at(-1)!);
      });
      expect(answer.head).toEqual(['Status: 400 Bad Request', 'X-A: 1']);
      expect(answer.text).toBe('body');
    });
  }

  test('that has no head breaks off', async () => {
    const { client } = await door.serve((_req, res) => {
      res.socket!.end('no HTTP at all');
    });
    client.request();
    await client.closed;
    expect([client.broken, client.exchange().records]).toEqual([true, []]);
  });
});

/** The code of what it throws. */
function codeOf(act: () => void): string | undefined {
  try {
    act();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
  return undefined;
}
