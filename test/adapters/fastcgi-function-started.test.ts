import { once } from 'node:events';
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { build, PROJECT } from '../servers/build.ts';
import { Program, temporaryFolder } from '../servers/program.ts';
import { Client, eventually } from './fastcgi/client.ts';
import { listening, Spawned } from './spawned.ts';

describe('the program that was started', () => {
  let folder: string;
  const programs: Program[] = [];

  beforeEach(() => {
    build();
    folder = temporaryFolder();
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(PROJECT, join(folder, 'node_modules/fcgi'));
  });

  afterEach(async () => {
    for (const program of programs.splice(0)) await program.stop('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  const HANDLER = "() => process.stdout.write('Content-Type: text/plain\\n\\nserved')";
  const ESM = `import { fastcgi } from 'fcgi';\n`;
  const CJS = `const { fastcgi } = require('fcgi');\n`;

  function write(files: Record<string, string>): void {
    for (const [name, code] of Object.entries(files)) writeFileSync(join(folder, name), code);
  }

  function start(command: string, ...args: string[]): Program {
    const env = { ...process.env, NODE_NO_WARNINGS: '1' };
    // Its folder is this test's.
    const program = new Program(command, args, join(folder, 'gone'), { cwd: folder, env });
    programs.push(program);
    return program;
  }

  const node = (...args: string[]) => start(process.execPath, ...args);

  async function ended(program: Program): Promise<number | null> {
    const { child } = program;
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
    return child.exitCode;
  }

  async function prints(program: Program, pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(program.output);
      if (found) return found;
      const { child } = program;
      if (child.exitCode !== null) throw new Error(`it ended:\n${program.output}`);
      await Promise.race([once(child.stdout!, 'data'), once(child.stderr!, 'data'), once(child, 'exit')]);
    }
  }

  /** What is answered at an address, be it the path of a socket or a port. */
  async function served(at: string | number): Promise<string> {
    const socket = typeof at === 'number' ? connect(at, '127.0.0.1') : connect(join(folder, at));
    const client = new Client(socket, once(socket, 'close'));
    const { text } = await client.get();
    client.destroy();
    return text;
  }

  const MODULE = { type: 'module', scripts: { start: 'node server.js' }, main: 'server.js' };
  const LOADER = `
    import { register } from 'node:module';
    register('data:text/javascript,' + encodeURIComponent(\`
      export async function resolve(specifier, context, next) {
        const resolved = await next(specifier, context);
        return specifier.includes('server') ? { ...resolved, url: resolved.url + '?loaded=1' } : resolved;
      }\`));`;

  it.each<[what: string, files: Record<string, string>, args: string[]]>([
    ['a module', { 'server.mjs': `${ESM}fastcgi(${HANDLER});` }, ['server.mjs']],
    ['a CommonJS module', { 'server.cjs': `${CJS}fastcgi(${HANDLER});` }, ['./server.cjs']],
    ['a file without its extension', { 'server.js': `${CJS}fastcgi(${HANDLER});` }, ['server']],
    ['a file that has none', { server: `${CJS}fastcgi(${HANDLER});` }, ['server']],
    ['a folder', { 'package.json': JSON.stringify(MODULE), 'server.js': `${ESM}fastcgi(${HANDLER});` }, ['.']],
    ['what is given as an argument', {}, ['-e', `${CJS}fastcgi(${HANDLER});`]],
    ['a module as an argument', {}, ['--input-type=module', '-e', `${ESM}fastcgi(${HANDLER});`]],
    ['what is called late', { 'server.mjs': `${ESM}await 1; setTimeout(() => fastcgi(${HANDLER}));` }, ['server.mjs']],
    [
      'a program behind a loader',
      { 'server.mjs': `${ESM}fastcgi(${HANDLER});`, 'loader.mjs': LOADER },
      ['--import', './loader.mjs', 'server.mjs'],
    ],
    [
      'a program without stack traces',
      { 'server.mjs': `${ESM}fastcgi(${HANDLER});` },
      ['--stack-trace-limit=0', 'server.mjs'],
    ],
    [
      'a program with its own stack traces',
      {
        'server.cjs': `Error.prepareStackTrace = () => 'mine';\n${CJS}fastcgi(${HANDLER}); if (new Error().stack !== 'mine') process.exit(9);`,
      },
      ['server.cjs'],
    ],
    [
      'a program with source maps',
      { 'server.mjs': `${ESM}fastcgi(${HANDLER});` },
      ['--enable-source-maps', 'server.mjs'],
    ],
  ])('serves at once: %s', async (_what, files, args) => {
    write(files);
    const [, path] = await prints(node(...args), /^Listening on unix:(.*)$/m);
    expect(path).toBe('./fcgi.sock');
    expect(await served('fcgi.sock')).toBe('served');
  });

  it.runIf('typescript' in process.features && process.features.typescript)('serves at once: TypeScript', async () => {
    write({ 'server.ts': `${ESM}const handler: () => void = ${HANDLER};\nfastcgi(handler);` });
    await prints(node('server.ts'), /Listening/);
    expect(await served('fcgi.sock')).toBe('served');
  });

  it('serves at once: through a symbolic link', async () => {
    mkdirSync(join(folder, 'real'));
    write({ 'real/server.mjs': `${ESM}fastcgi(${HANDLER});` });
    symlinkSync('real/server.mjs', join(folder, 'link.mjs'));
    await prints(node('link.mjs'), /Listening/);
    expect(await served('fcgi.sock')).toBe('served');
  });

  it('serves at once: by npm start', async () => {
    write({
      'package.json': JSON.stringify(MODULE),
      'server.js': `${ESM}fastcgi(${HANDLER}).on('listening', () => console.log(process.pid));`,
    });
    const program = start('npm', 'start');
    const [pid] = await prints(program, /^\d+$/m);
    expect(await served('fcgi.sock')).toBe('served');
    process.kill(Number(pid), 'SIGTERM');
    await ended(program);
    expect(existsSync(join(folder, 'fcgi.sock'))).toBe(false);
  });

  it.each<[what: string, main: string]>([
    ['by a module', "import './server.mjs';"],
    [
      'by a CommonJS module',
      "import { createRequire } from 'node:module'; createRequire(import.meta.url)('./server.cjs');",
    ],
    ['later', "await import('./server.mjs');"],
    [
      'in a worker',
      "import { Worker } from 'node:worker_threads'; new Worker(new URL('./server.mjs', import.meta.url));",
    ],
  ])('imported %s, it starts nothing', async (_how, main) => {
    write({ 'server.mjs': `${ESM}fastcgi(${HANDLER});`, 'server.cjs': `${CJS}fastcgi(${HANDLER});`, 'main.mjs': main });
    const program = node('main.mjs');
    // With nothing to wait for.
    expect(await ended(program)).toBe(0);
    expect(program.output).toBe('');
    expect(existsSync(join(folder, 'fcgi.sock'))).toBe(false);
  });

  it('imported, it gives the server to start: on a socket, on a port, over HTTP', async () => {
    write({
      'servers.mjs': `${ESM}const handler = ${HANDLER};
        export const [one, two, three] = [fastcgi(handler), fastcgi('./unused.sock', handler), fastcgi({ http: 1 }, handler)];`,
      'main.mjs': `import { one, two, three } from './servers.mjs';
        one.listen('one.sock');
        two.listen(0);
        three.listen(0, '127.0.0.1', () => console.log(two.address().port, three.address().port));`,
    });
    const program = node('main.mjs');
    const [, two, three] = await prints(program, /(\d+) (\d+)/);
    await eventually(() => expect(existsSync(join(folder, 'one.sock'))).toBe(true));
    expect(await served('one.sock')).toBe('served');
    expect(await served(Number(two))).toBe('served');
    expect(await (await fetch(`http://127.0.0.1:${three}`)).text()).toBe('served');
    expect(existsSync(join(folder, 'unused.sock'))).toBe(false);
  });

  it.each([
    ["'./other.sock'", 'other.sock'],
    ["'unix:other.sock'", 'other.sock'],
    ["{ path: 'other.sock' }", 'other.sock'],
    ["{ fastcgi: './other.sock', readAhead: 10 }", 'other.sock'],
    ['0', ''],
    ["'127.0.0.1:0'", ''],
    ['{ port: 0 }', ''],
    ['{ fastcgi: 0 }', ''],
  ])('listens where it is told: %s', async (address, path) => {
    write({
      'server.mjs': `${ESM}const server = fastcgi(${address}, ${HANDLER}).on('listening', () => console.log('at', server.address().port));`,
    });
    const [, port] = await prints(node('server.mjs'), /at (\w+)/);
    expect(await served(path || Number(port))).toBe('served');
  });

  it('serves over HTTP, or over both', async () => {
    write({
      'http.mjs': `${ESM}const server = fastcgi({ http: 0 }, ${HANDLER}).on('listening', () => console.log('at', server.address().port));`,
      'both.mjs': `${ESM}const server = fastcgi({ http: 0, fastcgi: 'both.sock' }, ${HANDLER}).on('listening', () => console.log('at', server.address().port));`,
    });
    for (const name of ['http.mjs', 'both.mjs']) {
      const [, port] = await prints(node(name), /at (\d+)/);
      expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe('served');
    }
    expect(await served('both.sock')).toBe('served');
  });

  it('replaces the socket of one that was killed, and removes its own at SIGTERM and SIGINT', async () => {
    write({ 'server.mjs': `${ESM}fastcgi(${HANDLER});` });
    for (const signal of ['SIGKILL', 'SIGTERM', 'SIGINT'] as const) {
      const program = node('server.mjs');
      await prints(program, /Listening/);
      expect(await served('fcgi.sock')).toBe('served');
      program.child.kill(signal);
      expect(await ended(program)).toBe(signal === 'SIGKILL' ? null : 0);
      expect(existsSync(join(folder, 'fcgi.sock'))).toBe(signal === 'SIGKILL');
    }
  });

  it('where somebody else listens, or nobody can, says so and ends with a status that is not 0', async () => {
    write({
      'server.mjs': `${ESM}fastcgi(${HANDLER});`,
      'missing.mjs': `${ESM}fastcgi('missing/fcgi.sock', ${HANDLER});`,
    });
    await prints(node('server.mjs'), /Listening/);
    for (const [name, told] of [
      ['server.mjs', /Somebody else is listening on unix:.\/fcgi.sock.*FCGI_ERR_ADDRESS_IN_USE/s],
      ['missing.mjs', /its directory is missing.*FCGI_ERR_ADDRESS/s],
    ] as const) {
      const program = node(name);
      expect(await ended(program)).toBe(1);
      expect(program.output).toMatch(told);
    }
    expect(await served('fcgi.sock')).toBe('served');
  });

  it("tells the server's 'error' listeners where it cannot listen", async () => {
    write({
      'server.mjs': `${ESM}fastcgi('missing/fcgi.sock', ${HANDLER}).on('error', ({ code }) => console.log('told', code));`,
    });
    const program = node('server.mjs');
    expect(await ended(program)).toBe(0);
    expect(program.output).toBe('told FCGI_ERR_ADDRESS\n');
  });

  it.each([
    ['fastcgi()', 'FCGI_ERR_ARGUMENT'],
    ["fastcgi('x.sock')", 'FCGI_ERR_ARGUMENT'],
    ["fastcgi('x.sock', 'no function')", 'FCGI_ERR_ARGUMENT'],
    ['fastcgi({ maxRequests: 0 }, () => {})', 'FCGI_ERR_OPTION'],
    ['fastcgi({ readAhead: -1 }, () => {})', 'FCGI_ERR_OPTION'],
    ["fastcgi({ readAhead: '1mb' }, () => {})", 'FCGI_ERR_OPTION'],
    ['fastcgi({ http: 0, maxRequests: 0 }, () => {})', 'FCGI_ERR_OPTION'],
  ])('%s is refused with %s', async (call, code) => {
    write({ 'server.mjs': `${ESM}try { ${call} } catch ({ code }) { console.log(code); }` });
    const program = node('server.mjs');
    expect(await ended(program)).toBe(0);
    expect(program.output).toBe(`${code}\n`);
  });
});

describe('started by a web server', () => {
  const HANDLER = `async () => {
    await 1;
    console.error('logged');
    console.log('Content-Type: text/plain\\n');
    console.log(process.env.QUERY_STRING, fs.readFileSync(0, 'utf8'), 'HTTP_PROXY' in process.env);
  }`;
  const PROGRAM = `import fs from 'node:fs';\nimport { fastcgi } from 'fcgi';\nfastcgi(${HANDLER});`;

  it('with a listening socket as its stdin, it serves that', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'app.sock');
    const program = new Spawned(PROGRAM, { fds: [await listening({ path })] });
    const socket = connect(path);
    const client = new Client(socket, once(socket, 'close'));
    const answer = await client.get({ params: { QUERY_STRING: 'q' }, body: 'body' });
    expect([answer.text, answer.stderr]).toEqual(['q body false\n', 'logged\n']);
    client.destroy();
    program.child.kill('SIGTERM');
    await program.ended;
    rmSync(folder, { recursive: true });
  });

  it('as a CGI program, it answers its one request, and ends', async () => {
    const env = {
      GATEWAY_INTERFACE: 'CGI/1.1',
      REQUEST_METHOD: 'POST',
      REQUEST_URI: '/?q',
      QUERY_STRING: 'q',
      SERVER_PROTOCOL: 'HTTP/1.1',
      CONTENT_LENGTH: '4',
      HTTP_PROXY: 'http://evil.test',
    };
    const program = new Spawned(PROGRAM, { env });
    program.child.stdin!.write('body and more');
    expect(await program.ended).toBe(0);
    expect(program.stdout).toMatch(/^Status: 200 OK\r\nContent-Type: text\/plain\r\n.*\r\n\r\nq body false\n$/s);
    expect(program.stderr).toBe('logged\n');
  });

  it('as a CGI program, it answers with more than a pipe takes at once', async () => {
    const env = { GATEWAY_INTERFACE: 'CGI/1.1', REQUEST_METHOD: 'GET', REQUEST_URI: '/', SERVER_PROTOCOL: 'HTTP/1.1' };
    const program = new Spawned(
      `import { fastcgi } from 'fcgi';
      fastcgi(async () => {
        process.stdout.write('Content-Type: text/plain\\n\\n');
        for (let i = 0; i < 50; i++) {
          const more = process.stdout.write('x'.repeat(40_000));
          if (!more) await new Promise((resolve) => process.stdout.once('drain', resolve));
        }
        console.error('done');
      });`,
      { env },
    );
    expect(await program.ended).toBe(0);
    expect(program.stdout.slice(program.stdout.indexOf('\r\n\r\n') + 4)).toBe('x'.repeat(2_000_000));
    expect(program.stderr).toBe('done\n');
  });
});
