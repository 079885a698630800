import { availableParallelism } from 'node:os';
import { fcgiError } from '../../core/errors.ts';

/** What programs, and those who wait for them, may take. Counts, bytes and milliseconds; `Infinity` for no limit. */
export interface CgiLimits {
  /**
   * In which not a byte passes between client and program, in either direction. Over it: 504, or an answer that breaks off.
   * Default 60000.
   */
  timeout: number;
  /** Programs at a time. Default: 4 for each processor. */
  maxProcesses: number;
  /** Requests that wait for a program to end, each at most for `timeout`. Over it: 503. Default 100. */
  maxQueue: number;
  /** From SIGTERM to SIGKILL for a program that is to end. Default 5000. */
  killTimeout: number;
  /** Of a body whose length the client did not tell, which has to be counted first, in memory. Over it: 413. Default 10485760. */
  maxUncountedBytes: number;
}

/** @throws FcgiError FCGI_ERR_OPTION for a limit that is no positive number; `maxQueue` may be 0. */
export function limitsFrom(options: Partial<CgiLimits>): CgiLimits {
  const limits: CgiLimits = {
    timeout: 60_000,
    // Programs wait for a database or the client as often as they compute.
    maxProcesses: 4 * availableParallelism(),
    maxQueue: 100,
    killTimeout: 5000,
    maxUncountedBytes: 10 * 1024 ** 2,
  };
  for (const name of Object.keys(limits) as (keyof CgiLimits)[]) {
    const value = options[name];
    if (value === undefined) continue;
    if (typeof value !== 'number' || !(value > 0 || (value === 0 && name === 'maxQueue'))) {
      throw fcgiError('FCGI_ERR_OPTION', `${name} takes a number greater than 0 (or Infinity), not ${String(value)}`);
    }
    limits[name] = value;
  }
  return limits;
}
