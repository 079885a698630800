import { BlockList, isIP, isIPv6, type Socket } from 'node:net';
import { fcgiError } from '../../core/errors.ts';

/**
 * Who may connect over TCP: the peers of `allowedPeers`, and of the environment's FCGI_WEB_SERVER_ADDRS, in which a
 * web server that starts the application says which addresses it has (section 3.2). A peer must be in each of the
 * two that is set; with neither, everyone may connect.
 *
 * Over a unix socket a peer has no address: who may connect is what the socket's permissions say.
 */
export class PeerFilter {
  readonly #lists: BlockList[] = [];

  /**
   * @param allowedPeers IP addresses and CIDR blocks, as `['10.0.0.5', '192.168.0.0/16', 'fd00::/8']`. IPv4 covers its
   * IPv4-mapped IPv6 form. An empty list lets nobody in.
   * @param webServerAddrs IP addresses, separated by commas. Default: what the environment says.
   * @throws FcgiError FCGI_ERR_OPTION
   */
  constructor(allowedPeers?: readonly string[], webServerAddrs = process.env.FCGI_WEB_SERVER_ADDRS) {
    if (allowedPeers !== undefined) this.#lists.push(toBlockList('allowedPeers', allowedPeers));
    if (webServerAddrs) this.#lists.push(toBlockList('FCGI_WEB_SERVER_ADDRS', webServerAddrs.split(',')));
  }

  /**
   * Whether the peer of an accepted connection may talk to us.
   *
   * A TCP connection that was reset at once has lost its peer's address, yet what came over it can still be read: then
   * the address of our own end tells it from a unix socket.
   */
  allows({ remoteAddress, localAddress }: Pick<Socket, 'remoteAddress' | 'localAddress'>): boolean {
    if (remoteAddress === undefined) return localAddress === undefined || this.#lists.length === 0;
    const address = remoteAddress.replace(/%.*/, '');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    return this.#lists.every((list) => list.check(address, family));
  }
}

function toBlockList(name: string, entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', prefix, ...rest] = entry.trim().split('/');
    const version = isIP(address);
    const bits = version === 4 ? 32 : 128;
    if (
      version === 0 ||
      rest.length > 0 ||
      (prefix !== undefined && !(/^\d+$/.test(prefix) && Number(prefix) <= bits))
    ) {
      throw fcgiError('FCGI_ERR_OPTION', `${name}: ${JSON.stringify(entry)} is no IP address or CIDR block`);
    }
    list.addSubnet(address, prefix === undefined ? bits : Number(prefix), version === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}
