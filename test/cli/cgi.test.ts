import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../adapters/fastcgi/client.ts';
import { EXAMPLES, folderOf, sh } from '../middleware/programs.ts';
import { build, PROJECT } from '../servers/build.ts';
import { startNginx } from '../servers/nginx.ts';
import { describeWith, Program, temporaryFolder } from '../servers/program.ts';

beforeAll(build);

const FCGI = join(PROJECT, 'dist/cli/main.js');

/** Starts `fcgi cgi`, and gives what it says where it listens. */
async function start(args: string[], env: NodeJS.ProcessEnv = {}): Promise<{ program: Program; address: string }> {
  const options = { cwd: PROJECT, env: { ...process.env, ...env } };
  const program = new Program(process.execPath, [FCGI, 'cgi', ...args], temporaryFolder(), options);
  onTestFinished(async () => {
    await program.stop();
  });
  let address = '';
  await eventually(() => {
    address = /^Listening on (.*)$/m.exec(program.output)?.[1] ?? '';
    if (address === '' && program.child.exitCode === null) throw new Error('it does not listen yet');
  });
  if (address === '') throw new Error(program.output);
  return { program, address };
}

describe('fcgi cgi', () => {
  it('serves a folder over HTTP', async () => {
    const { address } = await start([EXAMPLES, '--http', '0']);
    expect(await (await fetch(`${address}/hello.py?name=you`)).text()).toBe('<p>Hello you</p>\n');
    const missing = await fetch(`${address}/notes.txt`);
    expect([missing.status, missing.headers.get('content-type')]).toEqual([404, 'text/html; charset=utf-8']);
  });

  it('serves it where it was told, with the variables that it was given', async () => {
    const { address } = await start([EXAMPLES, '--http=0', '--mount=/cgi-bin', '--env=A=b=c', '--env', 'D=']);
    const text = await (await fetch(`${address}/cgi-bin/env.sh`)).text();
    expect(text.split('\n')).toEqual(expect.arrayContaining(['A=b=c', 'D=', 'SCRIPT_NAME=/cgi-bin/env.sh']));
    expect((await fetch(`${address}/env.sh`)).status).toBe(404);
  });

  it('finds out what it was started as where no address was given', async () => {
    const { address } = await start([EXAMPLES], { PORT: '0' });
    expect((await fetch(`${address}/path.sh/x`)).status).toBe(200);
  });

  it('shows a client no stack, and has it in its log', async () => {
    const folder = folderOf({ 'a.sh': sh('echo oops >&2', 'exit 1') });
    const { program, address } = await start([folder, '--http', '0'], { NODE_ENV: '' });
    const answer = await fetch(`${address}/a.sh`);
    expect([answer.status, await answer.text()]).toEqual([
      500,
      expect.stringContaining('<pre>Internal Server Error</pre>'),
    ]);
    await eventually(() => {
      expect(program.output).toContain('oops\n');
      expect(program.output).toContain('FcgiError: ');
    });
  });

  it('has the limits that it was told', async () => {
    const folder = folderOf({ 'a.sh': sh('exec sleep 60') });
    const { address } = await start([folder, '--http', '0', '--timeout', '0.05', '--max-processes', '1']);
    const answers = await Promise.all([fetch(`${address}/a.sh`), fetch(`${address}/a.sh`)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([503, 504]);
  });

  it('passes on none of the files that it was started with, as sockets of systemd’s are', async () => {
    const folder = folderOf({ 'a.sh': sh('printf "A: b\\n\\n"', 'ls -l /proc/$$/fd') });
    const script = 'exec 3</dev/zero 4</dev/zero; exec "$@"';
    const args = ['-c', script, 'sh', process.execPath, FCGI, 'cgi', folder, '--http', '0'];
    const program = new Program('sh', args, temporaryFolder());
    onTestFinished(async () => {
      await program.stop();
    });
    await eventually(() => expect(program.output).toContain('Listening on '));
    const files = await (await fetch(`${/http:.*/.exec(program.output)![0]}/a.sh`)).text();
    expect(files).toMatch(/ 0 -> \/dev\/null$/m);
    expect(files).not.toContain('/dev/zero');
  });

  it.each([
    ['no folder', [], 'expected one folder'],
    ['two folders', ['.', '.'], 'expected one folder'],
    ['a folder that is not there', ['/none'], '/none is no folder'],
    ['a file', ['package.json'], 'package.json is no folder'],
    ['a variable without a value', ['.', '--env', 'A'], '--env takes NAME=VALUE, not A'],
    ['a variable without a name', ['.', '--env', '=a'], '--env takes NAME=VALUE, not =a'],
    ['a time that is none', ['.', '--timeout', 'x'], 'timeout takes a number'],
    ['an address that is none', ['.', '--http', 'ftp://a'], 'ftp://'],
    ['an option that is none', ['.', '--port', '1'], 'fcgi cgi DIR'],
  ])('refuses %s, and says why', (_, args, why) => {
    const { status, stderr } = spawnSync(process.execPath, [FCGI, 'cgi', ...args], { cwd: PROJECT, encoding: 'utf8' });
    expect([status, stderr]).toEqual([2, expect.stringContaining(why)]);
    expect(stderr).not.toContain('    at ');
  });
});

describeWith('nginx', 'fcgi cgi behind nginx', () => {
  it('is what fcgiwrap is there', async () => {
    const folder = temporaryFolder();
    const socket = join(folder, 'cgi.sock');
    const { program } = await start([EXAMPLES, '--fastcgi', socket, '--mount', '/cgi-bin']);
    const nginx = await startNginx({ path: socket }, { keepAlive: true });
    onTestFinished(async () => {
      await nginx.program.stop();
    });
    const origin = `http://127.0.0.1:${nginx.port}/cgi-bin`;
    const greeting = await fetch(`${origin}/hello.py`, { method: 'POST', body: 'name=nginx' });
    expect([greeting.status, await greeting.text()]).toEqual([200, '<p>Hello nginx</p>\n']);
    const nph = await fetch(`${origin}/nph-status.sh`);
    expect([nph.status, await nph.text()]).toEqual([200, expect.stringContaining('It is ')]);
    expect(await (await fetch(`${origin}/old-name.sh`)).text()).toBe('<p>Hello friend</p>\n');
    const env = await (await fetch(`${origin}/env.sh/a%20b?c`)).text();
    for (const line of [
      'SCRIPT_NAME=/cgi-bin/env.sh',
      'PATH_INFO=/a b',
      'QUERY_STRING=c',
      'REMOTE_ADDR=127.0.0.1',
      `SERVER_PORT=${nginx.port}`,
      'GATEWAY_INTERFACE=CGI/1.1',
    ]) {
      expect(env.split('\n')).toContain(line);
    }
    expect(env).toMatch(/^SERVER_SOFTWARE=nginx\//m);
    expect(program.output).not.toContain('Error');
  });
});

const HAS_GIT = !spawnSync('git', ['http-backend'], { env: { PATH: process.env.PATH } }).error;
if (!HAS_GIT) console.warn('Left out: git over fcgi cgi. git is not installed');

describe.skipIf(!HAS_GIT)('git’s own CGI program', () => {
  it('is cloned from and pushed to', async () => {
    const folder = folderOf({ 'cgi-bin/git.sh': sh('exec git http-backend') });
    const git = (cwd: string, ...args: string[]) =>
      promisify(execFile)('git', ['-c', 'user.name=a', '-c', 'user.email=a@site.test', ...args], {
        cwd,
        env: { PATH: process.env.PATH, HOME: folder, GIT_CONFIG_NOSYSTEM: '1' },
      });
    mkdirSync(join(folder, 'repositories'));
    execFileSync('git', ['init', '--quiet', '--bare', join(folder, 'repositories/a.git')]);
    await git(join(folder, 'repositories/a.git'), 'config', 'http.receivepack', 'true');

    const env = ['--env', `GIT_PROJECT_ROOT=${folder}/repositories`, '--env', 'GIT_HTTP_EXPORT_ALL=1'];
    const { address, program } = await start([join(folder, 'cgi-bin'), '--http', '0', ...env]);
    await git(folder, 'clone', '--quiet', `${address}/git.sh/a.git`, 'one');
    // More than git sends with a length; it cannot be packed.
    const bytes = Buffer.from(Array.from({ length: 3_000_000 }, () => Math.floor(Math.random() * 256)));
    writeFileSync(join(folder, 'one/bytes'), bytes);
    await git(join(folder, 'one'), 'add', '.');
    await git(join(folder, 'one'), 'commit', '--quiet', '--message', 'bytes');
    await git(join(folder, 'one'), 'push', '--quiet', 'origin', 'HEAD:refs/heads/pushed');
    await git(folder, 'clone', '--quiet', '--branch', 'pushed', `${address}/git.sh/a.git`, 'two');
    expect(readFileSync(join(folder, 'two/bytes')).equals(bytes)).toBe(true);
    expect(program.output).not.toContain('Error');
  });
});
