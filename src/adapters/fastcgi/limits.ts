import { fcgiError } from '../../core/errors.ts';

/** What a FastCGI server takes at most. Bytes, counts and milliseconds; `Infinity` for no limit. */
export interface Limits {
  /** Bytes of the parameters of one request. Over it: 431. */
  maxParamsBytes: number;
  /** Parameters of one request. Over it: 431. */
  maxParamsCount: number;
  /** Bytes of the body of one request. Over it: 413. */
  maxBodyBytes: number;
  /** Bytes of a body that wait in memory for a slow reader while others share its connection; more go to a file. */
  maxBufferedBytes: number;
  /** Bytes that are read and thrown away on a connection after the answers they were meant for. Then it is closed. */
  maxDrainBytes: number;
  /** Bytes that one request writes to the web server's error log. What is over it is dropped. */
  maxStderrBytes: number;
  /** Requests under way on one connection. Over it: 503. */
  maxRequestsPerConnection: number;
  /** Requests under way in all. Over it: 503. */
  maxRequests: number;
  /** Connections. Over it, a new one is closed. */
  maxConnections: number;
  /** From FCGI_BEGIN_REQUEST to the end of the parameters. Over it: 408. */
  headersTimeout: number;
  /** From FCGI_BEGIN_REQUEST to the end of the body. Over it: 408; if it is answered, an error for whoever still reads. */
  requestTimeout: number;
  /** Of a connection with no request under way, or whose peer takes nothing of an answer. Then it is closed. */
  idleTimeout: number;
  /** From our closing of a connection to the peer's. Then it is destroyed. */
  closeTimeout: number;
}

/** Safe on a public server. docs/limits.md says why each is what it is. */
export const DEFAULT_LIMITS: Readonly<Limits> = {
  maxParamsBytes: 128 * 1024,
  maxParamsCount: 1000,
  maxBodyBytes: 1024 ** 3,
  maxBufferedBytes: 256 * 1024,
  maxDrainBytes: 64 * 1024 ** 2,
  maxStderrBytes: 64 * 1024,
  maxRequestsPerConnection: 100,
  maxRequests: 10_000,
  maxConnections: 10_000,
  headersTimeout: 60_000,
  requestTimeout: 300_000,
  idleTimeout: 75_000,
  closeTimeout: 10_000,
};

/** @throws FcgiError FCGI_ERR_OPTION for a limit that is no positive number. */
export function limitsFrom(options: Partial<Limits>): Limits {
  return positiveFrom(DEFAULT_LIMITS, options);
}

/**
 * The defaults, with those of the options that are given in their place.
 *
 * @throws FcgiError FCGI_ERR_OPTION for one that is no positive number.
 */
export function positiveFrom<T extends Record<keyof T, number>>(defaults: Readonly<T>, options: Partial<T>): T {
  const limits: T = { ...defaults };
  for (const name of Object.keys(defaults) as (keyof T & string)[]) {
    const value = options[name];
    if (value === undefined) continue;
    if (typeof value !== 'number' || !(value > 0)) {
      throw fcgiError('FCGI_ERR_OPTION', `${name} takes a number greater than 0 (or Infinity), not ${String(value)}`);
    }
    limits[name] = value;
  }
  return limits;
}
