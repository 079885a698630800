import { type Stats, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fcgiError } from '../../core/errors.ts';

/** How often a file that goes on changing is looked at again. */
const MAX_ROUNDS = 50;

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
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const stamp = stampOf(file);
    if (stamp === undefined) throw fcgiError('FCGI_ERR_PAGE_NOT_FOUND', `${file} is gone`);
    // Of a time to come, another machine's clock, nothing can be said.
    const age = Date.now() - Number.parseFloat(stamp);
    if (age >= 0 && age < settle) await sleep(settle - age);
    const content = stampOf(file) === stamp ? await read() : undefined;
    if (content !== undefined && stampOf(file) === stamp) return { stamp, content };
  }
  throw fcgiError('FCGI_ERR_PAGE_CHANGING', `${file} is being written to all the time`);
}
