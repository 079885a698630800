import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Decorated, paramsOf } from './decorated.ts';
import { eventually } from './fastcgi/client.ts';

let scripts: Decorated;

beforeAll(async () => {
  scripts = await Decorated.start();
});

afterAll(async () => {
  await scripts.stop();
});

const MIB = 1024 * 1024;
const BODY = 'h\u00f6llo w\u00f6rld';
const BASE64 = Buffer.from(BODY).toString('base64');

/** What an expression gives within a request, or what it writes there. */
async function evaluate(expression: string, body: string | Buffer | undefined = BODY, params = {}): Promise<string> {
  const answer = await scripts.get('/evaluated', { EXPRESSION: expression, ...params }, body);
  return answer.text;
}

describe('stdin', () => {
  it.each([
    ["fs.readFileSync(0, 'utf8')", BODY],
    ["fs.readFileSync(0, { encoding: 'utf8' })", BODY],
    ['fs.readFileSync(0).toString()', BODY],
    ['fs.readFileSync(0, null).length', '13'],
    ["fs.readFileSync(0, 'base64')", BASE64],
    ["fs.readFileSync(process.stdin.fd, 'utf8')", BODY],
    ["fs.readFileSync('/dev/stdin', 'utf8')", BODY],
    ["fs.readFileSync('/dev/fd/0', 'utf8')", BODY],
    ["fs.readFileSync('/proc/self/fd/0', 'utf8')", BODY],
    ["readFileSync(0, 'utf8')", BODY],
    ["require('fs').readFileSync(0, 'utf8')", BODY],
    ["(({ readFileSync }) => readFileSync(0, 'utf8'))(require('node:fs'))", BODY],
    ["(await import('node:fs')).readFileSync(0, 'utf8')", BODY],
    ["[fs.readFileSync(0, 'utf8'), fs.readFileSync(0, 'utf8')]", JSON.stringify([BODY, ''])],
    ["(await turn(), fs.readFileSync(0, 'utf8'))", BODY],
    ["new Promise((resolve) => setTimeout(() => resolve(fs.readFileSync(0, 'utf8'))))", BODY],
    ["(process.stdin.setEncoding('utf8'), fs.readFileSync(0, 'latin1'))", Buffer.from(BODY).toString('latin1')],
  ])('%s is all of it', async (expression, value) => {
    expect(await evaluate(expression)).toBe(value);
  });

  it.each([
    ['(buffer) => [fs.readSync(0, buffer), buffer]', [8, 'h\u00f6llo w']],
    ['(buffer) => [fs.readSync(0, buffer, 2, 3), buffer]', [3, '..h\u00f6...']],
    ['(buffer) => [fs.readSync(0, buffer, 2, 3, null), buffer]', [3, '..h\u00f6...']],
    ['(buffer) => [fs.readSync(0, buffer, { offset: 1, length: 1 }), buffer]', [1, '.h......']],
    ['(buffer) => [fs.readSync(0, buffer, { length: 1 }), buffer]', [1, 'h.......']],
    ['(buffer) => [fs.readSync(0, buffer, 0, 0), buffer]', [0, '........']],
    [
      '(buffer) => [fs.readSync(0, new Uint16Array(buffer.buffer, buffer.byteOffset, 1)), buffer]',
      [2, 'h\ufffd......'],
    ],
    ['(buffer) => [fs.readSync(0, new DataView(buffer.buffer, buffer.byteOffset, 1)), buffer]', [1, 'h.......']],
  ])('%s is a piece of it', async (expression, value) => {
    const buffer = "Buffer.from(new ArrayBuffer(8)).fill('.')";
    const text = await evaluate(`(([count, buffer]) => [count, buffer.toString()])((${expression})(${buffer}))`);
    expect(JSON.parse(text)).toEqual(value);
  });

  it('in pieces it has an end', async () => {
    const loop = `(() => {
      const lengths = [];
      for (let length; length !== 0; lengths.push(length)) length = fs.readSync(0, Buffer.alloc(5));
      return lengths;
    })()`;
    expect(await evaluate(loop)).toBe('[5,5,3,0]');
  });

  it('read at once, its rest streams; read whole, it ends', async () => {
    const rest = '(fs.readSync(0, Buffer.alloc(7)), (await process.stdin.toArray()).join())';
    expect(await evaluate(rest)).toBe('w\u00f6rld');
    const end = "new Promise((resolve) => { fs.readFileSync(0); process.stdin.on('end', () => resolve('ended')); })";
    expect(await evaluate(end)).toBe('ended');
    expect(await evaluate('(fs.readSync(0, Buffer.alloc(1)), context.stdin.text())')).toBe('FCGI_ERR_BODY_USED');
  });

  it('is empty where there is no body', async () => {
    for (const body of [undefined, '']) {
      const answer = await scripts.get('/evaluated', { EXPRESSION: "fs.readFileSync(0, 'utf8') + 'empty'" }, body);
      expect(answer.text).toBe('empty');
    }
  });

  it('is as it was sent, whatever Content-Encoding says', async () => {
    const params = { HTTP_CONTENT_ENCODING: 'gzip' };
    const gzipped = gzipSync(BODY);
    expect(await evaluate("fs.readFileSync(0, 'base64')", gzipped, params)).toBe(gzipped.toString('base64'));
    expect(await evaluate('context.stdin.text()', gzipped, params)).toBe(BODY);
  });

  it('is there in chunks of no length known before', async () => {
    const client = await scripts.dial();
    const params = paramsOf('/evaluated', { REQUEST_METHOD: 'POST', EXPRESSION: "fs.readFileSync(0, 'utf8')" });
    client.begin().params(1, params).stdin(1, 'h\u00f6l');
    client.stdin(1, 'lo').stdin(1, ' w\u00f6rld').stdinEnd();
    expect((await client.answer()).text).toBe(BODY);
    client.begin(2).params(2, params).stdinEnd(2);
    expect((await client.answer(2)).text).toBe('');
    client.destroy();
  });

  it('has up to 1 MiB at once; of more it says 413, and streams', async () => {
    const most = Buffer.alloc(MIB, 'x');
    for (let i = 0; i < 20; i++) expect(await evaluate('fs.readFileSync(0).length', most)).toBe(`${MIB}`);
    const more = Buffer.alloc(MIB + 1, 'x');
    expect(await evaluate('fs.readFileSync(0)', more)).toBe('FCGI_ERR_BODY_TOO_LARGE');
    expect(await evaluate('fs.readSync(0, Buffer.alloc(1))', more)).toBe('FCGI_ERR_BODY_TOO_LARGE');
    expect(await evaluate('(await process.stdin.toArray()).join("").length', more)).toBe(`${MIB + 1}`);
    expect((await evaluate('context.stdin.text()', most)).length).toBe(MIB);
    const thrown = await scripts.get('/told', {}, more);
    expect([thrown.status, thrown.stderr]).toEqual([413, expect.stringContaining('The body is larger than')]);
  });

  it('of a large one that nobody reads the rest is thrown away, and the connection serves the next request', async () => {
    const large = Buffer.alloc(4 * MIB, 'x');
    const client = await scripts.dial();
    for (let i = 0; i < 3; i++) {
      const answer = await client.get({ params: paramsOf('/names'), body: large });
      expect(answer.status).toBe(200);
    }
    client.destroy();
  });

  it('of a client that leaves while it comes is for nobody', async () => {
    const client = await scripts.dial();
    const params = paramsOf('/told', { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '10' });
    client.begin().params(1, params).stdin(1, 'half');
    const other = await scripts.dial();
    // The first request's records have been read when this one, sent later, has been answered.
    await other.get({ params: paramsOf('/names') });
    client.destroy();
    await client.closed;
    await other.get({ params: paramsOf('/told'), body: 'whole' });
    await eventually(() => expect(scripts.program.output).toContain('told whole'));
    expect(scripts.program.output.match(/told/g)).toHaveLength(1);
    other.destroy();
  });
});

describe('stdout', () => {
  it.each([
    ["fs.writeSync(1, HEAD + 'text')", 'text'],
    ["fs.writeSync(process.stdout.fd, HEAD + 'text')", 'text'],
    ["writeSync(1, HEAD + 'text')", 'text'],
    ["fs.writeSync(1, Buffer.from(HEAD + 'bytes'))", 'bytes'],
    ["fs.writeSync(1, new TextEncoder().encode(HEAD + 'bytes'))", 'bytes'],
    ["(fs.writeSync(1, HEAD), fs.writeSync(1, Buffer.from('a piece of it'), 2, 5))", 'piece'],
    ["(fs.writeSync(1, HEAD), fs.writeSync(1, Buffer.from('a piece of it'), 2, 5, null))", 'piece'],
    ["(fs.writeSync(1, HEAD), fs.writeSync(1, Buffer.from('a piece of it'), { offset: 8 }))", 'of it'],
    [`(fs.writeSync(1, HEAD), fs.writeSync(1, '${BASE64}', null, 'base64'))`, BODY],
    ["fs.writeFileSync(1, HEAD + 'file')", 'file'],
    ["fs.writeFileSync('/dev/stdout', HEAD + 'file')", 'file'],
    [`(fs.writeSync(1, HEAD), fs.writeFileSync('/dev/fd/1', '${BASE64}', 'base64'))`, BODY],
    [`(fs.writeSync(1, HEAD), fs.writeFileSync(1, '${BASE64}', { encoding: 'base64' }))`, BODY],
    [
      "(fs.writeSync(1, HEAD), fs.appendFileSync('/dev/stdout', 'one'), fs.appendFileSync(1, Buffer.from(' two')))",
      'one two',
    ],
  ])('%s', async (expression, written) => {
    expect(await evaluate(`void ${expression}`)).toBe(written);
  });

  it('has what a buffer held when it was written, and its length in bytes', async () => {
    const again = `(() => {
      const buffer = Buffer.from('\u00f6ne');
      const lengths = [fs.writeSync(1, HEAD), fs.writeSync(1, buffer), fs.writeSync(1, '\u00f6'), fs.writeSync(1, 'xx', null, 'hex')];
      fs.writeFileSync(1, buffer);
      buffer.fill('-');
      console.log(' %s', lengths);
    })()`;
    expect(await evaluate(`void ${again}`)).toMatch(/^\u00f6ne\u00f6\u00f6ne \[ 26, 4, 2, 0 \]/);
  });

  it('what cannot be written is refused as ever, and leaves nothing', async () => {
    expect(await evaluate('fs.writeSync(1, 7)')).toBe('ERR_INVALID_ARG_TYPE');
    expect(await evaluate('fs.writeFileSync(1, undefined)')).toBe('ERR_INVALID_ARG_TYPE');
  });
});

describe('stderr', () => {
  it.each([
    ["fs.writeSync(2, 'logged')"],
    ["fs.writeSync(process.stderr.fd, Buffer.from('logged'))"],
    ["fs.writeFileSync('/dev/stderr', 'logged')"],
    ["fs.appendFileSync('/dev/fd/2', 'logged')"],
  ])("%s is in the web server's log", async (expression) => {
    const answer = await scripts.get('/evaluated', { EXPRESSION: `(${expression}, 'answered')` });
    expect([answer.text, answer.stderr]).toEqual(['answered', 'logged']);
  });

  it("over HTTP is the process's own", async () => {
    expect(await scripts.ask('/logs?12')).toBe('200 logged');
    await eventually(() => expect(scripts.program.output).toContain('log 12\n'));
  });
});

describe('other files', () => {
  const file = () => JSON.stringify(join(scripts.program.folder, 'file'));

  it('are read and written as ever', async () => {
    expect(await evaluate("fs.readFileSync('package.json', 'utf8').length")).toBe(
      `${readFileSync('package.json', 'utf8').length}`,
    );
    const through = `(() => {
      fs.writeFileSync(${file()}, 'one');
      fs.appendFileSync(${file()}, ' two');
      const fd = fs.openSync(${file()}, 'r+');
      fs.writeSync(fd, 'ONE', 0);
      const buffer = Buffer.alloc(3);
      fs.readSync(fd, buffer, 0, 3, 4);
      fs.closeSync(fd);
      return fs.readFileSync(${file()}, 'utf8') + ' ' + buffer;
    })()`;
    expect(await evaluate(through)).toBe('ONE two two');
    expect(await evaluate("fs.readFileSync('missing')")).toBe('ENOENT');
    expect(await evaluate('fs.readFileSync(-1)')).toMatch(/^E/);
  });

  it("by what was taken from `fs` before, and asynchronously, the process's own are", async () => {
    expect(await evaluate("own.read(0, 'utf8') + 'own'")).toBe('own');
    expect(await evaluate("(await fs.promises.readFile('/dev/stdin', 'utf8')) + 'own'")).toBe('own');
  });
});

it('outside of a request the three are the process\u2019s own', async () => {
  const others = await Decorated.start(`
    import fs from 'node:fs';
    fastcgi({ http: 0 }, run);
    fs.writeSync(1, 'module level ' + fs.readFileSync(0, 'utf8').length + '\\n');
    fs.writeFileSync(2, 'stderr\\n');`);
  expect(others.program.output).toMatch(/module level 0\n/);
  expect(others.program.output).toContain('stderr\n');
  await others.stop();
});
