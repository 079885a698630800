import querystring from 'node:querystring';
import proxyAddr from 'proxy-addr';
import { fcgiError } from './errors.ts';
import { compileOffload } from './offload.ts';

/** An application's settings by name, as `app.set` and `app.get` know them; those named `… fn` are compiled from the others. */
export type Settings = Record<string, unknown>;

/** Makes an entity tag of an answer's body; `undefined` for none. */
export type ETagFunction = (body: Buffer) => string | undefined;

/** Makes `req.query` of what follows the `?`. */
export type QueryParser = (search: string) => unknown;

/** Says whether to believe what the `hop`-th proxy (0 is the nearest) at `address` says in `X-Forwarded-*`. */
export type TrustFunction = (address: string, hop: number) => boolean;

/** The settings of a new application: Express 5's defaults, but for `x-powered-by`, which is not sent. */
export function createSettings(): Settings {
  return {
    env: process.env.NODE_ENV || 'development',
    etag: 'weak',
    'etag fn': weakETag,
    'jsonp callback name': 'callback',
    'query parser': 'simple',
    'query parser fn': querystring.parse,
    'subdomain offset': 2,
    'trust proxy': false,
    'trust proxy fn': trustNobody,
  };
}

/** Sets one, and compiles what depends on it. Throws `FCGI_ERR_OPTION` for a value that means nothing. */
export function applySetting(settings: Settings, name: string, value: unknown): void {
  if (name === 'etag') settings['etag fn'] = compileETag(value);
  else if (name === 'query parser') settings['query parser fn'] = compileQueryParser(value);
  else if (name === 'trust proxy') settings['trust proxy fn'] = compileTrust(value);
  else if (name === 'offload') settings['offload fn'] = compileOffload(value);
  settings[name] = value;
}

const DEFAULTS = createSettings();

/** The settings that hold for a request or a response: its application's, or the defaults where it has none. */
export function settingsOf(message: { app?: { settings: Settings } }): Settings {
  return message.app === undefined ? DEFAULTS : message.app.settings;
}

function trustNobody(): boolean {
  return false;
}

/** HOT: a weak entity tag (RFC 9110, section 8.8.3): the length, and 64 bits of a hash. */
export function weakETag(body: string | Uint8Array, length = Buffer.byteLength(body)): string {
  return `W/"${length.toString(16)}-${digest(body)}"`;
}

/**
 * Two lanes of FNV-1a with different multipliers, each mixed at the end as MurmurHash3 does. A tag keeps no secret, and a
 * cryptographic hash, as Express takes it, costs 1 µs for a short body: more than all of the routing before it.
 */
function digest(body: string | Uint8Array): string {
  let a = 0x811c9dc5;
  let b = 0x9747b28c;
  for (let i = 0; i < body.length; i++) {
    const unit = typeof body === 'string' ? body.charCodeAt(i) : body[i]!;
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ unit, 0x5bd1e995);
    b ^= b >>> 15;
  }
  return base64(mix(a)) + base64(mix(b ^ a));
}

function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

const BASE64 = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');

function base64(bits: number): string {
  return String.fromCharCode(
    BASE64[bits >>> 26]!,
    BASE64[(bits >>> 20) & 63]!,
    BASE64[(bits >>> 14) & 63]!,
    BASE64[(bits >>> 8) & 63]!,
    BASE64[(bits >>> 2) & 63]!,
    BASE64[bits & 3]!,
  );
}

function strongETag(body: string | Buffer): string {
  return weakETag(body).slice(2);
}

function compileETag(value: unknown): ETagFunction | undefined {
  if (typeof value === 'function') return value as ETagFunction;
  if (value === true || value === 'weak') return weakETag;
  if (value === 'strong') return strongETag;
  if (value === false) return undefined;
  throw fcgiError('FCGI_ERR_OPTION', `unknown value for etag function: ${value}`);
}

function compileQueryParser(value: unknown): QueryParser | undefined {
  if (typeof value === 'function') return value as QueryParser;
  if (value === true || value === 'simple') return querystring.parse;
  if (value === false) return undefined;
  const hint = value === 'extended' ? '; give the function of a package for nested names, as qs.parse' : '';
  throw fcgiError('FCGI_ERR_OPTION', `unknown value for query parser function: ${value}${hint}`);
}

function compileTrust(value: unknown): TrustFunction {
  if (typeof value === 'function') return value as TrustFunction;
  if (value === true) return () => true;
  if (typeof value === 'number') return (_address, hop) => hop < value;
  if (!value) return trustNobody;
  const addresses = typeof value === 'string' ? value.split(',').map((address) => address.trim()) : value;
  try {
    return proxyAddr.compile(addresses as string[]);
  } catch (cause) {
    throw fcgiError('FCGI_ERR_OPTION', `unknown value for trust proxy: ${value}`, cause);
  }
}
