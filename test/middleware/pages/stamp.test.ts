import { utimesSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { readSettled } from '../../../src/middleware/pages/stamp.ts';
import { makeSite, writePage } from './site.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

describe('readSettled', () => {
  const WRITTEN = 1_700_000_000_000.5;

  it.each([
    ['waits for a file that was written just now', 0.5, 0],
    // The clock of programs counts whole milliseconds, that of files does not.
    ['waits for one that was written in this very millisecond', -0.5, 0],
    ['does not wait for one that was written long ago', 1000, 1],
    ['does not wait for one of a time to come, by the clock of another machine', -3_600_000, 1],
  ])('%s', async (_what, age, readsAtOnce) => {
    const file = writePage(makeSite({}), 'a.jhtml', 'a');
    utimesSync(file, WRITTEN / 1000, WRITTEN / 1000);
    const clock = vi.spyOn(Date, 'now').mockReturnValue(WRITTEN + age);
    let reads = 0;
    const reading = readSettled(file, 10, async () => {
      reads += 1;
      return 'a';
    });
    expect(reads).toBe(readsAtOnce);
    clock.mockReturnValue(WRITTEN + 1000);
    expect((await reading).content).toBe('a');
  });
});
