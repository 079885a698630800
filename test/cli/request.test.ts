import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Answerer, application } from '../adapters/client/application.ts';
import { build, PROJECT } from '../servers/build.ts';
import { startPhpFpm } from '../servers/php-fpm.ts';
import { describeWith, freePort, temporaryFolder } from '../servers/program.ts';

beforeAll(build);

interface Outcome {
  status: number;
  stdout: string;
  stderr: string;
}

/** What `fcgi request` does with these arguments. */
function run(args: string[], stdin = ''): Promise<Outcome> {
  return new Promise((resolve) => {
    const command = [join(PROJECT, 'dist/cli/main.js'), 'request', ...args];
    const child = execFile(process.execPath, command, (error, stdout, stderr) => {
      resolve({ status: error ? Number(error.code) : 0, stdout, stderr });
    });
    child.stdin!.end(stdin);
  });
}

/** Says what it was asked. */
const telling: Answerer = (request) => {
  const { REQUEST_METHOD, REQUEST_URI, CONTENT_TYPE = '-', HTTP_X_A = '-', A = '-' } = request.params;
  const words = [REQUEST_METHOD, REQUEST_URI, CONTENT_TYPE, HTTP_X_A, A, request.stdin.toString()];
  request
    .stdout('Status: 201 Made\r\nX-B: c\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n')
    .stdout(words.join(' '))
    .end();
};

describe('fcgi request', () => {
  it.each<[string, string[], string]>([
    ['a path', ['/a?b=%63'], 'GET /a?b=%63 - - - '],
    ['no path', [], 'GET / - - - '],
    ['a body', ['/', '-d', 'x=y'], 'POST / application/x-www-form-urlencoded - - x=y'],
    ['a body from stdin', ['/', '-d', '@-'], 'POST / application/x-www-form-urlencoded - - from stdin'],
    [
      'all there is',
      ['/', '-X', 'PUT', '-d', '1', '-H', 'Content-Type: a/b', '-H', 'X-A: 2', '--param', 'A=b=c'],
      'PUT / a/b 2 b=c 1',
    ],
  ])('sends %s', async (_, args, answer) => {
    const app = await application(telling);
    expect(await run([app.address, ...args], 'from stdin')).toEqual({ status: 0, stdout: answer, stderr: '' });
  });

  it('sends a file', async () => {
    const app = await application(telling);
    const file = join(temporaryFolder(), 'body');
    writeFileSync(file, 'from a file');
    expect((await run([app.address, '/', '-d', `@${file}`])).stdout).toMatch(/from a file$/);
  });

  it('names the script', async () => {
    const app = await application((request) => request.answer(request.params.SCRIPT_FILENAME));
    expect((await run([app.address, '/a.php', '--root', '/srv/www'])).stdout).toBe('/srv/www/a.php');
    expect((await run([app.address, '/a.php', '--script', '/opt/b.php'])).stdout).toBe('/opt/b.php');
  });

  it('shows the head where it is asked to', async () => {
    const app = await application(telling);
    const { stdout } = await run([app.address, '/', '-i']);
    expect(stdout).toBe('Status: 201 Made\nx-b: c\nset-cookie: a=1\nset-cookie: b=2\n\nGET / - - - ');
  });

  it('has the application’s stderr on its own', async () => {
    const app = await application((request) => request.stderr('a warning\n').answer('hello'));
    expect(await run([app.address])).toEqual({ status: 0, stdout: 'hello', stderr: 'a warning\n' });
  });

  it.each<[string, Answerer, number, string, string]>([
    ['an error', (request) => request.stdout('Status: 404\r\n\r\nnot there').end(), 1, 'not there', ''],
    [
      'half an answer',
      (request) => request.stdout('A: b\r\n\r\nhalf').socket.end(),
      3,
      'half',
      'FCGI_ERR_CLIENT_CLOSED',
    ],
    ['no answer', (request) => request.end(), 3, '', 'FCGI_ERR_CLIENT_PROTOCOL'],
    ['nothing for too long', () => {}, 3, '', 'FCGI_ERR_CLIENT_TIMEOUT'],
  ])('tells %s by its exit status', async (_, answerer, status, stdout, stderr) => {
    const app = await application(answerer);
    const outcome = await run([app.address, '/', '--timeout', '0.3']);
    expect([outcome.status, outcome.stdout]).toEqual([status, stdout]);
    expect(outcome.stderr).toContain(stderr);
  });

  it('ends quietly where nobody reads on', async () => {
    const app = await application((request) => {
      request.stdout('A: b\r\n\r\n');
      for (let i = 0; i < 50; i++) request.stdout('x'.repeat(60_000));
      request.end();
    });
    const command = [process.execPath, join(PROJECT, 'dist/cli/main.js'), 'request', app.address, '-i'];
    const script = '{ "$@"; echo "status $?" >&2; } | head -c 1';
    const outcome = await new Promise((resolve) => {
      execFile('sh', ['-c', script, 'sh', ...command], (_error, stdout, stderr) => resolve({ stdout, stderr }));
    });
    expect(outcome).toEqual({ stdout: 'S', stderr: 'status 0\n' });
  });

  it('tells that nobody listens by its exit status', async () => {
    const { status, stderr } = await run([String(await freePort())]);
    expect([status, stderr]).toEqual([3, expect.stringMatching(/ECONNREFUSED.*\(FCGI_ERR_CLIENT_CONNECT\)\n$/)]);
  });

  it('sends a request many times, and sums up', async () => {
    const app = await application((request) => request.answer('hello'));
    const { status, stdout } = await run([app.address, '/', '--bench', '100', '--concurrency', '5', '--keep-alive']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^requests {5}100 in [\d.]+ s, 5 at a time$/m);
    expect(stdout).toMatch(/^CPU time {5}[\d.]+ µs a request/m);
    expect(stdout).toMatch(/^latency, ms {2}min [\d.]+, median [\d.]+, 90 % [\d.]+, 99 % [\d.]+, max [\d.]+$/m);
    expect(stdout).toMatch(/^status 200 {3}100$/m);
    expect([app.requests.length, app.connections]).toEqual([100, 5]);
  });

  it('sums up failures as well', async () => {
    let count = 0;
    const app = await application((request) => (count++ % 2 ? request.answer('') : request.socket.destroy()));
    const { status, stdout } = await run([app.address, '/', '--bench', '10', '-X', 'POST']);
    expect(status).toBe(1);
    expect(stdout).toContain('FCGI_ERR_CLIENT_CLOSED 5');
  });

  it.each([
    ['no address', [], 'expected an address'],
    ['too much', ['1', '/', '/'], 'expected an address'],
    ['what is no address', ['ftp://a'], 'ftp://'],
    ['a header that is none', ['1', '/', '-H', 'x'], "--header takes 'Name: value'"],
    ['a parameter without a value', ['1', '/', '--param', 'x'], '--param takes NAME=VALUE'],
    ['a file that is not there', ['1', '/', '-d', '@/none'], '/none is no file'],
    ['a time that is none', ['1', '/', '--timeout', 'x'], 'Timeout takes a number'],
    ['a number that is none', ['1', '/', '--bench', 'x'], '--bench takes a whole number'],
    ['a body that cannot be sent twice', ['1', '/', '--bench', '1', '-d', '@-'], '--bench takes no body'],
    ['an option that is none', ['1', '--none'], 'fcgi request ADDRESS'],
  ])('refuses %s, and says why', async (_, args, why) => {
    const { status, stderr } = await run(args);
    expect([status, stderr]).toEqual([2, expect.stringContaining(why)]);
    expect(stderr).not.toContain('    at ');
  });
});

describeWith('php-fpm', 'fcgi request, of PHP-FPM', () => {
  it('asks for a page, its status, a ping and its values', async () => {
    const { socket, root } = await startPhpFpm({ 'a.php': '<?php echo "Hello ", $_POST["a"]; error_log("seen");' });
    const page = await run([socket, '/a.php', '--root', root, '-d', 'a=you']);
    expect(page).toEqual({ status: 0, stdout: 'Hello you', stderr: expect.stringContaining('seen') });
    expect(await run([socket, '--ping'])).toEqual({ status: 0, stdout: 'pong\n', stderr: '' });
    expect(await run([socket, '--values'])).toEqual({ status: 0, stdout: 'FCGI_MPXS_CONNS=0\n', stderr: '' });
    const { processes, ...status } = JSON.parse((await run([socket, '--status', '--full'])).stdout);
    expect([status.pool, processes.length]).toEqual(['test', 4]);
    const none = await run([socket, '/none', '--status']);
    expect([none.status, none.stderr]).toEqual([3, expect.stringContaining('has no page /none')]);
  });
});
