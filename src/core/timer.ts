/** What a timer takes: Node takes a longer time for none. */
export function timerMs(ms: number): number {
  return Math.min(ms, 2 ** 31 - 1);
}

/** Calls back once `ms` have passed. */
export function after(ms: number, callback: () => void): NodeJS.Timeout {
  return setTimeout(callback, timerMs(ms));
}
