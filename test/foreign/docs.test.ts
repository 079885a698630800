import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { build, PROJECT } from '../servers/build.ts';
import { startNginx } from '../servers/nginx.ts';
import { describeWith, Program, temporaryFolder } from '../servers/program.ts';
import { Client } from './client.ts';
import { startRedis } from './redis.ts';

/** `// /users/7 (Accept: text/html) → 200 {"id":"7"}`, and below it headers that come with it: `//   Vary: Accept` */
const ANSWER = /^\/\/ (\/\S*)(?: \((\S+): (.+?)\))? → (\d+ .*)$((?:\n\/\/ {3}\S+: .*$)*)/gm;

const programs = ['mounting.md', 'recipes.md'].flatMap((name) => {
  const page = readFileSync(join(PROJECT, 'docs', name), 'utf8');
  return [...page.matchAll(/^```js\n(.*?)^```$/gms)].map(({ 1: code = '', index }) => ({
    where: `docs/${name}:${page.slice(0, index).split('\n').length}`,
    code,
    answers: [...code.matchAll(ANSWER)],
    logged: /^\/\/ logs: (.+)$/m.exec(code)?.[1],
  }));
});

describeWith('nginx', 'docs/mounting.md and docs/recipes.md', () => {
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

  it.each(programs)('the program in $where answers as it says', async ({ code, answers, logged }) => {
    expect(answers).not.toEqual([]);
    const cwd = join(folder, 'app');
    const redis = code.includes('REDIS_URL') ? await startRedis() : undefined;
    const env = { ...process.env, REDIS_URL: redis?.url };
    writeFileSync(join(cwd, 'app.mjs'), code);
    const program = new Program(process.execPath, ['app.mjs'], temporaryFolder(), { cwd, env });
    onTestFinished(async () => {
      await program.stop();
      await redis?.stop();
    });
    await expect
      .poll(() => (program.child.exitCode !== null ? program.output : connects(join(cwd, 'fcgi.sock'))), {
        timeout: 20_000,
      })
      .toBe(true);
    const client = new Client(nginx.port, []);
    for (const [, path = '', name, value = '', answer = '', lines = ''] of answers) {
      const heard = await client.ask(path, name === undefined ? {} : { headers: { [name]: value } });
      expect(`${heard.status} ${heard.body}`, path).toMatch(like(answer));
      for (const [, header = '', content] of lines.matchAll(/^\/\/ {3}(\S+): (.*)$/gm)) {
        expect(heard.headers[header.toLowerCase()], header).toEqual([content]);
      }
    }
    if (logged === undefined) expect(program.output).toBe('');
    else await expect.poll(() => program.output.trimEnd()).toMatch(like(logged));
  });
});

/** `…` stands for what is different each time. */
function like(text: string): RegExp {
  const parts = text.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.+')}$`, 's');
}

function connects(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    }).on('error', () => resolve(false));
  });
}
