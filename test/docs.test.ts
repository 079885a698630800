import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { ask, served } from './core/served.ts';

const root = join(import.meta.dirname, '..');
const programs = mkdtempSync(join(tmpdir(), 'fcgi-docs-'));
afterAll(() => rmSync(programs, { recursive: true }));
afterEach(() => {
  vi.restoreAllMocks();
});

/** `// GET /users/7 → 200 {"id":"7"}` */
const ANSWER = /^\/\/ ([A-Z]+) (\S+) → (.*)$/m;

/** The programs of a document that say what they answer, by where they stand. */
function programsOf(name: string): { where: string; code: string }[] {
  const document = readFileSync(join(root, 'docs', name), 'utf8');
  return [...document.matchAll(/^```js\n(.*?)^```$/gms)]
    .filter(([, code]) => ANSWER.test(code))
    .map(({ 1: code, index }) => ({ where: `docs/${name}:${document.slice(0, index).split('\n').length}`, code }));
}

const names = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));

test.each(names.flatMap(programsOf))('the program in $where answers as it says', async ({ where, code }) => {
  const file = join(programs, `${where.replaceAll(/\W/g, '-')}.mjs`);
  writeFileSync(file, code.replaceAll("'fcgi'", `'${join(root, 'src', 'index.ts')}'`));
  const { default: app } = await import(pathToFileURL(file).href);
  const origin = await served(app);
  vi.spyOn(process.stderr, 'write').mockReturnValue(true); // Errors are logged: some programs make them.
  for (const [, method, target, answer] of code.matchAll(new RegExp(ANSWER, 'gm'))) {
    const given = await ask(origin, target, method);
    // A status alone says nothing of the body.
    expect(/^\d+$/.test(answer) ? given.slice(0, 3) : given, `${method} ${target}`).toBe(answer);
  }
});
