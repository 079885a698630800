import { scan } from 'secure-json-parse';
import { fcgiError } from './errors.ts';

/** What to do about it: refuse the body with 400, take the key out, or let it pass. */
export type PoisonAction = 'error' | 'remove' | 'ignore';

/**
 * What to do about keys that code which copies an object may follow to `Object.prototype`, and so change every object of the
 * process. Named as Fastify's.
 */
export interface PoisonOptions {
  /** About a key `__proto__`: `'error'` unless told. */
  onProtoPoisoning?: PoisonAction;
  /** About a key `constructor` whose object has a key `prototype`: `'error'` unless told. */
  onConstructorPoisoning?: PoisonAction;
}

/**
 * Looks for such keys, however deep, in what was parsed of what a client sent.
 *
 * @throws FcgiError FCGI_ERR_BODY_SYNTAX
 */
export function refusePoison(value: unknown, options: PoisonOptions = {}): void {
  if (typeof value !== 'object' || value === null) return;
  const { onProtoPoisoning: protoAction, onConstructorPoisoning: constructorAction } = options;
  try {
    scan(value, { protoAction, constructorAction });
  } catch (cause) {
    const message = 'the request body has a key __proto__, or prototype in one named constructor';
    throw fcgiError('FCGI_ERR_BODY_SYNTAX', message, cause);
  }
}
