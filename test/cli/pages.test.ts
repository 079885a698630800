import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../adapters/fastcgi/client.ts';
import { makeSite, writePage } from '../middleware/pages/site.ts';
import { build, PROJECT } from '../servers/build.ts';
import { startNginx } from '../servers/nginx.ts';
import { describeWith, Program, temporaryFolder } from '../servers/program.ts';

beforeAll(build);

const FCGI = join(PROJECT, 'dist/cli/main.js');

/** Starts `fcgi pages`, and gives where it says that it listens. */
async function start(args: string[], env: NodeJS.ProcessEnv = {}): Promise<{ program: Program; address: string }> {
  const options = { cwd: PROJECT, env: { ...process.env, NODE_ENV: '', ...env } };
  const program = new Program(process.execPath, [FCGI, 'pages', ...args], temporaryFolder(), options);
  onTestFinished(async () => {
    await program.stop();
  });
  await eventually(() => expect(program.output).toMatch(/^Listening on .*$/m));
  return { program, address: /^Listening on (.*)$/m.exec(program.output)![1]! };
}

const textOf = async (url: string) => (await fetch(url)).text();

describe('fcgi pages', () => {
  it('serves a folder over HTTP, as it is at each moment', async () => {
    const site = makeSite({ 'index.jhtml': 'old', 'users/[id].jhtml': 'user <?= req.params.id ?>' });
    const { address } = await start([site, '--http', '0']);
    expect(await textOf(`${address}/`)).toBe('old');
    expect(await textOf(`${address}/users/7`)).toBe('user 7');
    writePage(site, 'index.jhtml', 'new');
    expect(await textOf(`${address}/`)).toBe('new');
  });

  it('gives pages their variables, of the command line before those of a file, and none of its own', async () => {
    const site = makeSite({ 'index.jhtml': '<?- JSON.stringify($_ENV) ?>', 'site.env': 'A=file\nB="of a file"\n' });
    const { address } = await start([site, '--http=0', '--env', 'A=b=c', '--env-from', join(site, 'site.env')]);
    expect(JSON.parse(await textOf(address))).toEqual({ A: 'b=c', B: 'of a file' });
  });

  it('has the site mount what it needs, in _app.js', async () => {
    const site = makeSite({
      'package.json': '{"type":"module"}',
      '_app.js': 'export default (app) => app.use((req, res, next) => { res.locals.name = "mounted"; next(); });',
      'index.jhtml': '<?= locals.name ?>',
    });
    const { address } = await start([site, '--http=0']);
    expect(await textOf(address)).toBe('mounted');
  });

  it('takes another extension', async () => {
    const site = makeSite({ 'index.page': 'a', 'old.jhtml': 'b' });
    const { address } = await start([site, '--http=0', '--ext', '.page']);
    expect(await textOf(address)).toBe('a');
    expect((await fetch(`${address}/old`)).status).toBe(404);
  });

  it('ends when a page has kept it from everything else for too long, and says so', async () => {
    const site = makeSite({ 'index.jhtml': 'ok', 'loop.jhtml': '<? for (;;); ?>' });
    const { program, address } = await start([site, '--http=0', '--max-time', '0.2']);
    expect(await textOf(address)).toBe('ok');
    await expect(fetch(`${address}/loop`)).rejects.toThrow();
    await eventually(() =>
      expect(program.output).toMatch(/a page has kept the process from everything else for 0.2 s/),
    );
  });

  it('takes no time that is none', () => {
    const { status, stderr } = spawnSync(process.execPath, [FCGI, 'pages', makeSite({}), '--max-time', 'long']);
    expect([status, String(stderr)]).toEqual([expect.any(Number), expect.stringMatching(/--max-time takes a number/)]);
    expect(status).not.toBe(0);
  });

  it('shows an error to nobody but its log', async () => {
    const { program, address } = await start([makeSite({ 'index.jhtml': 'a\n<? bad() ?>' }), '--http=0']);
    const answer = await fetch(address);
    expect([answer.status, await answer.text()]).toEqual([500, expect.not.stringContaining('bad')]);
    await eventually(() =>
      expect(program.output).toMatch(/ReferenceError: bad is not defined\n\s+at .*index\.jhtml:2:4/),
    );
  });

  it('shows it in the browser with --dev', async () => {
    const { address } = await start([makeSite({ 'index.jhtml': 'a\n<? bad() ?>' }), '--http=0', '--dev']);
    expect(await textOf(address)).toContain('&gt; 2 | &lt;? bad() ?&gt;');
  });

  it("goes on when a page fails behind everybody's back", async () => {
    const site = makeSite({
      'index.jhtml':
        '<? setImmediate(() => { throw new Error("thrown late") }); Promise.reject(new Error("rejected")) ?>a',
      'other.jhtml': 'b',
    });
    const { program, address } = await start([site, '--http=0']);
    expect(await textOf(address)).toBe('a');
    await eventually(() => {
      expect(program.output).toContain('thrown late');
      expect(program.output).toContain('rejected');
    });
    expect(await textOf(`${address}/other`)).toBe('b');
  });

  it.each([
    [[], 'expected one folder'],
    [['a', 'b'], 'expected one folder'],
    [['nowhere'], 'nowhere is no folder'],
    [['src', '--env', 'A'], '--env takes NAME=VALUE, not A'],
    [['src', '--env-from', 'none'], '--env-from: ENOENT'],
    [['src', '--ext', 'page'], 'extensions takes what names end with'],
    [['src', '--nonsense'], "Unknown option '--nonsense'"],
  ])('%j is answered: %s', (args, message) => {
    const { stderr, status } = spawnSync(process.execPath, [FCGI, 'pages', ...args], {
      cwd: PROJECT,
      encoding: 'utf8',
    });
    expect(stderr).toContain(message);
    expect(status).toBe(2);
  });
});

describe('fcgi pages --check', () => {
  const check = (site: string) =>
    spawnSync(process.execPath, [FCGI, 'pages', site, '--check'], { cwd: PROJECT, encoding: 'utf8' });

  it('reports each page that does not compile, with the place, and fails', () => {
    const site = makeSite({
      'good.jhtml': 'a<?= 1 ?>',
      'bad.jhtml': 'a\n<p><? let x = ; ?></p>',
      'deep/_part.jhtml': '<? let 5 ?>',
      'node_modules/p/other.jhtml': '<? let 5 ?>',
    });
    const { stdout, stderr, status } = check(site);
    expect(status).toBe(1);
    expect(stdout).toBe('3 pages, 2 errors\n');
    expect(stderr).toContain(`${join(site, 'bad.jhtml')}:2:15: Unexpected token ';'`);
    expect(stderr).toContain('> 2 | <p><? let x = ; ?></p>\n    |               ^');
    expect(stderr).toContain(`${join(site, 'deep/_part.jhtml')}:1:4: `);
  });

  it('has nothing to say of pages that compile', () => {
    const { stdout, stderr, status } = check(makeSite({ 'index.jhtml': 'a' }));
    expect([stdout, stderr, status]).toEqual(['1 page, 0 errors\n', '', 0]);
  });
});

describeWith('nginx', 'fcgi pages behind nginx', () => {
  it('serves the same over FastCGI, and puts errors into its log', async () => {
    const site = makeSite({ 'index.jhtml': 'a <?= $_SERVER.SERVER_SOFTWARE ?>', 'bad.jhtml': '\n<? bad() ?>' });
    const socket = join(temporaryFolder(), 'fcgi.sock');
    const { address } = await start([site, '--fastcgi', socket]);
    expect(address).toBe(`unix:${socket}`);
    const nginx = await startNginx({ path: socket }, { keepAlive: true });
    onTestFinished(async () => {
      await nginx.program.stop();
    });
    expect(await textOf(`http://127.0.0.1:${nginx.port}/`)).toMatch(/^a nginx/);
    expect((await fetch(`http://127.0.0.1:${nginx.port}/bad`)).status).toBe(500);
    await eventually(() => expect(nginx.program.output).toMatch(/bad\.jhtml:2:4/));
  });
});
