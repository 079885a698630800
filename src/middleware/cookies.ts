import type { IncomingMessage } from 'node:http';
import { parseCookie } from 'cookie';
import { unsign } from 'cookie-signature';
import { safeParse } from 'secure-json-parse';
import { fcgiError } from '../core/errors.ts';
import type { Middleware } from '../core/types.ts';

export interface CookiesOptions {
  /**
   * What cookies are signed with. Of several the first signs and all verify, so that a new one can be put before an old one.
   * None unless told: then no cookie is verified.
   */
  secret?: string | readonly string[];
}

type Message = IncomingMessage & {
  cookies?: Record<string, unknown>;
  signedCookies?: Record<string, unknown>;
  secret?: string;
};

/**
 * Parses the cookies that the client sent (RFC 6265, section 4.2), as cookie-parser does, into `req.cookies` and
 * `req.signedCookies`, and has `res.cookie` sign. See docs/cookies.md.
 *
 * @example
 * app.use(cookies({ secret: process.env.COOKIE_SECRET }));
 *
 * @throws FcgiError FCGI_ERR_OPTION
 */
export function cookies({ secret = [] }: CookiesOptions = {}): Middleware {
  const secrets = typeof secret === 'string' ? [secret] : secret;
  if (!Array.isArray(secrets) || secrets.some((one) => typeof one !== 'string' || one === '')) {
    throw fcgiError('FCGI_ERR_OPTION', 'secret takes a string that is not empty, or several');
  }

  return (req: Message, _res, next) => {
    // Others have parsed them, as in Express.
    if (req.cookies) return next();
    req.secret = secrets[0];
    req.cookies = Object.create(null) as Record<string, unknown>;
    req.signedCookies = Object.create(null) as Record<string, unknown>;
    for (const [name, text = ''] of Object.entries(parseCookie(req.headers.cookie ?? ''))) {
      if (secrets.length > 0 && text.startsWith('s:')) req.signedCookies[name] = verified(text.slice(2), secrets);
      else req.cookies[name] = decoded(text);
    }
    next();
  };
}

/** What was signed, or false. cookie-signature compares in a time that tells nothing. */
function verified(text: string, secrets: readonly string[]): unknown {
  for (const secret of secrets) {
    const value = unsign(text, secret);
    if (value !== false) return decoded(value);
  }
  return false;
}

/** Express writes an object as JSON behind `j:`. What is none, or has keys that lead to a prototype, stays a string. */
function decoded(text: string): unknown {
  return (text.startsWith('j:') && safeParse(text.slice(2))) || text;
}
