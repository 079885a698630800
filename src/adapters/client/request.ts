import type { Role } from '../../core/env.ts';
import { fcgiError } from '../../core/errors.ts';
import { packText } from '../fastcgi/pairs.ts';
import { type Body, discard, NOTHING, outgoing, type SpoolLimits, spool } from './body.ts';
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
  let body = NOTHING;
  let data = NOTHING;
  try {
    if (!ROLES.includes(role)) throw fcgiError('FCGI_ERR_ARGUMENT', `There is no role ${role}`);
    const { pairs, method, bodyLength, dataLength } = readParams(params);
    if (role !== 'authorizer') body = outgoing(givenBody, bodyLength);
    if (role === 'filter') data = outgoing(options.data, dataLength);
    signal?.throwIfAborted();
    if (body.length < 0) body = await spool(body, limits, signal);
    if (data.length < 0) data = await spool(data, limits, signal);
    // PHP reads no body without it.
    if (body.length > 0 || WITH_BODY.has(method)) pairs.push(['CONTENT_LENGTH', String(body.length)]);
    if (role === 'filter') pairs.push(['FCGI_DATA_LENGTH', String(data.length)]);
    const idempotent = options.idempotent ?? (role === 'authorizer' || IDEMPOTENT.has(method));
    return {
      role,
      params: packText(pairs),
      body,
      data,
      bodiless: method === 'HEAD',
      idempotent,
      signal,
      onStderr,
    };
  } catch (error) {
    if (body !== NOTHING) body.drop();
    else if (role !== 'authorizer') discard(givenBody);
    if (data !== NOTHING) data.drop();
    else if (role === 'filter') discard(options.data);
    throw error;
  }
}

interface ReadParams {
  /** All but the lengths. */
  pairs: [string, string | Uint8Array][];
  method: string | undefined;
  bodyLength: number | undefined;
  dataLength: number | undefined;
}

function readParams(params: Params): ReadParams {
  const read: ReadParams = { pairs: [], method: undefined, bodyLength: undefined, dataLength: undefined };
  if (Symbol.iterator in params) for (const [name, value] of params) readParam(read, name, value);
  else for (const name of Object.keys(params)) readParam(read, name, params[name]);
  return read;
}

function readParam(read: ReadParams, name: string, value: ParamValue | undefined): void {
  if (value === undefined) return;
  if (name === 'CONTENT_LENGTH') read.bodyLength = lengthFrom(name, value);
  else if (name === 'FCGI_DATA_LENGTH') read.dataLength = lengthFrom(name, value);
  else if (typeof value === 'string' || value instanceof Uint8Array) read.pairs.push([name, value]);
  else if (typeof value === 'number') read.pairs.push([name, String(value)]);
  else throw fcgiError('FCGI_ERR_ARGUMENT', `The parameter ${name} is no string, number or bytes`);
  if (name === 'REQUEST_METHOD') read.method = String(value);
}

/** Empty is none, as nginx sends it. */
function lengthFrom(name: string, value: ParamValue): number | undefined {
  if (value === '') return undefined;
  if (/^\d{1,15}$/.test(String(value))) return Number(value);
  throw fcgiError('FCGI_ERR_ARGUMENT', `${name} is a whole number of bytes, not ${value}`);
}
