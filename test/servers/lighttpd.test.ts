import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { build, PROJECT } from './build.ts';
import { exchange } from './client.ts';
import { startLighttpd } from './lighttpd.ts';
import { describeWith, temporaryFolder } from './program.ts';

beforeAll(build);

describeWith('lighttpd', 'lighttpd with --program', () => {
  it.each([
    ['', false],
    ['and --pages ', true],
  ])('%sstarts the app, once, and starts it again when it has died', async (_name, hasPages) => {
    const folder = temporaryFolder();
    const file = join(folder, 'app.mjs');
    const fcgi = pathToFileURL(join(PROJECT, 'dist/index.js'));
    writeFileSync(
      file,
      `import { serve } from '${fcgi}';\nawait serve((req, res) => res.send(\`\${process.pid}\`));\n`,
    );
    const socket = { path: join(folder, 'fcgi.sock') };
    const { port, program } = await startLighttpd(
      socket,
      `${process.execPath} ${file}`,
      undefined,
      hasPages ? folder : undefined,
    );
    onTestFinished(async () => {
      await program.stop();
      rmSync(folder, { recursive: true });
    });

    const ids = await Promise.all(
      Array.from({ length: 20 }, (_, i) => exchange(port, { path: i % 2 ? '/' : '/x.jhtml' })),
    );
    const [first, ...others] = new Set(ids.map(({ body }) => Number(body)));
    expect(first).toBeGreaterThan(0);
    expect(others).toEqual([]);

    process.kill(first!);
    const next = async () => Number((await exchange(port, { path: '/' })).body);
    await expect.poll(next, { timeout: 20_000 }).toSatisfy((id: number) => id > 0 && id !== first);
  });
});
