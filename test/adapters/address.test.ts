import { describe, expect, test } from 'vitest';
import { type Address, type AddressLike, formatAddress, parseAddress } from '../../src/adapters/address.ts';

describe('parseAddress', () => {
  test.each<[AddressLike, Address]>([
    [9000, { host: '127.0.0.1', port: 9000 }],
    [0, { host: '127.0.0.1', port: 0 }],
    [65535, { host: '127.0.0.1', port: 65535 }],
    ['9000', { host: '127.0.0.1', port: 9000 }],
    [{ port: 9000 }, { host: '127.0.0.1', port: 9000 }],
    [
      { host: '::1', port: 9000 },
      { host: '::1', port: 9000 },
    ],
    ['127.0.0.1:9000', { host: '127.0.0.1', port: 9000 }],
    ['0.0.0.0:9000', { host: '0.0.0.0', port: 9000 }],
    ['localhost:9000', { host: 'localhost', port: 9000 }],
    ['my-app.example.com:80', { host: 'my-app.example.com', port: 80 }],
    ['[::1]:9000', { host: '::1', port: 9000 }],
    ['[::]:9000', { host: '::', port: 9000 }],
    ['[::ffff:127.0.0.1]:9000', { host: '::ffff:127.0.0.1', port: 9000 }],
    ['tcp://localhost:9000', { host: 'localhost', port: 9000 }],
    ['tcp://[::1]:9000', { host: '::1', port: 9000 }],
    ['/run/app.sock', { path: '/run/app.sock' }],
    ['/run/app', { path: '/run/app' }],
    ['./app.sock', { path: './app.sock' }],
    ['app.sock', { path: 'app.sock' }],
    ['run/app:1', { path: 'run/app:1' }],
    ['./9000', { path: './9000' }],
    ['unix:/run/app.sock', { path: '/run/app.sock' }],
    ['unix:app', { path: 'app' }],
    ['unix:./app.sock', { path: './app.sock' }],
    ['unix:///run/app.sock', { path: '/run/app.sock' }],
    ['unix//run/app.sock', { path: '/run/app.sock' }],
    ['unix/app.sock', { path: 'unix/app.sock' }],
    [{ path: 'app' }, { path: 'app' }],
    [{ path: '/run/with space' }, { path: '/run/with space' }],
  ])('%j', (given, address) => {
    expect(parseAddress(given)).toEqual(address);
  });

  test.each([
    [-1, /whole number from 0 to 65535/],
    [65536, /whole number from 0 to 65535/],
    [80.5, /whole number from 0 to 65535/],
    [Number.NaN, /whole number from 0 to 65535/],
    ['65536', /whole number from 0 to 65535/],
    ['localhost:65536', /whole number from 0 to 65535/],
    [{ port: '9000' }, /whole number from 0 to 65535/],
    [':9000', /127\.0\.0\.1 for this machine, 0\.0\.0\.0/],
    ['*:9000', /127\.0\.0\.1 for this machine, 0\.0\.0\.0/],
    [{ host: '', port: 9000 }, /127\.0\.0\.1 for this machine, 0\.0\.0\.0/],
    ['tcp://:9000', /127\.0\.0\.1 for this machine, 0\.0\.0\.0/],
    ['::1:9000', /needs brackets/],
    ['[localhost]:9000', /needs brackets, and nothing else does/],
    ['local host:9000', /no name/],
    ['[::1', /needs brackets/],
    ['localhost', /neither a port nor a path/],
    ['localhost:', /neither a port nor a path/],
    ['localhost:http', /neither a port nor a path/],
    ['tcp://localhost', /neither a port nor a path/],
    ['', /neither a port nor a path/],
    ['-1', /neither a port nor a path/],
    ['http://localhost:9000', /http:\/\/ is no address, tcp:\/\/ and unix: are/],
    ['unix:', /needs a path/],
    ['unix:///', /directory/],
    ['/run/', /directory/],
    [{ path: '' }, /needs a path/],
    [{ path: '\0abstract' }, /needs a path/],
    [{}, /neither a number/],
    [null, /neither a number/],
    [undefined, /neither a number/],
    [true, /neither a number/],
  ])('refuses %j, and says why', (given, message) => {
    expect(() => parseAddress(given as AddressLike)).toThrow(
      expect.objectContaining({ code: 'FCGI_ERR_ADDRESS', message: expect.stringMatching(message) }),
    );
  });
});

describe('formatAddress', () => {
  test.each<[Address, string]>([
    [{ host: '127.0.0.1', port: 9000 }, '127.0.0.1:9000'],
    [{ host: 'localhost', port: 0 }, 'localhost:0'],
    [{ host: '::1', port: 9000 }, '[::1]:9000'],
    [{ path: '/run/app.sock' }, 'unix:/run/app.sock'],
    [{ path: 'app' }, 'unix:app'],
  ])('%j is written %s, and read back', (address, text) => {
    expect(formatAddress(address)).toBe(text);
    expect(parseAddress(text)).toEqual(address);
  });
});
