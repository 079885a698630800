import * as nodeModule from 'node:module';
import vm from 'node:vm';
import jsTokens from 'js-tokens';
import { ConstantText } from './constant-text.ts';
import { PageError, type Place, placeOfSyntaxError } from './page-error.ts';
import { type Piece, splitTags } from './tags.ts';

/** What a page writes to while it runs; each gives a promise where it has to be waited for. */
export interface Writer {
  text(text: ConstantText): Promise<void> | undefined;
  escaped(...values: unknown[]): Promise<void> | undefined;
  /** A template literal, escaped: a tag of it, which can have escaped what is constant in it once. */
  template(strings: TemplateStringsArray, ...values: unknown[]): Promise<void> | undefined;
  /** As it is. */
  raw(...values: unknown[]): Promise<void> | undefined;
}

/** `import()` of a page, and its `import.meta`. */
export interface Import {
  (specifier: string, options?: ImportCallOptions): Promise<unknown>;
  meta: { url: string; filename: string; dirname: string };
}

export interface Compiled {
  /** Of the names that were offered those that the page mentions, and `run` reads off `scope`. */
  names: string[];
  /** What stands between the tags. */
  texts: readonly ConstantText[];
  /** When all of it has run, without having been left before, `scope.ended` is true. */
  run(scope: { ended?: boolean }, writer: Writer, texts: readonly ConstantText[], load: Import): () => Promise<unknown>;
  /** Where in the page stands what an error's stack puts into this line and column of it, counted from 1. */
  place(line: number, column: number): Place;
}

/** Of a piece of code, all counted from 0. */
interface Shift {
  line: number;
  /** The column in what is compiled from which on it holds. */
  from: number;
  /** How much further right than in the page its first line is. */
  by: number;
  /** The column in the page where it begins: V8 may mean what stands around it. */
  least: number;
}

const headOf = (names: string[]) => `"use strict";let{${names}}=$$scope;return async()=>{`;
/** For TypeScript, to which the page has to be a whole program; cut off again. */
const WHOLE_HEAD = 'async function page(){';

/**
 * Compiles a page. Each line of its code is a line of what is compiled, so that whatever V8 says of lines holds; of columns
 * it does where no text stands before, and `place` knows the others.
 *
 * @param names What the page may find in its scope.
 * @throws PageError FCGI_ERR_PAGE_SYNTAX, with the place in the page.
 */
export function compile(source: string, file: string, names: readonly string[]): Compiled {
  const pieces = withoutBlanks(splitTags(source));
  const { code, shifts, texts } = generate(pieces);
  const place = (line: number, column: number): Place => {
    const shift = shifts.findLast((one) => one.line === line - 1 && one.from < column);
    return { file, line, column: shift === undefined ? column : Math.max(shift.least + 1, column - shift.by) };
  };
  const mentioned = names.filter((name) => pieces.some(({ kind, text }) => kind !== 'text' && text.includes(name)));
  const head = headOf(mentioned);
  try {
    return { names: mentioned, texts, run: compileFunction(head, code, file), place };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const stripped = stripTypes(code);
    if (typeof stripped === 'string') {
      try {
        return { names: mentioned, texts, run: compileFunction(head, stripped, file), place };
      } catch {
        // It is no TypeScript either: what is wrong as JavaScript is what to tell.
      }
    }
    const at = placeOfSyntaxError(error, file, head.length);
    const found = at === undefined ? { file, line: 1, column: 1 } : place(at.line, at.column);
    throw new PageError(error.message + hint(error.message, source, stripped === undefined), found, source, error);
  }
}

function compileFunction(head: string, code: string, file: string): Compiled['run'] {
  const parameters = ['$$scope', '$$', '$$text', '$$load', '$$wait'];
  const options = { filename: file, columnOffset: -head.length };
  return vm.compileFunction(`${head}${code}\n$$scope.ended=true}`, parameters, options) as Compiled['run'];
}

function hint(message: string, source: string, noTypes: boolean): string {
  if (/<\?php\b/.test(source)) return ' (a page is JavaScript: it begins with <? and not with <?php)';
  if (/await is only valid/.test(message)) {
    return ' (what a page writes may have to be waited for: in a function that is not async, tags have no place; use for … of)';
  }
  if (/import statement/.test(message)) return " (write const { name } = await import('./module.js'))";
  return noTypes
    ? ` (if this is TypeScript: Node ${process.versions.node} cannot strip types, 22.13 and later can)`
    : '';
}

/** Undefined where this Node cannot, false where that is no TypeScript. */
function stripTypes(code: string): string | false | undefined {
  const { stripTypeScriptTypes } = nodeModule as { stripTypeScriptTypes?: (code: string) => string };
  if (stripTypeScriptTypes === undefined) return undefined;
  try {
    return stripTypeScriptTypes(`${WHOLE_HEAD}${code}\n}`).slice(WHOLE_HEAD.length, -'\n}'.length);
  } catch {
    return false;
  }
}

function generate(pieces: Piece[]): { code: string; shifts: Shift[]; texts: ConstantText[] } {
  const texts: ConstantText[] = [];
  const shifts: Shift[] = [];
  let code = '';
  let line = 0;
  let lineStart = 0;

  /** A piece of code, in its line, with what has to stand around it. */
  const add = (piece: Piece, before: string, text: string, after: string) => {
    // Lines of texts, and those that tags took along.
    const missing = '\n'.repeat(piece.line - line);
    code += missing;
    if (missing !== '') lineStart = code.length;
    const from = code.length - lineStart;
    shifts.push({
      line: piece.line,
      from,
      by: from + before.length - piece.column,
      least: piece.column + text.search(/[^ \t]|$/),
    });
    code += before + text + after;
    const newline = text.lastIndexOf('\n');
    line = piece.line + text.split('\n').length - 1;
    if (newline !== -1) lineStart = code.length - after.length - (text.length - newline - 1);
  };

  for (const [index, piece] of pieces.entries()) {
    if (piece.kind === 'text') {
      code += `;if($$wait=$$.text($$text[${texts.length}]))await $$wait;`;
      texts.push(new ConstantText(piece.text));
    } else if (piece.kind === 'code') {
      add(piece, '', prepare(piece.text), isBeforeCase(piece, pieces[index + 1]) ? '' : ';');
    } else {
      const expression = prepare(piece.text).replace(/[\s;]+$/, '');
      if (piece.kind === 'escaped' && isTemplate(expression)) {
        add(piece, ';if($$wait=$$.template', expression, ')await $$wait;');
      } else {
        add(piece, `;if($$wait=$$.${piece.kind}(`, expression, '))await $$wait;');
      }
    }
  }
  return { code, shifts, texts };
}

/** Between a switch and its first case nothing can be written, and JavaScript wants nothing there. */
function withoutBlanks(pieces: Piece[]): Piece[] {
  return pieces.filter(
    ({ kind, text }, i) => kind !== 'text' || text.trim() !== '' || !isBeforeCase(pieces[i - 1], pieces[i + 1]),
  );
}

/** Whether a piece of code begins a switch, and the other one its first case. */
function isBeforeCase(piece: Piece | undefined, next: Piece | undefined): boolean {
  if (piece?.kind !== 'code' || next?.kind !== 'code') return false;
  return /\{\s*$/.test(piece.text) && /^\s*(?:case|default)\b/.test(next.text);
}

/** Whether an expression is one template literal, with nothing in it that a tag would get otherwise. */
function isTemplate(expression: string): boolean {
  if (!/^\s*`[^\\]*`$/.test(expression)) return false;
  const tokens = [...jsTokens(expression.trim())];
  let depth = 0;
  return tokens.every(({ type }, index) => {
    if (type === 'TemplateHead') depth++;
    else if (type === 'TemplateTail') depth--;
    return depth > 0 || index === tokens.length - 1;
  });
}

/** What has to be otherwise in a page's code for it to be a function's; its lines and columns stay. */
function prepare(code: string): string {
  if (!code.includes('//') && !code.includes('import')) return code;
  const tokens = [...jsTokens(code)];
  // What follows on its line is not part of the comment: the tag ends there.
  if (tokens.at(-1)?.type === 'SingleLineComment') tokens.pop();
  let before = '';
  return tokens
    .map(({ type, value }, index) => {
      const isImport = type === 'IdentifierName' && value === 'import' && before !== '.' && before !== '?.';
      if (type !== 'WhiteSpace' && type !== 'LineTerminatorSequence' && !type.endsWith('Comment')) before = value;
      return isImport && /^\s*[.(]/.test(following(index)) ? '$$load' : value;
    })
    .join('');

  function following(index: number): string {
    return tokens
      .slice(index + 1, index + 3)
      .map(({ value }) => value)
      .join('');
  }
}
