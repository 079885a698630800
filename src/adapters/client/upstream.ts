import { fcgiError } from '../../core/errors.ts';
import { type Address, type AddressLike, formatAddress, parseAddress } from '../address.ts';
import { positiveFrom } from '../fastcgi/limits.ts';

export interface UpstreamOptions {
  /** Milliseconds for which a backend that failed gets no requests; twice as many after each further failure. Default 1000. */
  failTimeout?: number;
  /** The most that they become. Default 30000. */
  maxFailTimeout?: number;
}

/** Several backends that do the same, usable where an address is. */
export class Upstream {
  readonly addresses: readonly Address[];
  readonly failTimeout: number;
  readonly maxFailTimeout: number;

  /** @throws FcgiError FCGI_ERR_ADDRESS, FCGI_ERR_ARGUMENT, FCGI_ERR_OPTION */
  constructor(addresses: Iterable<AddressLike>, options: UpstreamOptions = {}) {
    this.addresses = Array.from(addresses, parseAddress);
    if (this.addresses.length === 0) throw fcgiError('FCGI_ERR_ARGUMENT', 'An upstream needs an address');
    const texts = this.addresses.map(formatAddress);
    const twice = texts.find((text, index) => texts.indexOf(text) !== index);
    if (twice !== undefined) throw fcgiError('FCGI_ERR_ARGUMENT', `An upstream has ${twice} twice`);
    const { failTimeout, maxFailTimeout } = positiveFrom({ failTimeout: 1000, maxFailTimeout: 30_000 }, options);
    this.failTimeout = failTimeout;
    this.maxFailTimeout = maxFailTimeout;
  }
}

/**
 * Several backends that do the same. A request goes to the one with the fewest under way. One that fails gets none for a
 * while, then one to try it; where all have failed, the one that did so first is tried.
 *
 * @throws FcgiError FCGI_ERR_ADDRESS, FCGI_ERR_ARGUMENT, FCGI_ERR_OPTION
 */
export function upstream(addresses: Iterable<AddressLike>, options?: UpstreamOptions): Upstream {
  return new Upstream(addresses, options);
}
