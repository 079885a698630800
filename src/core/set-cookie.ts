import { type SetCookie, stringifySetCookie } from 'cookie';
import { sign } from 'cookie-signature';
import { fcgiError } from './errors.ts';

/** Express's options of a cookie; what each is good for says docs/cookies.md. */
export interface CookieOptions {
  /** Milliseconds from now; without it, and without `expires`, until the browser is closed. Negative or 0: no more. */
  maxAge?: number | null;
  expires?: Date;
  /** `'/'` unless told. */
  path?: string;
  /** The host that answers, and no other, unless told. */
  domain?: string;
  secure?: boolean;
  httpOnly?: boolean;
  /** True is `'strict'`. */
  sameSite?: boolean | 'lax' | 'strict' | 'none';
  partitioned?: boolean;
  priority?: 'low' | 'medium' | 'high';
  /** Whether it is signed with the secret of `cookies({ secret })`. */
  signed?: boolean;
  /** `encodeURIComponent` unless told. */
  encode?: (value: string) => string;
}

/** Bytes of name and value together that browsers take (RFC 6265bis, section 5.7). */
const MAX_BYTES = 4096;

/** The prefixes of names by which browsers know that a cookie is what it has to be (RFC 6265bis, section 4.1.3). */
const PREFIX = /^__(?:(host)|secure)-/i;

/**
 * The value of Set-Cookie (RFC 6265, section 4.1). What a browser would drop without a word is refused.
 *
 * @throws FcgiError FCGI_ERR_ARGUMENT
 */
export function makeSetCookie(
  name: string,
  value: unknown,
  options: CookieOptions,
  secret: string | undefined,
): string {
  const { maxAge, expires, path, signed, encode, ...rest } = options;
  if (signed && !secret) {
    throw fcgiError('FCGI_ERR_ARGUMENT', 'middleware cookies({secret}) required for signed cookies');
  }
  const text = typeof value === 'object' ? `j:${JSON.stringify(value)}` : String(value);
  const cookie: SetCookie = {
    ...rest,
    name,
    value: signed ? `s:${sign(text, secret!)}` : text,
    path: path ?? '/',
    expires,
  };
  if (maxAge != null) {
    const ms = Number(maxAge);
    cookie.maxAge = Math.floor(ms / 1000);
    // For browsers that do not know Max-Age.
    cookie.expires = new Date(Date.now() + ms);
  }
  let line: string;
  try {
    line = stringifySetCookie(cookie, encode && { encode });
  } catch (cause) {
    throw fcgiError('FCGI_ERR_ARGUMENT', `cookie ${JSON.stringify(name)}: ${(cause as Error).message}`, cause);
  }
  const fault = faultOf(cookie, line);
  if (fault) throw fcgiError('FCGI_ERR_ARGUMENT', `cookie ${name}: ${fault}`);
  return line;
}

/** The options of a cookie that takes another away. */
export function clearing(name: string, options: CookieOptions): CookieOptions {
  return { ...options, secure: options.secure ?? PREFIX.test(name), maxAge: undefined, expires: new Date(1) };
}

function faultOf({ name, path, domain, secure, sameSite, partitioned }: SetCookie, line: string): string | undefined {
  const prefix = PREFIX.exec(name);
  if (!secure) {
    if (prefix) return `a name that begins with ${prefix[0]} requires { secure: true }`;
    if (partitioned) return '{ partitioned: true } requires { secure: true }';
    if (String(sameSite).toLowerCase() === 'none') return "{ sameSite: 'none' } requires { secure: true }";
  }
  if (prefix?.[1] && (path !== '/' || domain))
    return "a name that begins with __Host- requires the path '/' and no domain";
  if (line.split(';', 1)[0]!.length > MAX_BYTES + '='.length) return `name and value have more than ${MAX_BYTES} bytes`;
  return undefined;
}
