import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { startError } from '../../../src/middleware/cgi/start-error.ts';
import { Door, eventually } from '../../adapters/fastcgi/client.ts';
import { build, PROJECT } from '../../servers/build.ts';
import { Program, temporaryFolder } from '../../servers/program.ts';
import { cgiApp, DOORS } from '../doors.ts';
import { ended, folderOf, lineIn, sh } from '../programs.ts';

const door = new Door();
afterEach(() => door.close());

const openFiles = () => readdirSync('/proc/self/fd').length;

/** Zombies included. */
function children(): string[] {
  return readdirSync('/proc').filter((name) => {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === process.pid;
    } catch {
      return false;
    }
  });
}

describe.each(DOORS)('over %s', (_, open) => {
  it('leaves no process and no file behind, however a program ends', async () => {
    const { app } = cgiApp(
      folderOf({
        'good.sh': sh('printf "A: b\\n\\nbody"'),
        'cat.sh': sh('printf "A: b\\n\\n"', 'cat'),
        'fails.sh': sh('exit 1'),
        'killed.sh': sh('printf "A: b\\n\\n"', 'kill -9 $$'),
        'no-head.sh': sh('printf "no head\\n\\n"', 'sleep 60'),
        'not-started.sh': '#!/none\n',
        'no-program.sh': 'none',
      }),
      { killTimeout: 1000 },
    );
    const ask = await open(app, door);
    const all = async () => {
      const names = ['good', 'cat', 'fails', 'killed', 'no-head', 'not-started', 'no-program'];
      const request = { method: 'POST', body: Buffer.alloc(100_000) };
      await Promise.allSettled(names.map((name) => ask(`/cgi-bin/${name}.sh`, request)));
    };
    await all();
    await eventually(() => expect(children()).toEqual([]));
    const before = openFiles();
    for (let round = 0; round < 10; round++) await all();
    await eventually(() => expect(children()).toEqual([]));
    // Some pipes wait to be taken: not as many as there were programs.
    await eventually(() => expect(openFiles()).toBeLessThan(before + 60));
  });
});

describe('startError', () => {
  it.each([
    ['EMFILE', 503, 'FCGI_ERR_OVERLOADED'],
    ['ENFILE', 503, 'FCGI_ERR_OVERLOADED'],
    ['EAGAIN', 503, 'FCGI_ERR_OVERLOADED'],
    ['ENOMEM', 503, 'FCGI_ERR_OVERLOADED'],
    ['E2BIG', 431, 'FCGI_ERR_PARAMS_TOO_LARGE'],
    ['ENOENT', 500, 'FCGI_ERR_CGI_START'],
    ['EACCES', 500, 'FCGI_ERR_CGI_START'],
    ['EPERM', 500, 'FCGI_ERR_CGI_START'],
  ])('makes %s a %i', (code, status, expected) => {
    const cause = Object.assign(new Error(`spawn ${code}`), { code });
    const error = startError('/srv/a.sh', undefined, cause);
    expect(error).toMatchObject({ status, code: expected, cause });
    expect(error.message).toContain('/srv/a.sh');
  });
});

it('runs a binary as well as a script', async () => {
  const folder = folderOf();
  copyFileSync('/bin/sh', join(folder, 'shell'));
  const ask = await DOORS[0]![1](cgiApp(folder).app, door);
  const body = 'echo A: b; echo; echo from stdin';
  expect(await ask('/cgi-bin/shell', { method: 'POST', body })).toMatchObject({ status: 200, text: 'from stdin\n' });
});

it('leaves nothing running, and no file, when the process ends in order', async () => {
  build();
  const folder = folderOf({ 'a.sh': sh('trap "" TERM', 'sleep 60 &', 'echo $$ $! >pids', 'wait') });
  const temporary = folderOf();
  const source = `import { createApp, serve } from ${JSON.stringify(join(PROJECT, 'dist/index.js'))};
    import { cgi } from ${JSON.stringify(join(PROJECT, 'dist/middleware/index.js'))};
    const app = createApp();
    app.use(cgi(${JSON.stringify(folder)}));
    const { http } = await serve(app, { http: 0, closeTimeout: 50 });
    console.log('port ' + http.port);`;
  const args = ['--input-type=module', '--eval', source];
  const program = new Program(process.execPath, args, temporaryFolder(), {
    env: { ...process.env, TMPDIR: temporary },
  });
  try {
    await eventually(() => expect(program.output).toMatch(/^port \d+\n/));
    const request = get(`http://127.0.0.1:${/\d+/.exec(program.output)![0]}/a.sh`).on('error', () => {});
    const pids = (await lineIn(join(folder, 'pids'))).split(' ');
    expect(await program.stop()).toBe(0);
    await ended(...pids);
    expect(readdirSync(temporary)).toEqual([]);
    request.destroy();
  } finally {
    await program.stop();
  }
});
