import { isIPv6 } from 'node:net';
import { fcgiError } from '../core/errors.ts';

/** Where a server listens, or a client connects: over TCP, or at the path of a unix socket. */
export type Address = TcpAddress | UnixAddress;

export interface TcpAddress {
  host: string;
  /** 0 to 65535; a server that listens on 0 gets a free one. */
  port: number;
}

export interface UnixAddress {
  path: string;
}

/** What `parseAddress` reads. */
export type AddressLike = number | string | { host?: string; port: number } | UnixAddress;

/** TCP reaches no further than this machine unless a host is named. */
const DEFAULT_HOST = '127.0.0.1';

/**
 * Reads an address as people write it:
 *
 * | written | means |
 * | --- | --- |
 * | `9000`, `'9000'`, `{ port: 9000 }` | port 9000 of 127.0.0.1 |
 * | `'localhost:9000'`, `'[::1]:9000'`, `'tcp://10.0.0.1:9000'` | host and port |
 * | `'unix:/run/app.sock'`, `'unix:///run/app.sock'`, `'unix//run/app.sock'` | the path of a unix socket |
 * | `'/run/app.sock'`, `'./app.sock'`, `'app.sock'` | the same: it has a `/`, or ends in `.sock` |
 *
 * `':9000'` and `'*:9000'` are refused, since to some programs they mean this machine and to others all the world:
 * write `0.0.0.0:9000` or `[::]:9000` for every interface.
 *
 * @throws FcgiError FCGI_ERR_ADDRESS
 */
export function parseAddress(address: AddressLike): Address {
  if (typeof address === 'number') return tcp(DEFAULT_HOST, address, address);
  if (typeof address === 'string') return parseText(address);
  if (typeof address === 'object' && address !== null) {
    if ('path' in address) return unix(address.path, address);
    if ('port' in address) return tcp(address.host ?? DEFAULT_HOST, address.port, address);
  }
  throw refuse(address, 'it is neither a number, nor a string, nor an object with a port or a path');
}

/** An address in the one form that says all of it, and that `parseAddress` reads back. */
export function formatAddress(address: Address): string {
  if ('path' in address) return `unix:${address.path}`;
  return isIPv6(address.host) ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

function parseText(text: string): Address {
  if (/^\d+$/.test(text)) return tcp(DEFAULT_HOST, Number(text), text);
  const unixPath = /^unix:(?:\/\/(?=\/))?(.*)$/s.exec(text) ?? /^unix\/(\/.*)$/s.exec(text);
  if (unixPath) return unix(unixPath[1], text);

  const [, scheme, rest] = /^(?:([a-z][a-z\d+.-]*):\/\/)?(.*)$/is.exec(text)!;
  if (scheme !== undefined && scheme !== 'tcp') throw refuse(text, `${scheme}:// is no address, tcp:// and unix: are`);
  if (scheme === undefined && (text.includes('/') || text.endsWith('.sock'))) return unix(text, text);

  const [, host, port] = /^(.*):(\d+)$/s.exec(rest!) ?? [];
  if (host === undefined || port === undefined) throw refuse(text, 'it has neither a port nor a path');
  const bracketed = /^\[(.*)\]$/.exec(host)?.[1];
  if (bracketed === undefined ? host.includes(':') : !isIPv6(bracketed)) {
    throw refuse(text, 'an IPv6 address needs brackets, and nothing else does, as [::1]:9000');
  }
  return tcp(bracketed ?? host, Number(port), text);
}

function tcp(host: unknown, port: unknown, given: unknown): TcpAddress {
  if (!Number.isInteger(port) || (port as number) < 0 || (port as number) > 65535) {
    throw refuse(given, 'a port is a whole number from 0 to 65535');
  }
  if (typeof host !== 'string' || host === '' || host === '*') {
    throw refuse(given, 'name the host: 127.0.0.1 for this machine, 0.0.0.0 or [::] for every interface');
  }
  if (!isIPv6(host) && !/^[\w.-]+$/.test(host)) throw refuse(given, 'its host is no name and no IP address');
  return { host, port: port as number };
}

function unix(path: unknown, given: unknown): UnixAddress {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw refuse(given, 'a unix socket needs a path');
  }
  if (path.endsWith('/')) throw refuse(given, 'the path of a unix socket cannot end as that of a directory');
  return { path };
}

function refuse(given: unknown, why: string) {
  return fcgiError(
    'FCGI_ERR_ADDRESS',
    `Not an address: ${JSON.stringify(given)}: ${why} (a port, host:port, or the path of a unix socket)`,
  );
}
