import { FCGI_MAX_CONNS, FCGI_MAX_REQS, FCGI_MPXS_CONNS } from './constants.ts';
import type { Limits } from './limits.ts';

/**
 * What FCGI_GET_VALUES asks a server for (section 4.1). HAProxy, the one that asks, takes FCGI_MAX_REQS for what one
 * connection may carry.
 */
export function variablesOf(limits: Limits): [string, string][] {
  return [
    [FCGI_MAX_CONNS, countOf(limits.maxConnections)],
    [FCGI_MAX_REQS, countOf(Math.min(limits.maxRequests, limits.maxRequestsPerConnection))],
    [FCGI_MPXS_CONNS, '1'],
  ];
}

/** Without a limit, a large number. */
function countOf(limit: number): string {
  return String(Math.min(limit, 0x7fffffff));
}
