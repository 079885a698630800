import { describe, expect, test } from 'vitest';
import {
  decodeLength,
  decodePairs,
  encodePairs,
  PairReader,
  PairsCollector,
  packPairs,
} from '../../../src/adapters/fastcgi/pairs.ts';
import { FcgiError } from '../../../src/core/errors.ts';
import { seeded } from './random.ts';

function codeOf(run: () => unknown): string | undefined {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(FcgiError);
    return (error as FcgiError).code;
  }
  return undefined;
}

const LENGTHS = [0, 1, 126, 127, 128, 129, 255, 256, 8191, 8192, 8193, 65534, 65535, 65536, 1 << 20];

describe('encodePairs and decodePairs', () => {
  test('lengths up to 127 take one byte, longer ones four with the highest bit set', () => {
    expect(encodePairs([['ab', 'c']])).toEqual(Buffer.from('\x02\x01abc'));
    expect(encodePairs([['a', 'v'.repeat(127)]]).subarray(0, 3)).toEqual(Buffer.from([1, 127, 97]));
    expect(encodePairs([['a', 'v'.repeat(128)]]).subarray(0, 6)).toEqual(Buffer.from([1, 0x80, 0, 0, 128, 97]));
    expect(encodePairs([['n'.repeat(65536), '']]).subarray(0, 6)).toEqual(Buffer.from([0x80, 1, 0, 0, 0, 110]));
  });

  test('what was encoded is decoded, at every length of name and value that is special', () => {
    for (const nameLength of LENGTHS.slice(0, 12)) {
      for (const valueLength of LENGTHS) {
        const pairs: [string, string][] = [
          ['before', '1'],
          ['n'.repeat(nameLength), 'v'.repeat(valueLength)],
          ['after', '2'],
        ];
        expect(decodePairs(encodePairs(pairs))).toEqual(pairs);
      }
    }
  });

  test('what was encoded is decoded, whatever it was', () => {
    const random = seeded(3);
    const word = () => String.fromCodePoint(...Array.from({ length: random(200) }, () => random(0xd800)));
    for (let run = 0; run < 300; run++) {
      const pairs = Array.from({ length: random(20) }, (): [string, string] => [word(), word()]);
      expect(decodePairs(encodePairs(pairs))).toEqual(pairs);
    }
  });

  test('strings are encoded as UTF-8, bytes as they are', () => {
    expect(encodePairs([['é', '日']])).toEqual(Buffer.from([2, 3, 0xc3, 0xa9, 0xe6, 0x97, 0xa5]));
    expect(encodePairs([[Uint8Array.of(0xe9), Uint8Array.of(0, 255)]])).toEqual(Buffer.from([1, 2, 0xe9, 0, 255]));
  });

  test('order and duplicates are kept', () => {
    const pairs: [string, string][] = [
      ['B', '1'],
      ['A', '2'],
      ['B', '3'],
    ];
    expect(decodePairs(encodePairs(pairs))).toEqual(pairs);
  });

  test('anything that can be iterated is encoded', () => {
    expect(encodePairs(new Map([['A', '1']]))).toEqual(Buffer.from('\x01\x01A1'));
    expect(encodePairs([])).toEqual(Buffer.alloc(0));
  });

  test('a name that is special to objects is a name like any other', () => {
    expect(decodePairs(encodePairs([['__proto__', 'x']]))).toEqual([['__proto__', 'x']]);
  });

  test('as many pairs as allowed are decoded, and not one more', () => {
    const bytes = encodePairs([
      ['A', '1'],
      ['B', '2'],
    ]);
    expect(decodePairs(bytes, 2)).toHaveLength(2);
    expect(codeOf(() => decodePairs(bytes, 1))).toBe('FCGI_ERR_PARAMS_TOO_MANY');
    expect(codeOf(() => decodePairs(Buffer.alloc(20), 9))).toBe('FCGI_ERR_PARAMS_TOO_MANY');
    expect(decodePairs(Buffer.alloc(20), 10)).toHaveLength(10);
  });
});

describe('pairs that cannot be', () => {
  test('bytes cut off anywhere inside a pair are refused', () => {
    const bytes = encodePairs([
      ['NAME', 'value'],
      ['n'.repeat(128), 'v'.repeat(128)],
    ]);
    const boundaries = new Set([0, 11, bytes.length]);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const code = codeOf(() => decodePairs(bytes.subarray(0, cut)));
      expect(code).toBe(boundaries.has(cut) ? undefined : 'FCGI_ERR_PARAMS');
    }
  });

  test.each([
    ['the longest name and value there can be', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 65]],
    ['lengths whose sum overflows 32 bits to what there is (CVE-2025-23016)', [0xff, 255, 255, 255, 0x80, 0, 0, 2, 65]],
    ['a value one byte too long', [1, 2, 65, 66]],
    ['a name one byte too long', [3, 0, 65, 66]],
    ['a name that takes the bytes of the value', [2, 1, 65, 66]],
  ])('%s: refused', (_what, bytes) => {
    expect(codeOf(() => decodePairs(Buffer.from(bytes)))).toBe('FCGI_ERR_PARAMS');
  });

  test('noise is decoded or refused with a code', () => {
    const random = seeded(4);
    for (let run = 0; run < 5000; run++) {
      const bytes = Buffer.from(Array.from({ length: random(60) }, () => (random(4) ? random(6) : random(256))));
      expect([undefined, 'FCGI_ERR_PARAMS']).toContain(codeOf(() => decodePairs(bytes)));
    }
  });
});

describe('decodeLength', () => {
  test('reads one byte, or four, and tells where it ends', () => {
    for (const [bytes, length] of [
      [[0], 0],
      [[127], 127],
      [[0x80, 0, 0, 128], 128],
      [[0x80, 0, 0, 5], 5],
      [[0xff, 0xff, 0xff, 0xff], 0x7fffffff],
    ] as const) {
      expect(decodeLength(Buffer.from(bytes))).toEqual([length, bytes.length]);
      expect(decodeLength(Buffer.from([1, ...bytes, 2]), 1)).toEqual([length, bytes.length + 1]);
    }
  });

  test('refuses one that is cut off', () => {
    for (const bytes of [[], [0x80], [0x80, 0, 0]]) {
      expect(codeOf(() => decodeLength(Buffer.from(bytes)))).toBe('FCGI_ERR_PARAMS');
    }
  });
});

describe('PairReader', () => {
  const readerOf = (bytes: Buffer) => new PairReader(bytes.toString('latin1'));

  test('gives the offsets of each pair, its name and its value', () => {
    const pairs = new PairReader('\x01\x02ABC\x01\x00D');
    const found: unknown[][] = [];
    while (pairs.next()) {
      found.push([pairs.nameStart, pairs.valueStart, pairs.valueEnd, pairs.name(), pairs.value(), pairs.utf8Value()]);
    }
    expect(found).toEqual([
      [2, 3, 5, 'A', 'BC', 'BC'],
      [7, 8, 8, 'D', '', ''],
    ]);
    expect(pairs.next()).toBe(false);
  });

  test('reads no pair that is cut off, wherever that is', () => {
    for (const pair of [['NAME', 'value'] as const, ['n'.repeat(128), 'v'.repeat(128)] as const]) {
      const bytes = encodePairs([pair]);
      expect(readerOf(bytes).next()).toBe(true);
      for (let end = 1; end < bytes.length; end++) {
        expect(codeOf(() => readerOf(bytes.subarray(0, end)).next())).toBe('FCGI_ERR_PARAMS');
      }
    }
  });

  test('name and value have a character for each byte, utf8Value one for each character', () => {
    const pairs = readerOf(encodePairs([['NÄME', '/日']]));
    expect(pairs.next()).toBe(true);
    expect(pairs.name()).toBe('N\xc3\x84ME');
    expect(pairs.value()).toBe('/\xe6\x97\xa5');
    expect(pairs.utf8Value()).toBe('/日');
  });

  test('tells whether a pair has a name, and not one that is longer or shorter', () => {
    const pairs = readerOf(encodePairs([['NAME', 'S']]));
    expect(pairs.next()).toBe(true);
    expect(['NAME', 'NAM', 'NAMES', 'name', ''].map((name) => pairs.isNamed(name))).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
  });

  test('no text is no pairs', () => {
    expect(new PairReader('').next()).toBe(false);
  });
});

describe('packPairs', () => {
  test('fills buffers with whole pairs, in order', () => {
    const pairs = Array.from({ length: 50 }, (_, i): [string, string] => [`NAME_${i}`, 'v'.repeat(i * 7)]);
    const packed = [...packPairs(pairs, 400)];
    expect(packed.length).toBeGreaterThan(20);
    for (const bytes of packed) expect(bytes.length).toBeLessThanOrEqual(400);
    expect(packed.flatMap((bytes) => decodePairs(bytes))).toEqual(pairs);
  });

  test('a buffer is not begun while the pair fits into the one before', () => {
    const pair: [string, string] = ['AB', '1234'];
    const sizes = Array.from(packPairs([pair, pair, pair, pair, pair], 16), (bytes) => bytes.length);
    expect(sizes).toEqual([16, 16, 8]);
  });

  test('by default a buffer is the content of a record', () => {
    const value = 'v'.repeat(65535 - 5 - 1);
    expect(Array.from(packPairs([['N', value]]), (bytes) => bytes.length)).toEqual([65535]);
    expect(codeOf(() => [...packPairs([['N', `${value}v`]])])).toBe('FCGI_ERR_PARAMS_TOO_LARGE');
  });

  test('no pairs are no buffers', () => {
    expect([...packPairs([])]).toEqual([]);
  });
});

describe('PairsCollector', () => {
  function collect(maxBytes: number, pieces: string[]): string {
    const collector = new PairsCollector(maxBytes);
    for (const piece of pieces) collector.add(Buffer.from(`..${piece}.`), 2, 2 + Buffer.byteLength(piece));
    return collector.text;
  }

  test('a piece is copied, a character for each byte', () => {
    const collector = new PairsCollector(100);
    const chunk = Buffer.from('..ä.');
    collector.add(chunk, 2, 4);
    chunk.fill('x');
    expect(collector.text).toBe('\xc3\xa4');
  });

  test('pieces of any size are joined in their order', () => {
    const random = seeded(5);
    for (let run = 0; run < 200; run++) {
      const pieces = Array.from({ length: random(30) }, (_, i) =>
        String.fromCharCode(65 + (i % 26)).repeat(1 + random(300)),
      );
      expect(collect(1 << 20, pieces)).toBe(pieces.join(''));
    }
  });

  test('as many bytes as allowed are gathered, and not one more', () => {
    expect(collect(6, ['abc', 'def'])).toBe('abcdef');
    expect(codeOf(() => collect(5, ['abc', 'def']))).toBe('FCGI_ERR_PARAMS_TOO_LARGE');
    expect(codeOf(() => collect(2, ['abc']))).toBe('FCGI_ERR_PARAMS_TOO_LARGE');
  });
});
