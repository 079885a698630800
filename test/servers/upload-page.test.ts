import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { describeInBrowser, openBrowser } from '../browser.ts';
import { build, PROJECT } from './build.ts';
import { caddyEnv } from './caddy.ts';
import { describeWith, freePort, Program, replaceOnce, type Server, temporaryFolder } from './program.ts';

const EXAMPLE = join(PROJECT, 'examples/upload');
const MEGABYTE = 1 << 20;

/** What a person would type, after the application has been started, and where the page is then. */
interface Way {
  name: string;
  server?: Server;
  start?(folder: string): Promise<{ program: Program; port: number }>;
}

const ways: Way[] = [
  { name: 'straight over HTTP' },
  {
    name: 'behind nginx',
    server: 'nginx',
    start: (folder) => {
      const root = process.getuid?.() === 0 ? ['-g', 'user root;'] : [];
      const args = ['-e', 'stderr', '-p', folder, '-c', join(folder, 'nginx.conf'), ...root];
      return startWith('nginx', args, folder, 'listen 127.0.0.1:8082');
    },
  },
  {
    name: 'behind Caddy',
    server: 'caddy',
    start: (folder) => {
      const args = ['run', '--config', join(folder, 'Caddyfile')];
      return startWith('caddy', args, folder, '\nhttp://:8081');
    },
  },
];

/** Starts a web server on the example's configuration, as it is but for the port. */
async function startWith(command: string, args: string[], folder: string, listens: string) {
  const port = await freePort();
  const file = join(folder, command === 'nginx' ? 'nginx.conf' : 'Caddyfile');
  writeFileSync(file, replaceOnce(readFileSync(file, 'utf8'), listens, listens.replace(/\d+$/, `${port}`)));
  const own = join(folder, 'web-server');
  mkdirSync(own);
  const program = new Program(command, args, own, { cwd: folder, env: caddyEnv(own) });
  await program.accepts(port);
  return { program, port };
}

describeInBrowser('examples/upload', () => {
  let browser: Browser;
  let folder: string;
  let app: Program;
  let http: number;
  beforeAll(async () => {
    build();
    http = await freePort();
    folder = temporaryFolder();
    cpSync(EXAMPLE, folder, { recursive: true });
    // What is spooled is to be seen.
    mkdirSync(join(folder, 'tmp'));
    const env = { ...process.env, PORT: `${http}`, TMPDIR: join(folder, 'tmp') };
    app = new Program(process.execPath, [join(EXAMPLE, 'app.js')], folder, { cwd: folder, env });
    await app.accepts(http);
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await app?.stop();
  });

  const stored = () => readdirSync(join(folder, 'uploads'));
  const spooled = () => readdirSync(join(folder, 'tmp'), { recursive: true });

  for (const { name, server, start } of ways) {
    describeWith(server, name, () => {
      let page: Page;
      let program: Program | undefined;
      let origin = '';
      beforeAll(async () => {
        const started = await start?.(folder);
        program = started?.program;
        origin = `http://127.0.0.1:${started?.port ?? http}`;
      });
      afterEach(async () => {
        await page?.close();
        for (const file of stored()) rmSync(join(folder, 'uploads', file));
      });
      afterAll(async () => void (await program?.stop()));

      /** Opens the page, chooses a file, and begins to upload it, no faster than so many bytes in a second. */
      async function upload(bytes: number, throughput: number): Promise<void> {
        page = await browser.newPage();
        await page.goto(origin);
        const network = await page.context().newCDPSession(page);
        const conditions = { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: throughput };
        await network.send('Network.emulateNetworkConditions', conditions);
        const buffer = Buffer.alloc(bytes, 'abc');
        await page.setInputFiles('input[type=file]', { name: '<b>ü".bin', mimeType: 'video/mp4', buffer });
        await page.evaluate(watch);
        await page.click('button:text("Upload")');
      }

      it('shows how much has been sent and received, and what is stored', async () => {
        await upload(8 * MEGABYTE, 8 * MEGABYTE);
        await page.waitForSelector('#state:text("Stored")');
        expect(await page.textContent('#files')).toBe('_b_ü_.bin, 8388608 bytes');
        for (const bar of ['sent', 'received']) {
          const values = await page.evaluate((bar) => (globalThis as unknown as Seen).seen[bar]!, bar);
          expect(values, bar).toEqual(values.toSorted((a, b) => a - b));
          expect(values.at(-1), bar).toBe(100);
          // From one end to the other, not in one leap.
          expect(values.filter((value) => value > 0 && value < 100).length, bar).toBeGreaterThan(2);
        }
        const [file] = stored();
        expect(file).toMatch(/^[0-9a-f-]{36}$/);
        const { size, mode } = statSync(join(folder, 'uploads', file!));
        expect([size, mode & 0o777]).toEqual([8 * MEGABYTE, 0o600]);
        await expect.poll(spooled).toEqual([]);
      });

      it('leaves nothing behind of what is cancelled', async () => {
        await upload(8 * MEGABYTE, MEGABYTE);
        await expect.poll(spooled).toHaveLength(2);
        await page.click('text=Cancel');
        await page.waitForSelector('#state:text("Broken off")');
        await expect.poll(spooled).toEqual([]);
        expect(stored()).toEqual([]);
      });
    });
  }
});

interface Seen {
  seen: Record<string, number[]>;
}

/** Runs in the page: notes what each bar shows. */
function watch() {
  const page = globalThis as unknown as Seen & {
    document: { getElementById(id: string): object };
    MutationObserver: new (callback: () => void) => { observe(target: object, options: object): void };
  };
  page.seen = { sent: [], received: [] };
  for (const [id, values] of Object.entries(page.seen)) {
    const bar = page.document.getElementById(id) as { value: number };
    const options = { attributes: true, attributeFilter: ['value'] };
    new page.MutationObserver(() => values.push(bar.value)).observe(bar, options);
  }
}
