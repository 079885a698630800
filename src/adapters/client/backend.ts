import type { Pool } from './pool.ts';
import type { Upstream } from './upstream.ts';

/** One address of an upstream, and whether it can be relied on: what is seen of the requests that it gets tells. */
export class Backend {
  readonly pool: Pool;
  readonly #upstream: Upstream;
  /** In a row. */
  failures = 0;
  /** Until when it gets no requests, on the clock of performance.now(). */
  downUntil = 0;

  constructor(pool: Pool, upstream: Upstream) {
    this.pool = pool;
    this.#upstream = upstream;
  }

  /** After a failure, one request at a time tries it. */
  isUp(): boolean {
    return this.failures === 0 || (performance.now() >= this.downUntil && this.pool.live === 0);
  }

  succeeded(): void {
    this.failures = 0;
  }

  /** @param before `failures` when the request was sent: many may fail by one event, which counts once. */
  failed(before: number): void {
    if (before !== this.failures) return;
    const { failTimeout, maxFailTimeout } = this.#upstream;
    this.downUntil = performance.now() + Math.min(failTimeout * 2 ** this.failures, maxFailTimeout);
    this.failures++;
  }
}

/**
 * The least busy of those that are up; where all are down, the one that was so first. Undefined if there is no room now.
 *
 * @param tried Those that are not asked again.
 */
export function choose(backends: readonly Backend[], tried: readonly Backend[]): Backend | undefined {
  let best: Backend | undefined;
  let down: Backend | undefined;
  let up = false;
  for (const backend of backends) {
    if (tried.includes(backend)) continue;
    if (!backend.isUp()) {
      if (down === undefined || backend.downUntil < down.downUntil) down = backend;
      continue;
    }
    up = true;
    if (!backend.pool.hasRoom) continue;
    if (best === undefined || backend.pool.live < best.pool.live) best = backend;
  }
  if (up) return best;
  return down?.pool.hasRoom ? down : undefined;
}
