import { describe, expect, it } from 'vitest';
import { Backend } from '../../../src/adapters/client/backend.ts';
import type { Pool } from '../../../src/adapters/client/pool.ts';
import { Upstream } from '../../../src/adapters/client/upstream.ts';

describe('a backend that failed', () => {
  const backendOf = () =>
    new Backend({ live: 0 } as Pool, new Upstream([9000], { failTimeout: 60_000, maxFailTimeout: 1e9 }));
  const left = ({ downUntil }: Backend) => downUntil - performance.now();

  it('is down as long for many requests that fail by one event as for one', () => {
    const backend = backendOf();
    const { failures } = backend;
    for (let i = 0; i < 10; i++) backend.failed(failures);
    expect(backend.isUp()).toBe(false);
    expect(left(backend)).toBeLessThanOrEqual(60_000);
  });

  it('is down twice as long for each that was sent since, and fails too', () => {
    const backend = backendOf();
    for (let i = 0; i < 3; i++) backend.failed(backend.failures);
    expect(left(backend)).toBeGreaterThan(180_000);
    expect(left(backend)).toBeLessThanOrEqual(240_000);
  });
});
