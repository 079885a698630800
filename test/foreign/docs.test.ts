import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { build, PROJECT } from '../servers/build.ts';
import { startNginx } from '../servers/nginx.ts';
import { describeWith, Program, temporaryFolder } from '../servers/program.ts';
import { Client } from './client.ts';

const page = readFileSync(join(PROJECT, 'docs/mounting.md'), 'utf8');

const programs = [...page.matchAll(/^```js\n(.*?)^```$/gms)].map(({ 1: code = '', index }) => ({
  line: page.slice(0, index).split('\n').length,
  code,
  /** `// /users/7 → 200 {"id":"7"}` */
  answers: [...code.matchAll(/^\/\/ (\/\S*) → (.+)$/gm)],
}));

describeWith('nginx', 'docs/mounting.md', () => {
  let folder: string;
  let nginx: { port: number; program: Program };
  beforeAll(async () => {
    build();
    folder = temporaryFolder();
    // As npm would lay them out, but for the copying.
    mkdirSync(join(folder, 'app/node_modules'), { recursive: true });
    symlinkSync(PROJECT, join(folder, 'app/node_modules/fcgi'));
    symlinkSync(join(PROJECT, 'node_modules'), join(folder, 'node_modules'));
    nginx = await startNginx({ path: join(folder, 'app/fcgi.sock') }, { keepAlive: true });
  });
  afterAll(async () => {
    await nginx?.program.stop();
    rmSync(folder, { recursive: true });
  });

  it.each(programs)('the program in line $line answers as it says', async ({ code, answers }) => {
    expect(answers).not.toEqual([]);
    const cwd = join(folder, 'app');
    writeFileSync(join(cwd, 'app.mjs'), code);
    const program = new Program(process.execPath, ['app.mjs'], temporaryFolder(), { cwd });
    onTestFinished(async () => void (await program.stop()));
    await expect.poll(() => program.child.exitCode ?? connects(join(cwd, 'fcgi.sock')), { timeout: 20_000 }).toBe(true);
    const client = new Client(nginx.port, []);
    for (const [, path = '', answer] of answers) expect(await client.say(path), path).toBe(answer);
    expect(program.output).toBe('');
  });
});

function connects(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    }).on('error', () => resolve(false));
  });
}
