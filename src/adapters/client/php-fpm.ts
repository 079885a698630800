import { text } from 'node:stream/consumers';
import { fcgiError } from '../../core/errors.ts';
import type { FcgiClient } from './client.ts';

/** A pool of PHP-FPM as its status page shows it; times in seconds. */
export interface PhpFpmStatus {
  pool: string;
  processManager: 'static' | 'dynamic' | 'ondemand';
  /** Since 1970. */
  startTime: number;
  /** Of the pool. */
  startSince: number;
  acceptedConn: number;
  /** Connections in the backlog: now, at most so far, and as many as there is room for. */
  listenQueue: number;
  maxListenQueue: number;
  listenQueueLen: number;
  idleProcesses: number;
  activeProcesses: number;
  totalProcesses: number;
  maxActiveProcesses: number;
  /** How often `pm.max_children` was too few. */
  maxChildrenReached: number;
  slowRequests: number;
  /** With `full`. */
  processes?: PhpFpmProcess[];
  /** What newer versions of PHP add, in the same spelling. */
  [name: string]: unknown;
}

/** A worker, and the request that it answers, or answered last. */
export interface PhpFpmProcess {
  pid: number;
  state: string;
  /** Since 1970. */
  startTime: number;
  startSince: number;
  requests: number;
  /** In microseconds. */
  requestDuration: number;
  requestMethod: string;
  requestUri: string;
  contentLength: number;
  user: string;
  script: string;
  /** In percent. */
  lastRequestCpu: number;
  /** In bytes. */
  lastRequestMemory: number;
  [name: string]: unknown;
}

export interface PhpFpmStatusOptions {
  /** What `pm.status_path` says. Default `/status`. */
  path?: string;
  /** Each process, too. */
  full?: boolean;
  signal?: AbortSignal;
}

export interface PhpFpmPingOptions {
  /** What `ping.path` says. Default `/ping`. */
  path?: string;
  signal?: AbortSignal;
}

/** PHP-FPM's own pages. */
export const phpFpm = {
  /**
   * The status of a pool of PHP-FPM.
   *
   * Rejects as `client.request`; with FCGI_ERR_CLIENT_PROTOCOL where there is no such page.
   */
  async status(client: FcgiClient, options: PhpFpmStatusOptions = {}): Promise<PhpFpmStatus> {
    const { path = '/status', full, signal } = options;
    const page = await pageOf(client, path, full ? 'json&full' : 'json', signal);
    try {
      return camelCased(JSON.parse(page)) as PhpFpmStatus;
    } catch (cause) {
      throw fcgiError('FCGI_ERR_CLIENT_PROTOCOL', `${path} is no status page of PHP-FPM`, cause);
    }
  },

  /**
   * Resolves with what `ping.response` says, `pong`, if the pool answers.
   *
   * Rejects as `client.request`; with FCGI_ERR_CLIENT_PROTOCOL where there is no such page.
   */
  ping(client: FcgiClient, { path = '/ping', signal }: PhpFpmPingOptions = {}): Promise<string> {
    return pageOf(client, path, '', signal);
  },
};

async function pageOf(client: FcgiClient, path: string, query: string, signal?: AbortSignal): Promise<string> {
  const params = {
    REQUEST_METHOD: 'GET',
    REQUEST_URI: path,
    // PHP-FPM finds these pages by both.
    SCRIPT_NAME: path,
    SCRIPT_FILENAME: path,
    QUERY_STRING: query,
  };
  const { status, stdout } = await client.request(params, undefined, { signal });
  const page = await text(stdout);
  if (status === 200) return page;
  throw fcgiError('FCGI_ERR_CLIENT_PROTOCOL', `PHP-FPM has no page ${path}: it answers ${status} ${page.trim()}`);
}

/** `accepted conn` is `acceptedConn`. */
function camelCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelCased);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      name.replace(/ (.)/g, (_, letter: string) => letter.toUpperCase()),
      camelCased(each),
    ]),
  );
}
