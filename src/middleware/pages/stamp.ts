import { type Stats, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fcgiError } from '../../core/errors.ts';

/** Of `settle`, and at least in milliseconds: how long a file that goes on changing is waited for. */
const PATIENCE = 50;
const LEAST_PATIENCE = 1000;

/** Milliseconds after which a file is looked at again at the latest. */
const STEP = 50;

/** Undefined for whatever cannot be looked at: there is nothing, or its name is too long, or it may not be seen. */
export function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Tells a file from what it was before; undefined where there is none. */
export function stampOf(file: string): string | undefined {
  const stat = statOf(file);
  return stat?.isFile() ? `${stat.mtimeMs} ${stat.size} ${stat.ino}` : undefined;
}

/**
 * Reads a file that somebody may be writing, once it has not changed for `settle` milliseconds.
 *
 * @throws FcgiError FCGI_ERR_PAGE_NOT_FOUND, FCGI_ERR_PAGE_CHANGING: it goes on changing.
 */
export async function readSettled<T>(
  file: string,
  settle: number,
  read: () => Promise<T>,
): Promise<{ stamp: string; content: T }> {
  const deadline = performance.now() + Math.max(settle * PATIENCE, LEAST_PATIENCE);
  while (performance.now() < deadline) {
    const stamp = stampOf(file);
    if (stamp === undefined) throw fcgiError('FCGI_ERR_PAGE_NOT_FOUND', `${file} is gone`);
    // A file's clock may be ahead by less than a millisecond; of a time far to come, another machine's, nothing can be said.
    const age = Date.now() - Number.parseFloat(stamp);
    if (Math.abs(age) < settle) {
      await sleep(Math.min(settle - age, STEP));
      continue;
    }
    const content = await read();
    if (stampOf(file) === stamp) return { stamp, content };
  }
  throw fcgiError('FCGI_ERR_PAGE_CHANGING', `${file} is being written to all the time`);
}
