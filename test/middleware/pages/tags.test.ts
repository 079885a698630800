import { describe, expect, it } from 'vitest';
import { splitTags } from '../../../src/middleware/pages/tags.ts';

const kinds = (source: string) => splitTags(source).map(({ kind, text }) => `${kind}:${text}`);

describe('splitTags', () => {
  it.each([
    ['text alone', 'a\nb', ['text:a\nb']],
    ['nothing', '', []],
    ['the three kinds of tags', '<? a ?><?= b ?><?- c ?>', ['code: a ', 'escaped: b ', 'raw: c ']],
    ['text between and around', 'x<? a ?>y<?= b ?>z', ['text:x', 'code: a ', 'text:y', 'escaped: b ', 'text:z']],
    ['an XML declaration as text', '<?xml version="1.0"?>\n<a/>', ['text:<?xml version="1.0"?>\n<a/>']],
    ['an XML declaration in capitals as text', '<?XML ?>', ['text:<?XML ?>']],
    ['a tag behind an XML declaration', '<?xml?><? a ?>', ['text:<?xml?>', 'code: a ']],
    ['a name that begins as xml as code', '<?xmlData() ?>', ['code:xmlData() ']],
    ['one newline taken along', '<? a ?>\n\nb', ['code: a ', 'text:\nb']],
    ['one newline of Windows taken along', '<? a ?>\r\n\r\nb', ['code: a ', 'text:\r\nb']],
    ['no space taken along', '<? a ?> \nb', ['code: a ', 'text: \nb']],
    ['the first end, also in a string', '<? a("?>") ?>', ['code: a("', 'text:") ?>']],
    ['no end', 'a<? b', ['text:a', 'code: b']],
    ['no end of an expression', '<?= b', ['escaped: b']],
    ['an empty tag', '<??>a', ['code:', 'text:a']],
    ['an end alone', 'a ?> b', ['text:a ?> b']],
    ['a byte order mark', '\uFEFF<? a ?>', ['code: a ']],
  ])('finds %s', (_name, source, pieces) => {
    expect(kinds(source)).toEqual(pieces);
  });

  it('knows where each piece begins', () => {
    const pieces = splitTags('one\n  <?= a ?>\n\n<?\nb\n?>c <? d ?>');
    expect(pieces.map(({ kind, line, column }) => [kind, line, column])).toEqual([
      ['text', 0, 0],
      ['escaped', 1, 5],
      ['text', 2, 0],
      ['code', 3, 2],
      ['text', 5, 2],
      ['code', 5, 6],
    ]);
  });
});
