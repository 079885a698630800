import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { PeerFilter } from '../../../src/adapters/fastcgi/peers.ts';

function peer(remoteAddress: string) {
  return { remoteAddress, localAddress: '127.0.0.1' };
}

describe('allowedPeers', () => {
  test('with no list everyone may connect', () => {
    const filter = new PeerFilter(undefined, undefined);
    expect(filter.allows(peer('203.0.113.9'))).toBe(true);
    expect(filter.allows(peer('2001:db8::1'))).toBe(true);
  });

  test('with an empty list nobody may', () => {
    expect(new PeerFilter([], undefined).allows(peer('127.0.0.1'))).toBe(false);
  });

  test.each([
    ['10.0.0.5', '10.0.0.5', true],
    ['10.0.0.5', '10.0.0.6', false],
    ['10.0.0.5', '::ffff:10.0.0.5', true],
    ['10.0.0.5', '::ffff:10.0.0.6', false],
    ['::ffff:10.0.0.5', '10.0.0.5', true],
    ['192.168.0.0/16', '192.168.255.1', true],
    ['192.168.0.0/16', '::ffff:192.168.255.1', true],
    ['192.168.0.0/16', '192.169.0.1', false],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::1', '::1', true],
    ['::1', '127.0.0.1', false],
    ['fd00::/8', 'fd12::1', true],
    ['fd00::/8', 'fe80::1', false],
    ['fe80::/10', 'fe80::1%eth0', true],
    [' 10.0.0.5 ', '10.0.0.5', true],
  ])('%s: %s: %s', (allowed, address, answer) => {
    expect(new PeerFilter([allowed], undefined).allows(peer(address))).toBe(answer);
  });

  test('any entry of the list will do', () => {
    const filter = new PeerFilter(['10.0.0.5', 'fd00::/8'], undefined);
    expect(filter.allows(peer('10.0.0.5'))).toBe(true);
    expect(filter.allows(peer('fd00::1'))).toBe(true);
    expect(filter.allows(peer('10.0.0.7'))).toBe(false);
  });

  test.each([
    '',
    'localhost',
    '10.0.0',
    '10.0.0.1/33',
    '::1/129',
    '10.0.0.0/',
    '10.0.0.0/x',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
    '*',
  ])('refuses %j', (entry) => {
    expect(() => new PeerFilter([entry], undefined)).toThrow(expect.objectContaining({ code: 'FCGI_ERR_OPTION' }));
  });
});

describe('FCGI_WEB_SERVER_ADDRS', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  test('is read from the environment', () => {
    vi.stubEnv('FCGI_WEB_SERVER_ADDRS', '199.170.183.28,199.170.183.71');
    const filter = new PeerFilter();
    expect(filter.allows(peer('199.170.183.28'))).toBe(true);
    expect(filter.allows(peer('199.170.183.71'))).toBe(true);
    expect(filter.allows(peer('127.0.0.1'))).toBe(false);
  });

  test('empty is as if it were not set', () => {
    expect(new PeerFilter(undefined, '').allows(peer('203.0.113.9'))).toBe(true);
  });

  test('what is no address is refused by name', () => {
    expect(() => new PeerFilter(undefined, '127.0.0.1,web1')).toThrow(/FCGI_WEB_SERVER_ADDRS: "web1"/);
  });

  test('together with allowedPeers, a peer must be in both', () => {
    const filter = new PeerFilter(['10.0.0.0/8'], '10.0.0.5,192.168.0.1');
    expect(filter.allows(peer('10.0.0.5'))).toBe(true);
    expect(filter.allows(peer('10.0.0.6'))).toBe(false);
    expect(filter.allows(peer('192.168.0.1'))).toBe(false);
  });
});

describe('connections', () => {
  /** A connection whose peer reset it before anybody looked at it. */
  async function reset(address: { path: string } | { host: string; port: number }): Promise<Socket> {
    const server = createServer({ pauseOnConnect: true }).listen(address);
    await once(server, 'listening');
    const bound = server.address()!;
    const client = typeof bound === 'string' ? connect(bound) : connect(bound.port, bound.address);
    const [socket] = await once(server, 'connection');
    server.close();
    if (typeof bound === 'string') client.destroy();
    else client.resetAndDestroy();
    await once(client, 'close');
    return socket;
  }

  test('a peer on a unix socket has no address, and is let in', async () => {
    const path = join(tmpdir(), `fcgi-peers-${process.pid}.sock`);
    const socket = await reset({ path });
    expect(new PeerFilter([], undefined).allows(socket)).toBe(true);
    socket.destroy();
  });

  test('a TCP peer that reset its connection, and so has no address, is not taken for one on a unix socket', async () => {
    const socket = await reset({ host: '127.0.0.1', port: 0 });
    expect(socket.remoteAddress).toBeUndefined();
    expect(new PeerFilter(['10.0.0.1'], undefined).allows(socket)).toBe(false);
    expect(new PeerFilter(undefined, undefined).allows(socket)).toBe(true);
    socket.destroy();
  });
});
