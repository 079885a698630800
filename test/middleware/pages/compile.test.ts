import { describe, expect, it } from 'vitest';
import { type Compiled, compile } from '../../../src/middleware/pages/compile.ts';
import type { ConstantText } from '../../../src/middleware/pages/constant-text.ts';
import type { PageError } from '../../../src/middleware/pages/page-error.ts';

const FILE = '/www/page.jhtml';
const canStripTypes = 'stripTypeScriptTypes' in (await import('node:module'));

/** What a page writes, raw in braces. */
async function run(source: string, scope: Record<string, unknown> = {}): Promise<string> {
  const compiled = compile(source, FILE, Object.keys(scope));
  const written: string[] = [];
  const writer = {
    text: ({ bytes }: ConstantText) => void written.push(bytes.toString()),
    escaped: (...values: unknown[]) => void written.push(values.join('+')),
    template: (strings: TemplateStringsArray, ...values: unknown[]) =>
      void written.push(`[${String.raw({ raw: strings }, ...values.map((value) => `(${value})`))}]`),
    raw: (...values: unknown[]) => void written.push(`{${values.join('+')}}`),
  };
  const load = Object.assign((specifier: string) => Promise.resolve({ default: specifier }), {
    meta: { url: `file://${FILE}`, filename: FILE, dirname: '/www' },
  });
  const returned = await compiled.run(scope, writer, compiled.texts, load)();
  return written.join('') + (returned === undefined ? '' : ` returned ${returned}`);
}

describe('a compiled page', () => {
  it.each([
    ['text', 'a\n"b"\\n`$c`\u2028d', 'a\n"b"\\n`$c`\u2028d'],
    ['expressions', '<?= 1 + 1 ?> <?- "raw" ?>', '2 {raw}'],
    ['several values of one tag', '<?= 1, 2 ?>', '1+2'],
    ['an expression that ends as a statement does', '<?= 1; ?>', '1'],
    ['an empty expression', 'a<?= ?>b', 'ab'],
    ['a comment at the end of code', '<? if (true) { // yes ?>a<? } ?>', 'a'],
    ['a comment at the end of an expression', '<?= 1 // one ?>a', '1a'],
    ['a comment of several lines', '<? /* a\n b */ ?>c', 'c'],
    ['what looks like a comment in a string', '<?= "http://x" ?>', 'http://x'],
    ['what looks like a comment in a template', '<?= `http://x` ?>', '[http://x]'],
    ['a template as the tag of the writer', '<?= `a${1}${`b${2}`}c` ?>', '[a(1)(b2)c]'],
    ['a template of several lines', '<?= `a\n${1}`; ?>', '[a\n(1)]'],
    ['a template with an escape', '<?= `\\x41${1}` ?>', 'A1'],
    ['what is more than one template', '<?= `a${1}` + `b${2}` ?><?= `c`, `d${3}` ?><?= `e`.length ?>', 'a1b2c+d31'],
    ['a raw template', '<?- `a${1}` ?>', '{a1}'],
    [
      'a method of the name of import',
      '<? const api = { import: (x) => x } ?><?= api.import(1), api?.import(2) ?>',
      '1+2',
    ],
    ['import', '<?= (await import("x")).default ?>', 'x'],
    ['switch', '<? switch (2) { ?>\n<? case 1: ?>a<? break; case 2: ?>b<? break ?>\n<? default: ?>c<? } ?>', 'b'],
    ['switch, indented', '<? switch (3) { ?>\n  <? case 1: ?>a<? break ?>\n  <? default: ?>c<? } ?>', 'c'],
    ['what else stands between braces', '<? { ?>\n <? } ?>', ' '],
    ['a loop around text', '<? for (const i of [1, 2]) { ?>(<?= i ?>)<? } ?>', '(1)(2)'],
    ['for await', '<? for await (const i of (async function* () { yield 1; yield 2 })()) { ?><?= i ?><? } ?>', '12'],
    ['if and else', '<? if (false) { ?>a<? } else { ?>b<? } ?>', 'b'],
    ['try and catch', '<? try { ?>a<? throw 1 } catch (e) { ?><?= e ?><? } ?>', 'a1'],
    ['functions that write', '<? async function f(x) { ?>[<?= x ?>]<? } ?><? await f(1); await f(2) ?>', '[1][2]'],
    ['await', '<? const a = await Promise.resolve(1) ?><?= a ?>', '1'],
    ['return', 'a<? if (true) return 7 ?>b', 'a returned 7'],
    ['code without an end', 'a<? const x = 1', 'a'],
    ['code without a semicolon before a tag', '<? let x = 1 ?><?= x ?>', '1'],
    ['Windows lines', '<? let x = 1\r\n?>\r\n<?= x ?>\r\n\r\n', '1\r\n'],
    ['a name of the scope declared anew', '<? const name = "own" ?><?= name ?>', 'own'],
  ])('runs %s', async (_name, source, output) => {
    expect(await run(source, { name: 'given' })).toBe(output);
  });

  it('gets of its scope what it mentions', () => {
    expect(compile('<?= b ?>', FILE, ['a', 'b', 'c']).names).toEqual(['b']);
  });

  it('is strict', async () => {
    await expect(run('<? undeclared = 1 ?>')).rejects.toThrow(ReferenceError);
  });

  it.each([
    ['import()', '<?= (await import("./a.js")).default ?>', './a.js'],
    ['import() behind a space', '<?= (await import ("./a.js")).default ?>', './a.js'],
    ['import.meta', '<?= import.meta.dirname ?>', '/www'],
    ['a method called import', '<?= ({ import: (x) => x }).import(1) ?>', '1'],
    ['import in a string', '<?= "import(1)" ?>', 'import(1)'],
    ['import in a template', '<?= `import(${(await import("b")).default})` ?>', '[import((b))]'],
  ])('has its own %s', async (_name, source, output) => {
    expect(await run(source)).toBe(output);
  });

  it.runIf(canStripTypes)('may be TypeScript where Node strips types', async () => {
    const source = '<? interface A { a: number }\nconst a: A = { a: 1 } as A ?>\n<?= a.a satisfies number ?>';
    expect(await run(source)).toBe('1');
  });

  it.runIf(!canStripTypes)('that is TypeScript says so where Node cannot strip types', () => {
    expect(() => compile('<? const a: number = 1 ?>', FILE, [])).toThrow(/if this is TypeScript: Node .* cannot/);
  });
});

function syntaxError(source: string): PageError {
  try {
    compile(source, FILE, []);
  } catch (error) {
    return error as PageError;
  }
  throw new Error('it compiles');
}

describe('an error of syntax', () => {
  it.each([
    ['in the first line', '<? let x = ; ?>', 1, 12],
    ['behind text', 'some text <? let x = ; ?>', 1, 22],
    ['behind other tags', '<?= 1 ?><?= 2 ?> <? let x = ; ?>', 1, 29],
    ['in a later line of text', 'a\nb\n  <? let x = ; ?>', 3, 14],
    ['in a later line of code', '<?\nlet a = 1\nlet x = ;\n?>', 3, 9],
    ['in an expression', 'a\n<p><?= 1 + ?></p>', 2, 11],
    ['behind a newline that a tag took along', '<? let a ?>\n<? let x = ; ?>', 2, 12],
  ])('names file, line and column %s', (_name, source, line, column) => {
    const error = syntaxError(source);
    expect(error).toMatchObject({ code: 'FCGI_ERR_PAGE_SYNTAX', status: 500, place: { file: FILE, line, column } });
    expect(error.stack).toContain(`${FILE}:${line}:${column}`);
  });

  it('of a brace that is not closed names the end', () => {
    expect(syntaxError('<? if (1) { ?>\na\n').place.line).toBeGreaterThanOrEqual(2);
  });

  it.each([
    ['PHP', '<?php echo 1; ?>', /begins with <\? and not with <\?php/],
    ['tags in a function that is not async', '<? [1].map((x) => { ?>a<? }) ?>', /for … of/],
    ['static imports', "<? import fs from 'node:fs' ?>", /await import/],
  ])('says what to write in the place of %s', (_name, source, message) => {
    expect(syntaxError(source).message).toMatch(message);
  });
});

async function place(source: string): Promise<string> {
  const compiled: Compiled = compile(source, FILE, []);
  const nothing = () => undefined;
  const writer = { text: nothing, escaped: nothing, template: nothing, raw: nothing };
  const load = Object.assign(() => Promise.resolve(), { meta: { url: '', filename: '', dirname: '' } });
  try {
    await compiled.run({}, writer, compiled.texts, load)();
  } catch (error) {
    const [, line, column] = /page\.jhtml:(\d+):(\d+)/.exec(String((error as Error).stack))!;
    const found = compiled.place(Number(line), Number(column));
    return `${found.line}:${found.column}`;
  }
  throw new Error('it runs');
}

describe('an error thrown', () => {
  it.each([
    ['in the first line', '<? bad() ?>', '1:4'],
    ['behind text', '<p>text</p><? bad() ?>', '1:15'],
    ['in a switch', '<? switch (1) { ?>\n\n <? case 1: bad() ?>\n<? } ?>', '3:13'],
    ['behind several tags', '<?= 1 ?>a<?= 2 ?>b<?= bad() ?>', '1:23'],
    ['in a later line', 'a\n\n  <? bad() ?>', '3:6'],
    ['in a later line of code', 'a <?\n  1\n    bad()\n?>', '3:5'],
    ['behind a block that ends in its line', '<?\n1 ?> <?= bad() ?>', '2:10'],
    ['in a template', '<?= `a ${bad}` ?>', '1:10'],
    ['in a later line of a template', 'a <?= `\n ${null.x}` ?>', '2:9'],
    ['in a function', 'x\n<? function f() { bad() } ?>\n\n<? f() ?>', '2:19'],
    ['behind an await', 'a\n<? await 1; ?>\n<? await 2; bad() ?>', '3:13'],
  ])('names line and column %s', async (_name, source, expected) => {
    expect(await place(source)).toBe(expected);
  });
});
