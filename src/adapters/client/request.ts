import type { Role } from '../../core/env.ts';
import { fcgiError } from '../../core/errors.ts';
import { packPairs } from '../fastcgi/pairs.ts';
import { type Body, outgoing, type SpoolLimits, spool } from './body.ts';
import type { ExchangeRequest } from './exchange.ts';

/** CGI parameters; an undefined one is left out. Strings are sent as UTF-8. */
export type Params =
  | Record<string, ParamValue | undefined>
  | Iterable<readonly [name: string, value: ParamValue | undefined]>;

export type ParamValue = string | number | Uint8Array;

export interface RequestOptions {
  /** Default 'responder'. An Authorizer gets no body. */
  role?: Role;
  /** Gives the request up: it rejects, or the body of its answer fails, with the signal's reason. */
  signal?: AbortSignal;
  /** The file for a Filter. A stream's length is the parameter FCGI_DATA_LENGTH. */
  data?: Body;
  /**
   * To have it answered twice does no harm, so that it may be sent again where nothing came back. Default: the method is GET,
   * HEAD, OPTIONS, TRACE, PUT or DELETE (RFC 9110, section 9.2.2), or the role 'authorizer'.
   */
  idempotent?: boolean;
  /** Is told what goes to the error log, as it comes, also of requests that fail. */
  onStderr?: (bytes: Buffer) => void;
}

const IDEMPOTENT: ReadonlySet<unknown> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);
/** Of these a CONTENT_LENGTH is expected even if there is no body (RFC 9110, section 8.6). */
const WITH_BODY: ReadonlySet<unknown> = new Set(['POST', 'PUT', 'PATCH']);
const ROLES: readonly unknown[] = ['responder', 'authorizer', 'filter'];

/**
 * Makes all that is sent. A body whose length nobody knows is counted first.
 *
 * Rejects with FCGI_ERR_ARGUMENT, FCGI_ERR_PARAMS_TOO_LARGE, FCGI_ERR_BODY_TOO_LARGE, FCGI_ERR_BODY_OVERRUN,
 * FCGI_ERR_BODY_UNDERRUN, the signal's reason, or what a body fails with.
 */
export async function makeRequest(
  params: Params,
  givenBody: Body,
  options: RequestOptions,
  limits: SpoolLimits,
): Promise<ExchangeRequest> {
  const { role = 'responder', signal, onStderr } = options;
  if (!ROLES.includes(role)) throw fcgiError('FCGI_ERR_ARGUMENT', `There is no role ${role}`);
  const pairs = pairsOf(params);
  const method = pairs.get('REQUEST_METHOD');
  let body = outgoing(role === 'authorizer' ? undefined : givenBody, lengthIn(pairs, 'CONTENT_LENGTH'));
  let data = outgoing(role === 'filter' ? options.data : undefined, lengthIn(pairs, 'FCGI_DATA_LENGTH'));
  try {
    signal?.throwIfAborted();
    if (body.length < 0) body = await spool(body, limits, signal);
    if (data.length < 0) data = await spool(data, limits, signal);
    // PHP reads no body without it.
    if (body.length > 0 || WITH_BODY.has(method)) pairs.set('CONTENT_LENGTH', String(body.length));
    if (role === 'filter') pairs.set('FCGI_DATA_LENGTH', String(data.length));
    const idempotent = options.idempotent ?? (role === 'authorizer' || IDEMPOTENT.has(method));
    return {
      role,
      params: [...packPairs(pairs)],
      body,
      data,
      bodiless: method === 'HEAD',
      idempotent,
      signal,
      onStderr,
    };
  } catch (error) {
    body.drop();
    data.drop();
    throw error;
  }
}

function pairsOf(params: Params): Map<string, string | Uint8Array> {
  const pairs = new Map<string, string | Uint8Array>();
  for (const [name, value] of isIterable(params) ? params : Object.entries(params)) {
    if (value === undefined) continue;
    if (typeof value !== 'string' && typeof value !== 'number' && !(value instanceof Uint8Array)) {
      throw fcgiError('FCGI_ERR_ARGUMENT', `The parameter ${name} is no string, number or bytes`);
    }
    pairs.set(name, typeof value === 'number' ? String(value) : value);
  }
  return pairs;
}

function isIterable(params: Params): params is Iterable<readonly [string, ParamValue | undefined]> {
  return Symbol.iterator in params;
}

function lengthIn(pairs: Map<string, string | Uint8Array>, name: string): number | undefined {
  const value = pairs.get(name);
  if (value === undefined || value === '') return undefined;
  if (typeof value === 'string' && /^\d{1,15}$/.test(value)) return Number(value);
  throw fcgiError('FCGI_ERR_ARGUMENT', `${name} is a whole number of bytes, not ${value}`);
}
