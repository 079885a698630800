import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createApp } from '../../src/core/app.ts';
import { type CgiOptions, cgi } from '../../src/middleware/index.ts';
import { Door } from '../adapters/fastcgi/client.ts';
import { ask as askHttp, listen } from '../core/served.ts';
import { cgiApp, DOORS, type TestRequest } from './doors.ts';
import { EXAMPLES, folderOf, isRunning, sh } from './programs.ts';

const door = new Door();
afterEach(() => door.close());

const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');

describe.each(DOORS)('cgi over %s', (name, open) => {
  async function serve(files: Record<string, string> | string, options?: CgiOptions) {
    const folder = typeof files === 'string' ? files : folderOf(files);
    const { app, errors } = cgiApp(folder, options);
    const send = await open(app, door);
    const ask = (path: string, request?: TestRequest) => send(`/cgi-bin${path}`, request);
    return { folder, app, ask, errors, codes: () => errors.map(({ code }) => code) };
  }

  it('runs a program in Python, and one in sh', async () => {
    const { ask } = await serve(EXAMPLES);
    const query = await ask('/hello.py?name=B%C3%A4r%26Co');
    expect(query).toMatchObject({ status: 200, text: '<p>Hello Bär&amp;Co</p>\n' });
    expect(query.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(await ask('/hello.py', { method: 'POST', body: 'name=form' })).toMatchObject({
      text: '<p>Hello form</p>\n',
    });
    expect(await ask('/path.sh/a%20b/c')).toMatchObject({
      status: 200,
      text: '/cgi-bin/path.sh was asked for /a b/c\n',
    });
    expect(await ask('/path.sh')).toMatchObject({ status: 404, text: '/cgi-bin/path.sh was asked for nothing\n' });
    const nph = await ask('/nph-status.sh');
    expect(nph).toMatchObject({ status: 200, text: expect.stringMatching(/^It is \d\d:\d\d here\.\n$/) });
  });

  it('passes on what is no program', async () => {
    const { ask, app } = await serve(EXAMPLES);
    app.use('/cgi-bin', (req, res) => res.send(`passed on ${req.url}`));
    for (const path of ['/notes.txt', '/', '/none.sh/x', '/../cgi-bin/hello.py', '/hello.py%00', '/%zz']) {
      expect((await ask(path)).text, path).toBe(`passed on ${path}`);
    }
  });

  it('gives a program 10 MB and takes 10 MB from it, byte for byte', async () => {
    const { ask } = await serve({ 'cat.sh': sh("printf 'Content-Type: a/b\\n\\n'", 'exec cat') });
    const body = randomBytes(10 * 1024 ** 2);
    const answer = await ask('/cat.sh', { method: 'POST', body });
    expect(sha256(answer.body)).toBe(sha256(body));
  });

  it('counts a body whose length was not told', async () => {
    const { ask } = await serve({ 'count.sh': sh("printf 'X-Length: %s\\n\\n' $CONTENT_LENGTH", 'exec cat') });
    const body = randomBytes(300_000);
    const answer = await ask('/count.sh', { method: 'POST', body, chunked: true });
    expect(answer.headers['x-length']).toBe('300000');
    expect(sha256(answer.body)).toBe(sha256(body));
  });

  it('refuses such a body where it is too long, and starts nothing', async () => {
    const { ask, folder, codes } = await serve({ 'a.sh': sh('touch ran') }, { maxUncountedBytes: 1000 });
    const answer = await ask('/a.sh', { method: 'POST', body: Buffer.alloc(1001), chunked: true });
    expect(answer).toMatchObject({ status: 413, text: 'FCGI_ERR_BODY_TOO_LARGE' });
    expect(codes()).toEqual(['FCGI_ERR_BODY_TOO_LARGE']);
    expect(existsSync(join(folder, 'ran'))).toBe(false);
  });

  it('does not mind a program that reads nothing of the body', async () => {
    const { ask, codes } = await serve({ 'a.sh': sh('exec <&-', "printf 'A: b\\n\\nanswered'") });
    const answer = await ask('/a.sh', { method: 'POST', body: randomBytes(3 * 1024 ** 2) });
    expect(answer).toMatchObject({ status: 200, text: 'answered' });
    expect(codes()).toEqual([]);
  });

  it('has no body to give where somebody else has read it', async () => {
    const { app } = cgiApp(folderOf({ 'a.sh': sh() }));
    const outer = createApp();
    outer.use(async (req, _res, next) => {
      await req.text();
      next();
    });
    outer.use(app);
    const ask = await open(outer, door);
    const answer = await ask('/cgi-bin/a.sh', { method: 'POST', body: 'body' });
    expect(answer).toMatchObject({ status: 500, text: 'FCGI_ERR_BODY_USED' });
  });

  it('starts the program in its own folder, with no arguments whatever the query', async () => {
    const { ask, folder } = await serve({ 'tools/a.sh': sh("printf 'A: b\\n\\n'", 'pwd', 'echo "$0 $#"') });
    expect((await ask('/tools/a.sh?-s+--help')).text).toBe(`${folder}/tools\n${folder}/tools/a.sh 0\n`);
  });

  it('gives a program pipes, which it can open by their names as well', async () => {
    const { ask } = await serve({
      'a.sh': sh('printf "A: b\\n\\n" >/dev/stdout', 'cat /dev/stdin', 'echo >/dev/stderr', 'echo >>/dev/stdout'),
    });
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    onTestFinished(() => write.mockRestore());
    expect(await ask('/a.sh', { method: 'POST', body: 'from stdin' })).toMatchObject({ text: 'from stdin\n' });
    expect(await ask('/a.sh')).toMatchObject({ text: '\n' });
    const long = Buffer.alloc(3_000_000, 'x');
    expect((await ask('/a.sh', { method: 'POST', body: long })).body.length).toBe(long.length + 1);
    expect((await ask('/a.sh', { method: 'POST', body: long, chunked: true })).body.length).toBe(long.length + 1);
  });

  it('takes the status of Status, and of Location', async () => {
    const { ask } = await serve({
      'a.sh': sh('echo "$QUERY_STRING" | tr "&" "\\n"', 'echo', 'echo body'),
    });
    expect(await ask('/a.sh?Status:404&A:b')).toMatchObject({ status: 404, headers: { a: 'b' } });
    expect(await ask('/a.sh?Location:http://other.test/')).toMatchObject({
      status: 302,
      headers: { location: 'http://other.test/' },
    });
    expect(await ask('/a.sh?Location:/a&Status:303')).toMatchObject({ status: 303, headers: { location: '/a' } });
  });

  it('answers HEAD with the head alone', async () => {
    const { ask } = await serve({
      'a.sh': sh('echo "X-Method: $REQUEST_METHOD"', 'echo Content-Length: 5', 'echo', 'echo body'),
    });
    expect(await ask('/a.sh', { method: 'HEAD' })).toMatchObject({
      status: 200,
      text: '',
      headers: { 'x-method': 'HEAD' },
    });
  });

  describe('a program that fails', () => {
    it.each([
      ['writes nothing', sh(), 'before anything'],
      ['fails before it writes anything', sh('exit 3'), 'ended with status 3'],
      ['fails in its head', sh('echo A: b', 'exit 4'), 'ended with status 4'],
      ['is killed before its head is complete', sh('echo A: b', 'kill -9 $$'), 'was ended by SIGKILL'],
      ['writes no head', sh('echo Hello'), 'before the empty line'],
      ['writes no head, and more', sh('echo Hello', 'echo', 'exec sleep 60'), "'Hello' is no header"],
      ['has an interpreter that is not there', '#!/none/python -u\n', '"/none/python", which does not exist'],
      ['has lines that end in CRLF', '#!/bin/sh\r\necho\r\n', '"/bin/sh\\r", which does not exist'],
      ['has no interpreter', 'echo A: b; echo', 'neither a binary, nor'],
      ['is empty', '', 'neither a binary, nor'],
      ['has an interpreter that is none', '#!/etc/passwd\n', 'may not be executed'],
    ])('is 500 where it %s', async (_, content, why) => {
      const { ask, errors } = await serve({ 'a.sh': content });
      const code = content.startsWith('#!/bin/sh\n') ? 'FCGI_ERR_CGI_OUTPUT' : 'FCGI_ERR_CGI_START';
      expect(await ask('/a.sh')).toMatchObject({ status: 500, text: code });
      expect(errors).toMatchObject([{ code, message: expect.stringContaining(why) }]);
      expect(errors[0]!.message).toContain('/a.sh');
    });

    it('keeps the answer that it has begun, whatever its status', async () => {
      const { ask, codes } = await serve({ 'a.sh': sh("printf 'A: b\\n\\nbody'", 'exit 1') });
      expect(await ask('/a.sh')).toMatchObject({ status: 200, text: 'body' });
      expect(codes()).toEqual([]);
    });

    it('breaks the answer off where it was killed', async () => {
      const { ask, errors } = await serve({ 'a.sh': sh("printf 'A: b\\n\\nbody'", 'kill -SEGV $$') });
      await expect(ask('/a.sh')).rejects.toThrow();
      expect(errors).toMatchObject([{ message: expect.stringContaining('was ended by SIGSEGV') }]);
    });

    it('breaks the answer off where it is shorter than its Content-Length', async () => {
      const { ask } = await serve({ 'a.sh': sh("printf 'Content-Length: 10\\n\\nbody'") });
      await expect(ask('/a.sh')).rejects.toThrow();
    });
  });

  it('ends with the program, not with what that leaves running', async () => {
    const { ask, folder } = await serve({
      'a.sh': sh("printf 'A: b\\n\\nbody'", '(exec >/dev/null; sleep 60) &', 'echo $! >pid'),
    });
    expect(await ask('/a.sh')).toMatchObject({ text: 'body' });
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
    expect(isRunning(pid)).toBe(true);
    process.kill(pid);
  });

  it('gives the error log also what the program writes last, and much of it', async () => {
    const line = 'x'.repeat(99);
    const script = sh('exec >&-', `i=0; while [ $i -lt 500 ]; do echo ${line}; i=$((i + 1)); done >&2`, 'exit 1');
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    onTestFinished(() => write.mockRestore());
    if (name === 'HTTP') {
      const { ask } = await serve({ 'a.sh': script });
      for (let round = 0; round < 5; round++) {
        write.mockClear();
        await ask('/a.sh');
        expect(write.mock.calls.map(([text]) => text).join('')).toHaveLength(50_000);
      }
    } else {
      const server = await door.open(cgiApp(folderOf({ 'a.sh': script })).app);
      for (let round = 0; round < 5; round++) {
        const client = await door.connect(server);
        expect((await client.get({ params: { REQUEST_URI: '/cgi-bin/a.sh' } })).stderr).toHaveLength(50_000);
      }
    }
  });

  it('gives the error log what the program writes to stderr', async () => {
    const files = { 'a.sh': sh('echo "first ä" >&2', "printf 'A: b\\n\\nbody'", 'echo last >&2') };
    if (name === 'HTTP') {
      const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
      onTestFinished(() => write.mockRestore());
      await (await serve(files)).ask('/a.sh');
      expect(write.mock.calls.map(([text]) => text).join('')).toBe('first ä\nlast\n');
    } else {
      const client = await door.connect(await door.open(cgiApp(folderOf(files)).app));
      const exchange = await client.get({ params: { REQUEST_URI: '/cgi-bin/a.sh' } });
      expect([exchange.text, exchange.stderr]).toEqual(['body', 'first ä\nlast\n']);
    }
  });
});

describe('cgi', () => {
  it('serves in any chain of Connect’s kind; a local redirect is the client’s there', async () => {
    const folder = folderOf({
      'a.sh': sh('echo "X-Path: $SCRIPT_NAME"', 'echo', 'cat'),
      'b.sh': sh('echo Location: /a.sh', 'echo'),
    });
    const middleware = cgi(folder);
    const server = createServer((req, res) => middleware(req, res, (error) => res.end(error ? 'error' : 'passed on')));
    const origin = await listen(server);
    const answer = await fetch(`${origin}/a.sh`, { method: 'POST', body: 'body' });
    expect([answer.headers.get('x-path'), await answer.text()]).toEqual(['/a.sh', 'body']);
    expect((await fetch(`${origin}/b.sh`, { redirect: 'manual' })).status).toBe(302);
    expect(await askHttp(origin, '/none')).toBe('200 passed on');
  });

  it.each([
    ['timeout', 0],
    ['maxProcesses', -1],
    ['maxQueue', Number.NaN],
    ['killTimeout', '1'],
    ['maxUncountedBytes', null],
  ])('refuses %s of %s', (option, value) => {
    expect(() => cgi('.', { [option]: value })).toThrow(expect.objectContaining({ code: 'FCGI_ERR_OPTION' }));
  });

  it.each(['', undefined, new URL('file:///tmp')])('refuses %j for a folder', (folder) => {
    expect(() => cgi(folder as string)).toThrow(expect.objectContaining({ code: 'FCGI_ERR_OPTION' }));
  });

  it('may have no limit, and no queue', () => {
    cgi('.', { timeout: Number.POSITIVE_INFINITY, maxProcesses: Number.POSITIVE_INFINITY, maxQueue: 0 });
  });
});
