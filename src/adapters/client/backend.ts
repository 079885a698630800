import type { Pool } from './pool.ts';
import type { Upstream } from './upstream.ts';

/** One address of an upstream, and whether it can be relied on: what is seen of the requests that it gets tells. */
export class Backend {
  readonly pool: Pool;
  readonly #upstream: Upstream;
  /** In a row. */
  #failures = 0;
  /** Until when it gets no requests, on the clock of performance.now(). */
  downUntil = 0;

  constructor(pool: Pool, upstream: Upstream) {
    this.pool = pool;
    this.#upstream = upstream;
  }

  /** After a failure, one request at a time tries it. */
  isUp(): boolean {
    return this.#failures === 0 || (performance.now() >= this.downUntil && this.pool.live === 0);
  }

  succeeded(): void {
    this.#failures = 0;
  }

  failed(): void {
    const { failTimeout, maxFailTimeout } = this.#upstream;
    this.downUntil = performance.now() + Math.min(failTimeout * 2 ** this.#failures, maxFailTimeout);
    this.#failures++;
  }
}

/**
 * The least busy of those that are up; where all are down, the one that was so first. Undefined if there is no room now.
 *
 * @param tried Those that are not asked again.
 */
export function choose(backends: readonly Backend[], tried: readonly Backend[]): Backend | undefined {
  const left = tried.length === 0 ? backends : backends.filter((backend) => !tried.includes(backend));
  const up = left.filter((backend) => backend.isUp());
  const [from, better] = up.length > 0 ? [up, lessBusy] : [left, downBefore];
  let best: Backend | undefined;
  for (const backend of from) {
    if (backend.pool.hasRoom && (best === undefined || better(backend, best))) best = backend;
  }
  return best;
}

function lessBusy(one: Backend, other: Backend): boolean {
  return one.pool.live < other.pool.live;
}

function downBefore(one: Backend, other: Backend): boolean {
  return one.downUntil < other.downUntil;
}
