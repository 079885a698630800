import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Decorated } from './decorated.ts';
import { eventually } from './fastcgi/client.ts';

describe('a decorated function', () => {
  let scripts: Decorated;

  beforeAll(async () => {
    scripts = await Decorated.start();
  });

  afterAll(async () => {
    await scripts.stop();
  });

  /** The answer of a function whose body is the code. */
  async function answerOf(code: string) {
    const { status, head, text, stderr } = await scripts.get('/coded', { CODE: code });
    return { status, head, text, stderr };
  }

  it.each([
    ['LF', "process.stdout.write('Content-Type: text/x\\nX-A: b\\n\\nbody')"],
    ['CRLF', "process.stdout.write('Content-Type: text/x\\r\\nX-A: b\\r\\n\\r\\nbody')"],
    ['pieces', "for (const piece of 'Content-Type: text/x\\nX-A: b\\n\\nbody') process.stdout.write(piece)"],
    ['bytes', "process.stdout.write(Buffer.from('Content-Type: text/x\\nX-A: b\\n\\nbody'))"],
    ['console.log', "console.log('Content-Type: text/x\\nX-A: b\\n'); process.stdout.write('body')"],
    [
      'a promise',
      "return (async () => { await 1; process.stdout.write('Content-Type: text/x\\nX-A: b\\n\\nbody'); })()",
    ],
    ['a callback', "setImmediate(() => process.stdout.end('Content-Type: text/x\\nX-A: b\\n\\nbody'))"],
    ['fs and stdout', "fs.writeSync(1, 'Content-Type: text/x\\nX-A: b\\n\\nbo'); process.stdout.write('dy')"],
    ['an own end', "process.stdout.end('Content-Type: text/x\\nX-A: b\\n\\nbody')"],
  ])('answers as CGI does: %s', async (_how, code) => {
    expect(await answerOf(code)).toMatchObject({
      status: 200,
      head: ['Status: 200 OK', 'Content-Type: text/x', 'X-A: b'],
      text: 'body',
      stderr: '',
    });
  });

  it.each<[what: string, code: string, answer: object]>([
    [
      'a status',
      "process.stdout.write('Status: 404 Gone fishing\\n\\nno')",
      { head: ['Status: 404 Gone fishing'], text: 'no' },
    ],
    [
      'a location',
      "process.stdout.write('Location: /there\\n\\n')",
      { status: 302, head: ['Location: /there', 'Status: 302 Found'] },
    ],
    ['send', "context.send('sent')", { status: 200, text: 'sent' }],
    ['send of JSON', 'context.send({ a: 1 })', { status: 200, text: '{"a":1}' }],
    [
      'send, later',
      "return new Promise((resolve) => setImmediate(() => resolve(context.send('sent'))))",
      { text: 'sent' },
    ],
    ['res', "context.res.status(201).end('made')", { status: 201, text: 'made' }],
    ['res, in a callback', "const { res } = context; setImmediate(() => res.end('made'))", { text: 'made' }],
    ['send and then stdout', "context.send('sent'); process.stdout.write('X-A: b\\n\\nstdout')", { text: 'sent' }],
    [
      'res for a header, and stdout',
      "context.res.set('X-A', 'b'); process.stdout.write('Content-Type: text/x\\n\\nbody')",
      { head: ['Status: 200 OK', 'X-A: b', 'Content-Type: text/x'], text: 'body' },
    ],
  ])('answers with %s', async (_what, code, answer) => {
    expect(await answerOf(code)).toMatchObject(answer);
  });

  it.each([
    ['throws', "throw new Error('broken')", 'Error: broken'],
    ['rejects', "return Promise.reject(new Error('broken'))", 'Error: broken'],
    ['throws undefined', 'throw undefined', 'The handler threw undefined'],
    ['throws 0', 'throw 0', 'The handler threw 0'],
    ['rejects without a reason', 'return Promise.reject()', 'The handler threw undefined'],
    [
      'throws in the middle of its head',
      "process.stdout.write('Content-Type:'); throw new Error('broken')",
      'Error: broken',
    ],
    ['throws what has no prototype', 'throw Object.create(null)', 'Error'],
    ['answers nothing, with a promise', 'return Promise.resolve()', 'FcgiError: The handler has answered nothing'],
    ['ends stdout without an answer', 'process.stdout.end()', 'FcgiError: The output ended'],
    ['writes no head', "process.stdout.write('<html>')", 'FcgiError: The output ended'],
    ['writes no header', "process.stdout.write('<html>\\n\\n')", 'FcgiError: The output does not begin'],
    [
      'writes no header in a callback',
      "setImmediate(() => process.stdout.end('<html>\\n\\n'))",
      'FcgiError: The output does',
    ],
    ['splits its head', "process.stdout.write('X-A: b\\rX-C: d\\n\\n')", 'FcgiError: The output does not begin'],
  ])('that %s answers 500, tells the web server why, and the client nothing', async (_what, code, told) => {
    const answer = await answerOf(code);
    expect([answer.status, answer.stderr]).toEqual([500, expect.stringContaining(told)]);
    expect(answer.head).toContain('Content-Type: text/html; charset=utf-8');
    expect(answer.text).toContain('<pre>Internal Server Error</pre>');
    expect(answer.text).not.toMatch(/broken|threw|\.js/);
    expect(await answerOf("context.send('lives on')")).toMatchObject({ text: 'lives on' });
  });

  it('that throws with a status of its own answers with that', async () => {
    const code = "throw Object.assign(new Error('no'), { status: 403 })";
    expect(await answerOf(code)).toMatchObject({ status: 403, stderr: expect.stringContaining('Error: no') });
  });

  it.each([
    ['throws', "throw new Error('broken')", 'Error: broken'],
    ['also sends', "context.send('sent')", 'ERR_HTTP_HEADERS_SENT'],
  ])(
    'that %s after it has begun to answer breaks the answer off, and tells the web server why',
    async (_what, then, told) => {
      const client = await scripts.dial();
      const code = `process.stdout.write('X-A: b\\n\\nhalf'); ${then}`;
      client.request({ params: { REQUEST_URI: '/coded', CODE: code } });
      await client.closed;
      expect(client.broken).toBe(true);
      expect(client.exchange().end).toBeUndefined();
      await eventually(() => expect(client.exchange().stderr + scripts.program.output).toContain(told));
      expect(await answerOf("context.send('lives on')")).toMatchObject({ text: 'lives on' });
    },
  );

  it('that throws shows the trace in development', async () => {
    const developed = await Decorated.start('', { NODE_ENV: 'development' });
    const params = { CODE: "process.env.NODE_ENV = 'production'; throw new Error('broken')" };
    expect((await developed.get('/coded', params)).text).toMatch(/<pre>Error: broken<br> &nbsp; &nbsp;at /);
    await developed.stop();
  });
});
