import { describe, expect, it } from 'vitest';
import { ConstantText } from '../../../src/middleware/pages/constant-text.ts';
import { htmlspecialchars } from '../../../src/middleware/pages/escape.ts';
import { TextBuffer } from '../../../src/middleware/pages/text-buffer.ts';
import { seeded } from '../../adapters/fastcgi/random.ts';

describe('htmlspecialchars', () => {
  it.each([
    ['<a href="x">\'&\'</a>', '&lt;a href=&quot;x&quot;&gt;&#039;&amp;&#039;&lt;/a&gt;'],
    ['plain', 'plain'],
    ['', ''],
    ['é<ü', 'é&lt;ü'],
    [5, '5'],
    [null, 'null'],
  ])('escapes %j as PHP does', (value, escaped) => {
    expect(htmlspecialchars(value)).toBe(escaped);
  });
});

describe('TextBuffer', () => {
  it('holds what it was given, of any kind and length', () => {
    const next = seeded(7);
    const pieces = ['<', '&', '"', "'", '>', 'a', 'Z', 'é', '€', '😀', '\ud800', '\n', '\0', 'word '];
    for (let round = 0; round < 200; round++) {
      const buffer = new TextBuffer();
      let expected = '';
      for (let i = 0; i < 20; i++) {
        const text = Array.from({ length: next(400) }, () => pieces[next(pieces.length)]).join('');
        const kind = next(4);
        if (kind === 0) buffer.add(text);
        else if (kind === 1) buffer.addEscaped(text);
        else if (kind === 2) buffer.addBytes(Buffer.from(text));
        else buffer.addConstant(new ConstantText(text));
        expected += kind === 1 ? htmlspecialchars(text) : text;
      }
      const bytes = Buffer.from(expected);
      expect(buffer.length).toBe(bytes.length);
      expect(buffer.toString()).toBe(bytes.toString());
      const at = next(bytes.length);
      expect(Buffer.concat([buffer.take(at), buffer.take()]).equals(bytes)).toBe(true);
      expect(buffer.length).toBe(0);
    }
  });

  it('writes no more to what it gave away', () => {
    const buffer = new TextBuffer();
    buffer.add('one');
    const taken = buffer.take();
    buffer.add('two');
    expect(taken.toString()).toBe('one');
  });

  it('is never longer than what was written to it', () => {
    const buffer = new TextBuffer();
    buffer.add('one');
    buffer.cut(10);
    expect(buffer.length).toBe(3);
    buffer.cut(1);
    expect(buffer.toString()).toBe('o');
  });

  it('shares its memory with nobody before it ends', () => {
    const [one, two] = [new TextBuffer(), new TextBuffer()];
    one.add('one');
    two.add('two');
    expect(one.end()).toBe('one');
    const three = new TextBuffer();
    three.add('three');
    const four = new TextBuffer();
    four.add('four');
    expect([two.end(), three.end(), four.end(), one.toString()]).toEqual(['two', 'three', 'four', '']);
  });
});
