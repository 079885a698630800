import { expect, it, vi } from 'vitest';
import { after, timerMs } from '../../src/core/timer.ts';

it.each([
  [0, 0],
  [60_000, 60_000],
  [2 ** 31, 2 ** 31 - 1],
  [Number.POSITIVE_INFINITY, 2 ** 31 - 1],
])('makes of %d ms what a timer takes: %d', (ms, taken) => {
  expect(timerMs(ms)).toBe(taken);
});

it('does not call back at once for a time that is too long for a timer', () => {
  vi.useFakeTimers();
  const callback = vi.fn();
  const timer = after(Number.POSITIVE_INFINITY, callback);
  vi.advanceTimersByTime(60_000);
  expect(callback).not.toHaveBeenCalled();
  clearTimeout(timer);
  vi.useRealTimers();
});
