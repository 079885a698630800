import { expect, test } from 'vitest';
import { RecordParser } from '../../../src/adapters/fastcgi/parser.ts';
import { seeded } from './random.ts';
import { Recorder } from './recorder.ts';
import { readVectors, type Vector } from './vector.ts';

/** Lets a parser read the vector in chunks of the sizes given. */
function replay({ bytes, closes }: Vector, nextSize: () => number): string[] {
  const recorder = new Recorder();
  const parser = new RecordParser(recorder);
  try {
    for (let start = 0, size = 0; start < bytes.length; start += size) {
      size = nextSize();
      parser.write(bytes.subarray(start, start + size));
    }
    if (closes) parser.end();
  } catch (error) {
    recorder.onError(error);
  }
  return recorder.events;
}

for (const vector of readVectors()) {
  test(`${vector.name}: the same events whole, byte by byte, and cut anywhere`, () => {
    expect(replay(vector, () => vector.bytes.length)).toEqual(vector.events);
    expect(replay(vector, () => 1)).toEqual(vector.events);
    const random = seeded(vector.bytes.length);
    for (let run = 0; run < 50; run++) {
      const most = 1 + random(run % 2 ? 40 : vector.bytes.length);
      expect(replay(vector, () => 1 + random(most))).toEqual(vector.events);
    }
  });

  if (vector.bytes.length < 2000) {
    test(`${vector.name}: the same events cut in two at any byte`, () => {
      for (let cut = 1; cut < vector.bytes.length; cut++) {
        const sizes = [cut, vector.bytes.length];
        expect(replay(vector, () => sizes.shift()!)).toEqual(vector.events);
      }
    });
  }
}
