/** A piece of a page, and where its text begins: line and column, both counted from 0. */
export interface Piece {
  kind: 'text' | 'code' | 'escaped' | 'raw';
  text: string;
  line: number;
  column: number;
}

const TAG = /<\?(?!xml[\s?])([=-]?)/gi;
const MARKS: Record<string, Piece['kind']> = { '': 'code', '=': 'escaped', '-': 'raw' };

/**
 * Splits a page at its tags: `<? code ?>`, `<?= escaped ?>`, `<?- raw ?>`. `<?xml` is text. As in PHP, the first `?>` closes
 * whatever stands before it, takes one newline after it along, and need not be there at the end of the page.
 */
export function splitTags(source: string): Piece[] {
  const pieces: Piece[] = [];
  let at = source.startsWith('\uFEFF') ? 1 : 0;
  let line = 0;
  let lineStart = at;

  function add(kind: Piece['kind'], start: number, end: number): void {
    if (kind !== 'text' || start < end) {
      pieces.push({ kind, text: source.slice(start, end), line, column: start - lineStart });
    }
  }
  function moveTo(index: number): void {
    for (let end = source.indexOf('\n', at); end !== -1 && end < index; end = source.indexOf('\n', end + 1)) {
      line += 1;
      lineStart = end + 1;
    }
    at = index;
  }

  while (at < source.length) {
    TAG.lastIndex = at;
    const tag = TAG.exec(source);
    add('text', at, tag?.index ?? source.length);
    if (tag === null) break;
    moveTo(tag.index + tag[0].length);
    const close = source.indexOf('?>', at);
    const end = close === -1 ? source.length : close;
    add(MARKS[tag[1]!]!, at, end);
    moveTo(end);
    if (close !== -1) moveTo(close + 2 + /^\r?\n|^/.exec(source.slice(close + 2, close + 4))![0].length);
  }
  return pieces;
}
