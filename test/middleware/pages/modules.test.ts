import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { build, PROJECT } from '../../servers/build.ts';
import { makeSite } from './site.ts';

/** Runs a program that has `load`, the import() of a page in a site, and `write`; it runs in a process of its own. */
function run(files: Record<string, string>, code: string): unknown {
  build();
  const site = makeSite({ 'package.json': '{"type":"module"}', ...files });
  const program = `
    import { writeFileSync, utimesSync } from 'node:fs';
    import { importOf } from '${join(PROJECT, 'dist/middleware/pages/modules.js')}';
    const load = importOf('${join(site, 'page.jhtml')}', 0, 60_000);
    const other = importOf('${join(site, 'other/page.jhtml')}', 0, 60_000);
    let time = 1e9;
    const at = (name) => '${site}/' + name;
    const write = (name, text) => {
      writeFileSync(at(name), text);
      utimesSync(at(name), ++time, time);
    };
    const fail = (promise) => promise.then(() => 'loaded', (error) => error.code ?? error.name);
    ${code}`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module'], {
    input: program,
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return JSON.parse(stdout);
}

const say = (expression: string) => `console.log(JSON.stringify(${expression}));`;

describe('import() of a page', () => {
  it('finds modules beside the page, packages, and those of Node', () => {
    const files = {
      'lib.js': 'export const name = "lib";',
      'node_modules/own/package.json': '{"name":"own","exports":{"import":"./index.js"}}',
      'node_modules/own/index.js': 'export const name = "package";',
    };
    const code = say(
      '[(await load("./lib.js")).name, (await load("own")).name, typeof (await load("node:fs")).readFileSync, load.meta.dirname === (await load("node:path")).dirname(load.meta.filename)]',
    );
    expect(run(files, code)).toEqual(['lib', 'package', 'function', true]);
  });

  it('loads a module once for all pages', () => {
    const files = { 'lib.js': 'export const list = [];' };
    const code = `(await load('./lib.js')).list.push(1); ${say("(await other('../lib.js')).list")}`;
    expect(run(files, code)).toEqual([1]);
  });

  it('sees at once that a module has changed', () => {
    const files = { 'lib.js': 'export const name = "old";' };
    const code = `const before = (await load('./lib.js')).name;
      write('lib.js', 'export const name = "new";');
      ${say("[before, (await load('./lib.js')).name, (await other('../lib.js')).name]")}`;
    expect(run(files, code)).toEqual(['old', 'new', 'new']);
  });

  it('sees at once that what a module imports has changed, and loads no package again', () => {
    const files = {
      'a.js': 'import { b } from "./b.js"; import { loads } from "own"; export const a = "a" + b; export { loads };',
      'b.js': 'export const b = "1";',
      'node_modules/own/package.json': '{"name":"own","type":"module","exports":"./index.js"}',
      'node_modules/own/index.js':
        'globalThis.loads = (globalThis.loads ?? 0) + 1; export const loads = globalThis.loads;',
    };
    const code = `const before = (await load('./a.js')).a;
      write('b.js', 'export const b = "2";');
      const { a, loads } = await load('./a.js');
      ${say('[before, a, loads]')}`;
    expect(run(files, code)).toEqual(['a1', 'a2', 1]);
  });

  it('waits for a module that is half-written', () => {
    const files = { 'lib.js': 'export const name = "old";' };
    const code = `await load('./lib.js');
      writeFileSync(at('lib.js'), 'export const na');
      const loading = load('./lib.js');
      await null;
      write('lib.js', 'export const name = "new";');
      ${say('[(await loading).name]')}`;
    expect(run(files, code)).toEqual(['new']);
  });

  it('loads a module that had an error when it is mended', () => {
    const files = { 'lib.js': 'export const name = ;' };
    const code = `const before = await fail(load('./lib.js'));
      write('lib.js', 'export const name = "mended";');
      ${say("[before, (await load('./lib.js')).name]")}`;
    expect(run(files, code)).toEqual(['SyntaxError', 'mended']);
  });

  it('loads a module that was not there when it is', () => {
    const code = `const before = await fail(load('./lib.js'));
      write('lib.js', 'export const name = "there";');
      ${say("[before, (await load('./lib.js')).name]")}`;
    expect(run({}, code)).toEqual(['ERR_MODULE_NOT_FOUND', 'there']);
  });

  it('takes import attributes', () => {
    const files = { 'data.json': '{"a":1}' };
    const code = say("(await load('./data.json', { with: { type: 'json' } })).default");
    expect(run(files, code)).toEqual({ a: 1 });
  });
});
