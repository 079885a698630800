import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import oniguruma from 'vscode-oniguruma';
import textmate, { type IGrammar } from 'vscode-textmate';
import { splitTags } from '../src/middleware/pages/tags.ts';

const require = createRequire(import.meta.url);
const folder = join(import.meta.dirname, '../editors/vscode');
const readJson = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'));
const { contributes } = readJson('package.json');
const [declared] = contributes.grammars;

/** Those that VS Code brings along. */
const OTHERS: Record<string, string> = { 'text.html.basic': 'html', 'source.js': 'javascript', 'source.css': 'css' };

let grammar: IGrammar;
beforeAll(async () => {
  await oniguruma.loadWASM(readFileSync(require.resolve('vscode-oniguruma/release/onig.wasm')));
  const registry = new textmate.Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
      createOnigString: (text) => new oniguruma.OnigString(text),
    }),
    loadGrammar: async (scope) => {
      const file =
        scope === declared.scopeName
          ? join(folder, declared.path)
          : require.resolve(`tm-grammars/grammars/${OTHERS[scope]}.json`);
      return textmate.parseRawGrammar(readFileSync(file, 'utf8'), file);
    },
  });
  grammar = (await registry.loadGrammar(declared.scopeName))!;
});

interface Token {
  text: string;
  /** Innermost last. */
  scopes: string[];
}

function tokensOf(page: string): Token[] {
  let state = textmate.INITIAL;
  return page.split('\n').flatMap((line) => {
    const { tokens, ruleStack } = grammar.tokenizeLine(line, state);
    state = ruleStack;
    return tokens.map(({ startIndex, endIndex, scopes }) => ({ text: line.slice(startIndex, endIndex), scopes }));
  });
}

/** What of a page is coloured as code of a tag, tag by tag. */
function codeOf(page: string): string[] {
  const code: string[] = [];
  for (const { text, scopes } of tokensOf(page)) {
    const inside = scopes.slice(scopes.lastIndexOf('meta.embedded.block.jhtml'));
    if (inside[0] !== 'meta.embedded.block.jhtml') continue;
    if (inside[1] === 'punctuation.section.embedded.begin.jhtml') code.push('');
    else if (inside[1] === 'source.js') code.push(code.pop() + text);
  }
  return code;
}

/** The scopes of the first token of a page that has this text. */
const scopesOf = (page: string, text: string) =>
  tokensOf(page)
    .find((token) => token.text === text)
    ?.scopes.join(' ');

describe('the grammar for editors', () => {
  it.each([
    ['code', '<? if (a) f("b"); ?>'],
    ['what is written', '<p><?= a ?> <?- b ?></p>'],
    ['tags without space', '<?=a?><?-b?><?c?><??>'],
    ['a block that is open', '<? for (const a of b) { ?><li><?= a ?></li><? } ?>text'],
    ['?> in a string', '<? f("?>text"'],
    ['?> behind a comment', '<? a // b ?>text'],
    ['several lines', '<?\nconst a = 1;\nif (a) {\n  f(`x\ny`);\n} ?>text <?= a ?>'],
    ['a block that is open over lines', '<?\nif (a) {\n?>\n<b>text</b>\n<?\n}\n?>text'],
    ['a string that is open over lines', '<?\nf("\n?>text <?= a ?>'],
    ['a comment that is open over lines', '<?\n/* a\nb ?>text <?= a ?>'],
    ['no end', 'a\n<? return\nb'],
    ['an attribute', '<a href="/<?= a["b"] ?>" title=<?= c ?>>text</a>'],
    ['a script', '<script>const a = <?- b ?>; "<?= c ?>"</script><p>text</p>'],
    ['a style', '<style>p { color: <?= a ?> }</style><p>text</p>'],
    ['a comment of HTML', '<!-- <?= a ?> -->text'],
    ['<?xml', '<?xml version="1.0"?>\n<p>text</p><?= a ?>'],
    ['<?xml in capitals', '<?XML ?><?= a ?>'],
    ['<?xmlish, which is code', '<?xmlish ?>text'],
  ])('takes for code what is code to a page: %s', (_what, page) => {
    const pieces = splitTags(page).filter(({ kind }) => kind !== 'text');
    expect(codeOf(page)).toEqual(pieces.map(({ text }) => text.replaceAll('\n', '')));
  });

  it('has code as JavaScript', () => {
    const page = '<p class="<?= `a` ?>"><? if (b) { // c ?>';
    expect(scopesOf(page, 'if')).toMatch(/source\.js keyword\.control/);
    expect(scopesOf(page, ' c ')).toMatch(/source\.js .*comment\.line/);
    expect(scopesOf(page, '<?=')).toMatch(/string\.quoted.* punctuation\.section\.embedded\.begin\.jhtml$/);
    expect(scopesOf(page, 'a')).toMatch(/string\.quoted.*source\.js string\.template\.js$/);
  });

  it('has everything else as HTML', () => {
    const page = '<? f({ ?><h1 id="a">b</h1><? }) ?><script>let c;</script><!-- d -->';
    expect(scopesOf(page, 'h1')).toMatch(/entity\.name\.tag\.html$/);
    expect(scopesOf(page, 'a')).toMatch(/string\.quoted\.double\.html$/);
    expect(scopesOf(page, 'b')).toBe('text.html.jhtml');
    expect(scopesOf(page, 'let')).toMatch(/source\.js .*storage\.type\.js$/);
    expect(scopesOf(page, ' d ')).toMatch(/comment\.block\.html$/);
    expect(scopesOf('<?xml version="1.0"?>', 'xml')).toMatch(/processing\.xml.* entity\.name\.tag\.html$/);
  });

  it('is an extension whose files are there', () => {
    const [language] = contributes.languages;
    expect([language.id, language.extensions]).toEqual([declared.language, ['.jhtml']]);
    for (const path of [declared.path, language.configuration]) expect(existsSync(join(folder, path))).toBe(true);
    expect(readJson(declared.path).scopeName).toBe(declared.scopeName);
    expect(Object.keys(readJson(language.configuration))).toEqual(['comments', 'brackets', 'autoClosingPairs']);
  });
});
