import { once } from 'node:events';
import type http from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { CgiOutput, type CgiOutputOptions } from '../../src/core/cgi-output.ts';
import type { Response } from '../../src/core/response.ts';
import { Door } from '../adapters/fastcgi/client.ts';
import { type Answer, deferred, serve } from './pair.ts';

const door = new Door();
afterEach(() => door.close());

type Output = string | Buffer | readonly (string | Buffer)[];

/** Serves what a program writes, a chunk a turn; errors are answered with their code and message. */
function serveOutput(output: Output, options?: CgiOutputOptions, prepare?: (res: Response) => void) {
  return serve(async (_req, res) => {
    prepare?.(res);
    const chunks = typeof output === 'string' || Buffer.isBuffer(output) ? [output] : output;
    // Strings as the bytes they show: one character each.
    const bytes = chunks.map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk));
    await pipeline(Readable.from(bytes), new CgiOutput(res, options));
  });
}

async function answerTo(output: Output, options?: CgiOutputOptions, ask: http.RequestOptions = {}): Promise<Answer> {
  const site = await serveOutput(output, options);
  return site.ask('/', ask);
}

/** The body of an answer whose framing on the wire is looked at: everything but the headers that Node adds. */
async function onWire(output: Output, request: string, options?: CgiOutputOptions): Promise<string> {
  const site = await serveOutput(output, options);
  const answer = await site.wire(request);
  return answer.replace(/^(Date|Connection|Keep-Alive): .*\r\n/gim, '');
}

const CLOSE = '\r\nHost: a\r\nConnection: close\r\n\r\n';

describe('the head', () => {
  it.each([
    ['LF', 'Content-Type: text/x-a\nX-A: 1\n\nbody\n\r\n'],
    ['CRLF', 'Content-Type: text/x-a\r\nX-A: 1\r\n\r\nbody\n\r\n'],
    ['LF, then CRLF for the empty line', 'Content-Type: text/x-a\nX-A: 1\n\r\nbody\n\r\n'],
    ['CRLF, then LF for the empty line', 'Content-Type: text/x-a\r\nX-A: 1\r\n\nbody\n\r\n'],
    ['both', 'Content-Type: text/x-a\nX-A: 1\r\n\r\nbody\n\r\n'],
  ])('may end its lines by %s, and is cut at no byte of them', async (_, output) => {
    const all = Buffer.from(output);
    for (let at = 0; at <= all.length; at++) {
      const answer = await answerTo([all.subarray(0, at), all.subarray(at)]);
      expect(answer, `cut at ${at}`).toMatchObject({ status: 200, message: 'OK', body: 'body\n\r\n' });
      expect(answer.headers).toMatchObject({ 'content-type': 'text/x-a', 'x-a': '1' });
    }
    const single = await answerTo([...all].map((byte) => Buffer.of(byte)));
    expect(single).toMatchObject({ status: 200, body: 'body\n\r\n', headers: { 'x-a': '1' } });
  });

  it.each([
    ['200 for none', 'Content-Type: a/b\n\n', 200, 'OK'],
    ['its code and phrase', 'Status: 404 Nicht da\nContent-Type: a/b\n\n', 404, 'Nicht da'],
    ['its code and the usual phrase', 'Status: 404\n\n', 404, 'Not Found'],
    ['a code that nobody knows', 'Status: 299\n\n', 299, 'unknown'],
    ['no matter how it is spelt and spaced', 'sTATUS:\t418  short and stout \n\n', 418, 'short and stout'],
    ['the last of several', 'Status: 500\nStatus: 201\n\n', 201, 'Created'],
    ['302 for a Location alone', 'Location: http://other.test/\n\n', 302, 'Found'],
    ['302 for a Location with other headers', 'Location: /a\nSet-Cookie: b=1\n\n', 302, 'Found'],
    ['the program’s with a Location', 'Status: 201\nLocation: /a\n\n', 201, 'Created'],
  ])('gives the status: %s', async (_, output, status, message) => {
    expect(await answerTo(output)).toMatchObject({ status, message, body: '' });
  });

  it('does not become a header of the status', async () => {
    expect((await answerTo('Status: 200 OK\n\n')).headers).not.toHaveProperty('status');
  });

  it('keeps the body that comes with it, and all bytes of it', async () => {
    const site = await serve(async (_req, res) => {
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
      await pipeline(Readable.from([Buffer.from('A: b\n\n'), bytes]), new CgiOutput(res));
    });
    const response = await fetch(site.url);
    expect([...new Uint8Array(await response.arrayBuffer())]).toEqual(Array.from({ length: 256 }, (_, byte) => byte));
  });

  it('may bring a header several times, each as a line of its own', async () => {
    const output = 'Set-Cookie: a=1; Path=/\nSet-Cookie: b=2\nWWW-Authenticate: Basic\nWWW-Authenticate: Digest\n\n';
    const text = await onWire(output, `GET / HTTP/1.1${CLOSE}`);
    expect(text).toContain('Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\n');
    expect(text).toContain('WWW-Authenticate: Basic\r\nWWW-Authenticate: Digest\r\n');
  });

  it('has but one Content-Type and one Location: the last', async () => {
    const text = await onWire(
      'Content-Type: a/a\nContent-type: b/b\nLocation: /a\nLocation: /b\n\n',
      `GET / HTTP/1.1${CLOSE}`,
    );
    expect(text.match(/^(content-type|location): .*$/gim)).toEqual(['Content-type: b/b', 'Location: /b']);
  });

  it('takes the place of what middleware has set, but for cookies and Vary', async () => {
    const output = 'X-Frame-Options: DENY\nSet-Cookie: own=1\nVary: Accept\n\n';
    const site = await serveOutput(output, {}, (res) => {
      res.set({ 'X-Frame-Options': 'SAMEORIGIN', 'Set-Cookie': 'session=1', Vary: 'Origin', 'X-Other': 'stays' });
    });
    const { headers } = await site.ask();
    expect(headers).toMatchObject({ 'x-frame-options': 'DENY', vary: 'Origin, Accept', 'x-other': 'stays' });
    expect(headers['set-cookie']).toEqual(['session=1', 'own=1']);
  });

  it('loses what is between the web server and its client', async () => {
    const names = ['Connection', 'Keep-Alive', 'Proxy-Connection', 'Transfer-Encoding', 'Trailer', 'Upgrade'];
    const text = await onWire(
      `${names.map((name) => `${name}: x-evil\n`).join('')}X-A: 1\n\nbody`,
      `GET / HTTP/1.1${CLOSE}`,
    );
    expect(text).toBe('HTTP/1.1 200 OK\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n');
  });

  it('keeps the bytes of its values, whatever their encoding', async () => {
    const utf8 = Buffer.from('Content-Disposition: attachment; filename=voil\u00e0\n');
    // A space that ASCII does not know ends the value; it stays.
    const latin1 = Buffer.from('X-Latin: \t\xe9\xa0 \t\n\n', 'latin1');
    const text = await onWire(Buffer.concat([utf8, latin1]), `GET / HTTP/1.1${CLOSE}`);
    expect(Buffer.from(text, 'latin1').toString()).toContain('filename=voil\u00e0\r\n');
    expect(text).toContain('X-Latin: \xe9\xa0\r\n');
  });
});

describe('what is no head', () => {
  it.each([
    ['nothing', ''],
    ['a text', 'Hello\n'],
    ['a text of many lines', 'Hello\n\nWorld\n'],
    ['one without an empty line', 'Content-Type: text/html\n'],
    ['an empty line alone', '\n\nbody'],
    ['a line without a colon', 'Content-Type: text/html\nHello\n\n'],
    ['a header without a name', ': b\n\n'],
    ['a space before the colon', 'X-A : b\n\n'],
    ['a continued line, which CGI does not have', 'X-A: b\n c: d\n\n'],
    ['NUL in a value', 'X-A: b\0c\n\n'],
    ['a lone CR in a value, as it comes of injection', 'Location: /a\rSet-Cookie: evil=1\n\n'],
    ['a status of letters', 'Status: OK\n\n'],
    ['a status that is too short', 'Status: 20\n\n'],
    ['a status that is too long', 'Status: 2000\n\n'],
    ['an interim status', 'Status: 103 Early Hints\n\n'],
    ['a switch of protocols', 'Status: 101\n\n'],
    ['a length that is none', 'Content-Length: -1\n\n'],
    ['an empty length', 'Content-Length:\n\n'],
    ['a length beyond reason', 'Content-Length: 9999999999999999\n\n'],
    ['two lengths', 'Content-Length: 1\nContent-Length: 2\n\n'],
    ['a status line, where it is no nph program', 'HTTP/1.1 200 OK\nContent-Type: a/b\n\n'],
  ])('fails before the answer begins: %s', async (_, output) => {
    const answer = await answerTo(output);
    expect(answer).toMatchObject({ status: 500, body: expect.stringMatching(/^FCGI_ERR_CGI_OUTPUT /) });
  });

  it('leaves no header of it to the error page', async () => {
    const { status, headers } = await answerTo('Set-Cookie: a=1\nX-A: 1\nContent-Length: x\n\n');
    expect(status).toBe(500);
    expect(headers).not.toHaveProperty('set-cookie');
    expect(headers).not.toHaveProperty('x-a');
  });

  it('says why', async () => {
    expect((await answerTo('')).body).toContain('before anything');
    expect((await answerTo('A: b\n')).body).toContain('before the empty line');
    expect((await answerTo('Traceback (most recent call last)\n\n')).body).toContain(
      "'Traceback (most recent call last)' is no header",
    );
  });

  it('is one that is longer than allowed, and may be just as long', async () => {
    const head = (bytes: number) => `X-A: ${'a'.repeat(bytes - 5)}`;
    for (const end of ['\n\n', '\r\n\r\n']) {
      expect(await answerTo([...`${head(100)}${end}body`], { maxHeadBytes: 100 })).toMatchObject({ body: 'body' });
      expect(await answerTo(`${head(100)}${end}body`, { maxHeadBytes: 100 })).toMatchObject({ body: 'body' });
      expect(await answerTo([...`${head(101)}${end}body`], { maxHeadBytes: 100 })).toMatchObject({ status: 500 });
      expect(await answerTo(`${head(101)}${end}body`, { maxHeadBytes: 100 })).toMatchObject({ status: 500 });
    }
  });

  it('is found as soon as it is too long, not when the output ends', async () => {
    const failed = deferred<Error>();
    const site = await serve((_req, res) => {
      const output = new CgiOutput(res).on('error', (error) => {
        failed.resolve(error);
        res.sendStatus(500);
      });
      output.write('a'.repeat(70_000));
    });
    expect((await site.ask()).status).toBe(500);
    expect(await failed.promise).toMatchObject({ message: 'The head is longer than 65536 bytes' });
  });
});

describe('Content-Length', () => {
  const get = 'GET /1 HTTP/1.1\r\nHost: a\r\n\r\n';

  it('cuts what is longer, so that the connection stays in step', async () => {
    const text = await onWire(['Content-Length: 4\n\nbo', 'dy and ', 'more'], `${get}GET /2 HTTP/1.1${CLOSE}`);
    const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody';
    expect(text).toBe(`${answer}${answer}`);
  });

  it.each([
    ['cut off', 'Content-Length: 10\n\nbody'],
    ['missing', 'Content-Length: 10\n\n'],
  ])('breaks the answer off where the body is %s', async (_, output) => {
    const site = await serveOutput(output);
    await expect(site.ask()).rejects.toThrow();
    // On a kept-alive connection the next answer would be taken for the rest of this one.
    expect(await site.wire(`${get}${get}`)).not.toMatch(/HTTP.*HTTP/s);
  });

  it.each([
    ['HEAD', 'HEAD', 'Content-Length: 10\n\n'],
    ['HEAD that has its body all the same', 'HEAD', 'Content-Length: 10\n\n0123456789'],
    ['304, where it tells of what is not sent', 'GET', 'Status: 304\nContent-Length: 10\nETag: "a"\n\n'],
    ['304 with a body', 'GET', 'Status: 304\nContent-Length: 10\n\n0123456789'],
  ])('stays, and no body is waited for: %s', async (_, method, output) => {
    const text = await onWire(output, `${method} / HTTP/1.1\r\nHost: a\r\n\r\n${method} / HTTP/1.1${CLOSE}`);
    expect(text).toMatch(/^(HTTP\/1\.1 (200 OK|304 Not Modified)\r\nContent-Length: 10\r\n(ETag: "a"\r\n)?\r\n){2}$/);
  });

  it.each([
    ['the length is reached', 'GET', 'Content-Length: 4\n\nbody'],
    ['the length is 0', 'GET', 'Content-Length: 0\n\n'],
    ['no body is wanted', 'HEAD', 'Content-Type: a/b\n\n'],
    ['there can be no body', 'GET', 'Status: 304\n\n'],
  ])('ends the answer as soon as %s, however long the output goes on', async (_, method, output) => {
    const made = deferred<CgiOutput>();
    const site = await serve((_req, res) => {
      const stdout = new CgiOutput(res);
      stdout.write(output);
      made.resolve(stdout);
    });
    const { body } = await site.ask('/', { method });
    expect(body).toBe(output.endsWith('body') ? 'body' : '');
    const stdout = await made.promise;
    stdout.end('and more');
    await once(stdout, 'finish');
  });

  it('has no place in a 204', async () => {
    const text = await onWire('Status: 204\nContent-Length: 4\n\nbody', `${get}GET / HTTP/1.1${CLOSE}`);
    expect(text).toBe('HTTP/1.1 204 No Content\r\n\r\n'.repeat(2));
  });

  it('may be 0', async () => {
    expect(await answerTo('Content-Length: 0\n\n')).toMatchObject({ status: 200, body: '' });
  });

  it('may be said twice, if it is the same', async () => {
    expect(await answerTo('Content-Length: 4\nContent-Length: 4\n\nbody')).toMatchObject({ body: 'body' });
  });
});

describe('nph', () => {
  it.each([
    ['a status line', 'HTTP/1.1 404 Nicht da\r\nX-A: 1\r\n\r\nbody', 404, 'Nicht da'],
    ['one without a phrase', 'HTTP/1.0 201\nX-A: 1\n\nbody', 201, 'Created'],
    ['one of HTTP/2', 'HTTP/2 202 \nX-A: 1\n\nbody', 202, 'Accepted'],
    ['a status line and a Status', 'HTTP/1.1 200 Yes\nStatus: 500 No\nX-A: 1\n\nbody', 200, 'Yes'],
    ['a Location, which then changes nothing', 'HTTP/1.1 200 OK\nLocation: /a\nX-A: 1\n\nbody', 200, 'OK'],
  ])('begins with %s', async (_, output, status, message) => {
    const answer = await answerTo(output, { nph: true });
    expect(answer).toMatchObject({ status, message, body: 'body', headers: { 'x-a': '1' } });
    expect(answer.headers).not.toHaveProperty('status');
  });

  it('may end with the status line', async () => {
    expect(await answerTo('HTTP/1.1 200 OK\n\nbody', { nph: true })).toMatchObject({ status: 200, body: 'body' });
  });

  it.each([
    ['without a status line', 'Status: 200\n\n'],
    ['with an interim answer', 'HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\n\n'],
    ['with control characters in its phrase', 'HTTP/1.1 200 O\rSet-Cookie: evil=1\n\n'],
    ['with a body in chunks', 'HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n4\r\nbody\r\n0\r\n\r\n'],
  ])('fails %s', async (_, output) => {
    expect(await answerTo(output, { nph: true })).toMatchObject({
      status: 500,
      body: expect.stringMatching(/^FCGI_ERR_CGI_OUTPUT /),
    });
  });
});

describe('a local redirect', () => {
  async function redirected(output: string, options?: CgiOutputOptions) {
    const locations: string[] = [];
    const site = await serve((_req, res) => {
      const onLocalRedirect = (location: string) => {
        locations.push(location);
        res.send('another answer');
      };
      new CgiOutput(res, { onLocalRedirect, ...options }).end(output);
    });
    return { locations, answer: await site.ask() };
  }

  it('is answered in the place of the output, of which nothing is left', async () => {
    const { locations, answer } = await redirected('Location: /a/b?c=d\n\nnot this');
    expect(locations).toEqual(['/a/b?c=d']);
    expect(answer).toMatchObject({ status: 200, body: 'another answer' });
    expect(answer.headers).not.toHaveProperty('location');
  });

  it.each([
    ['a URL', 'Location: http://other.test/a\n\nbody'],
    ['another server’s path', 'Location: //other.test/a\n\nbody'],
    ['a relative path', 'Location: a\n\nbody'],
    ['a fragment, which only the client knows', 'Location: /a#b\n\nbody'],
    ['other headers', 'Content-Type: text/html\nLocation: /a\n\nbody'],
    ['a status', 'Status: 302\nLocation: /a\n\nbody'],
  ])('is none with %s: the client gets it', async (_, output) => {
    const { locations, answer } = await redirected(output);
    expect(locations).toEqual([]);
    expect(answer).toMatchObject({ status: 302, body: 'body' });
    expect(answer.headers.location).toBe(/^Location: (.*)$/m.exec(output)![1]);
  });

  it('is none of an nph program', async () => {
    const { locations, answer } = await redirected('HTTP/1.1 303 See Other\nLocation: /a\n\n', { nph: true });
    expect(locations).toEqual([]);
    expect(answer).toMatchObject({ status: 303, headers: { location: '/a' } });
  });

  it('goes to the client where nobody answers it', async () => {
    expect(await answerTo('Location: /a\n\n')).toMatchObject({ status: 302, headers: { location: '/a' } });
  });
});

describe('a slow client', () => {
  /** A program that writes for ever to a client that does not read, and how many bytes were taken of it. */
  async function flood() {
    let taken = 0;
    const chunk = Buffer.alloc(64 * 1024, 'a');
    const source = new Readable({
      read() {
        setImmediate(() => {
          taken += chunk.length;
          this.push(chunk);
        });
      },
    });
    const begun = deferred<CgiOutput>();
    const site = await serve((_req, res) => {
      const stdout = new CgiOutput(res);
      stdout.write('Content-Type: a/b\n\n');
      begun.resolve(source.pipe(stdout));
    });
    const client = connect(site.port, '127.0.0.1').pause();
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const stdout = await begun.promise;
    return {
      client,
      stdout,
      source,
      taken: () => taken,
      /** Resolves when nothing more is taken. */
      async held() {
        for (let turns = 0, before = taken; turns < 50; turns = taken === before ? turns + 1 : 0) {
          before = taken;
          await new Promise(setImmediate);
        }
      },
      async takenMoreThan(bytes: number) {
        while (taken <= bytes) await once(source, 'data');
      },
    };
  }

  it('holds the program back, until it reads on', async () => {
    const { client, stdout, taken, held, takenMoreThan } = await flood();
    await held();
    expect(stdout.writableNeedDrain).toBe(true);
    const before = taken();
    client.resume();
    await takenMoreThan(before + 1024 ** 2);
    client.destroy();
  });

  it('that leaves lets the program go on, into nothing', async () => {
    const { client, stdout, source, taken, held, takenMoreThan } = await flood();
    await held();
    client.destroy();
    await takenMoreThan(taken() + 1024 ** 2);
    source.push(null);
    await once(stdout, 'finish');
    expect(stdout.errored).toBe(null);
  });
});

describe('an answer that is somebody else’s', () => {
  it('is left alone by what is written later', async () => {
    const site = await serve(async (_req, res) => {
      const output = new CgiOutput(res);
      output.write('Content-Type: a/b\n');
      res.write('another ');
      output.end('\nbody');
      await once(output, 'finish');
      res.end('answer');
    });
    expect(await site.ask()).toMatchObject({ status: 200, body: 'another answer' });
  });

  it('is not ended by an output that is cut off in its head', async () => {
    const site = await serve(async (_req, res) => {
      const output = new CgiOutput(res);
      output.write('Content-Type: a/b\n');
      res.write('another ');
      output.end();
      await once(output, 'finish');
      res.end('answer');
    });
    expect(await site.ask()).toMatchObject({ status: 200, body: 'another answer' });
  });

  it('is no error when it was ended in the middle of the body', async () => {
    const site = await serve(async (_req, res) => {
      const output = new CgiOutput(res);
      output.write('Content-Type: a/b\n\nbody');
      res.end();
      output.end('more');
      await once(output, 'finish');
    });
    expect(await site.ask()).toMatchObject({ status: 200, body: 'body' });
  });
});

it('tells whether anything was written to it', async () => {
  const seen: boolean[] = [];
  const site = await serve((_req, res) => {
    const output = new CgiOutput(res);
    seen.push(output.begun);
    output.write('C');
    seen.push(output.begun);
    output.end('ontent-Type: a/b\n\n');
    seen.push(output.begun);
  });
  await site.ask();
  expect(seen).toEqual([false, true, true]);
});

describe('over FastCGI', () => {
  async function exchange(output: string | string[], method = 'GET') {
    const { client } = await door.serve((_req, res) => {
      const chunks = [output].flat().map((chunk) => Buffer.from(chunk, 'latin1'));
      pipeline(Readable.from(chunks), new CgiOutput(res)).catch(() => res.writeHead(500).end());
    });
    return { client, answer: client.get({ params: { REQUEST_METHOD: method } }) };
  }

  it('becomes STDOUT, with a status for web servers that do not guess one', async () => {
    const { answer } = await exchange(['Content-Type: text/plain\nSet-Cookie: a=1\n', '\nbody']);
    const { head, text } = await answer;
    expect(head).toEqual(['Status: 200 OK', 'Content-Type: text/plain', 'Set-Cookie: a=1']);
    expect(text).toBe('body');
    expect((await (await exchange('Location: /a\n\n')).answer).head).toContain('Status: 302 Found');
  });

  it.each([
    ['HEAD', 'HEAD', 'Content-Length: 10\n\n0123456789'],
    ['304', 'GET', 'Status: 304\nContent-Length: 10\n\n0123456789'],
    ['204', 'GET', 'Status: 204\n\n0123456789'],
  ])('has no body for %s', async (_, method, output) => {
    const { answer } = await exchange(output, method);
    expect((await answer).text).toBe('');
  });

  it('cuts a body at its Content-Length', async () => {
    const { answer } = await exchange('Content-Length: 4\n\nbody and more');
    expect((await answer).text).toBe('body');
  });

  it('breaks off an answer whose body is shorter', async () => {
    const { client, answer } = await exchange('Content-Length: 10\n\nbody');
    await expect(answer).rejects.toThrow();
    expect(client.broken).toBe(true);
  });

  it('answers 500 to what is no head', async () => {
    const { answer } = await exchange('Hello\n\n');
    expect((await answer).status).toBe(500);
  });
});
