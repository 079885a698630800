import { FcgiError } from '../../core/errors.ts';

/** Where in a page; line and column are counted from 1. */
export interface Place {
  file: string;
  line: number;
  column: number;
}

/** A page that cannot be compiled, with the place of what is wrong in it. */
export class PageError extends FcgiError {
  override name = 'PageError';
  readonly place: Place;
  /** The page's text. */
  readonly source: string;

  constructor(message: string, place: Place, source: string, cause: unknown) {
    super('FCGI_ERR_PAGE_SYNTAX', message, { cause });
    this.place = place;
    this.source = source;
    this.stack = `${this.name}: ${message}\n    at ${place.file}:${place.line}:${place.column}`;
  }
}

/** What V8 says before the message: the file and the line, the line itself, and a mark below it. */
export function placeOfSyntaxError(error: SyntaxError, file: string, head: number): Place | undefined {
  const [first = '', , mark = ''] = String(error.stack).split('\n');
  if (!first.startsWith(`${file}:`)) return undefined;
  const line = Number(first.slice(file.length + 1));
  const column = mark.indexOf('^') + 1;
  return { file, line, column: line === 1 ? column - head : column };
}

/** Gives a stack the places of pages that `placeOf` knows, and tells the first of them. */
export function locate(
  error: unknown,
  placeOf: (file: string, line: number, column: number) => Place | undefined,
): Place | undefined {
  if (error instanceof PageError) return error.place;
  if (!(error instanceof Error) || typeof error.stack !== 'string') return undefined;
  let first: Place | undefined;
  const stack = error.stack.replace(FRAME, (frame, before, file, line, column, after) => {
    const place = placeOf(file, Number(line), Number(column));
    if (place === undefined) return frame;
    first ??= place;
    return `${before}${place.file}:${place.line}:${place.column}${after}`;
  });
  if (first !== undefined) error.stack = stack;
  return first;
}

const FRAME = /^(\s+at (?:.*\()?)(.+?):(\d+):(\d+)(\)?)$/gm;

/** The lines around a place, with a mark below it. */
export function frameOf(source: string, { line, column }: Place): string {
  const first = Math.max(1, line - 4);
  const lines = source.split(/\r?\n/).slice(first - 1, line + 4);
  const width = String(first + lines.length).length;
  return lines
    .flatMap((text, index) => {
      const number = first + index;
      const shown = `${number === line ? '>' : ' '} ${String(number).padStart(width)} | ${text}`;
      if (number !== line) return [shown];
      // Tabs stay what they are, so that the mark stands where the text is.
      const indent = text.slice(0, column - 1).replace(/[^\t]/g, ' ');
      return [shown, `  ${' '.repeat(width)} | ${indent}^`];
    })
    .join('\n');
}
