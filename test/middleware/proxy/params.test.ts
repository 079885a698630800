import { afterEach, describe, expect, it } from 'vitest';
import type { ProxyOptions } from '../../../src/middleware/index.ts';
import { Door } from '../../adapters/fastcgi/client.ts';
import { DOORS, type TestRequest } from '../doors.ts';
import { folderOf } from '../programs.ts';
import { gateway } from './gateway.ts';

const door = new Door();
afterEach(() => door.close());

const [[, overHttp], [, overFastcgi]] = DOORS as [(typeof DOORS)[number], (typeof DOORS)[number]];

/** What an application is told. */
async function told(
  open: (typeof DOORS)[number][1],
  path: string,
  request?: TestRequest,
  options: ProxyOptions & { mount?: string } = {},
) {
  const { ask, backend } = await gateway(open, door, (received) => received.answer(''), options);
  const { status, text } = await ask(path, request);
  expect([status, text]).toEqual([200, '']);
  return backend.requests[0]!;
}

describe('the parameters of an application', () => {
  it('over HTTP are what nginx sends', async () => {
    const root = folderOf({ 'a b/c.php': '' });
    const headers = { Host: 'site.test:8443', 'Content-Type': 'text/plain', 'X-Some-Name': 'yes', Connection: 'close' };
    const request = { method: 'POST', headers, body: 'body' };
    const { params } = await told(overHttp, '/blog/a%20b/c.php/d%20e?f=%20g', request, { root, mount: '/blog' });
    expect(params).toEqual({
      GATEWAY_INTERFACE: 'CGI/1.1',
      SERVER_SOFTWARE: `node/${process.versions.node}`,
      SERVER_PROTOCOL: 'HTTP/1.1',
      SERVER_NAME: 'site.test',
      SERVER_ADDR: '127.0.0.1',
      SERVER_PORT: expect.stringMatching(/^\d+$/),
      REMOTE_ADDR: '127.0.0.1',
      REMOTE_PORT: expect.stringMatching(/^\d+$/),
      REQUEST_SCHEME: 'http',
      REQUEST_METHOD: 'POST',
      REQUEST_URI: '/blog/a%20b/c.php/d%20e?f=%20g',
      QUERY_STRING: 'f=%20g',
      DOCUMENT_ROOT: root,
      DOCUMENT_URI: '/blog/a b/c.php/d e',
      SCRIPT_NAME: '/blog/a b/c.php',
      SCRIPT_FILENAME: `${root}/a b/c.php`,
      PATH_INFO: '/d e',
      PATH_TRANSLATED: `${root}/d e`,
      REDIRECT_STATUS: '200',
      REMOTE_USER: '',
      CONTENT_TYPE: 'text/plain',
      CONTENT_LENGTH: '4',
      HTTP_HOST: 'site.test:8443',
      HTTP_X_SOME_NAME: 'yes',
    });
  });

  it('over FastCGI have of the web server’s what only that can know', async () => {
    const params = {
      ...{ SERVER_SOFTWARE: 'nginx/1.22.1', SERVER_NAME: 'site.test', SERVER_ADDR: '192.0.2.1', SERVER_PORT: '443' },
      ...{ SERVER_PROTOCOL: 'HTTP/2.0', REMOTE_ADDR: '192.0.2.2', REMOTE_PORT: '40000', REMOTE_USER: 'ann' },
      ...{ REQUEST_SCHEME: 'https', HTTPS: 'on', AUTH_TYPE: 'Basic', SSL_CLIENT_VERIFY: 'SUCCESS' },
    };
    const others = {
      ...{ SCRIPT_FILENAME: '/etc/passwd', SCRIPT_NAME: '/wrong', PATH_INFO: '/wrong', DOCUMENT_ROOT: '/wrong' },
      ...{ PHP_VALUE: 'auto_prepend_file=/etc/passwd', PHP_ADMIN_VALUE: 'open_basedir=/', LD_PRELOAD: '/tmp/evil' },
    };
    const root = folderOf({ 'index.php': '' });
    const request = { params: { ...params, ...others } };
    const received = await told(overFastcgi, '/a?b', request, { root });
    expect(received.params).toMatchObject({
      ...params,
      SCRIPT_FILENAME: `${root}/index.php`,
      SCRIPT_NAME: '/index.php',
      DOCUMENT_ROOT: root,
      PATH_INFO: '',
    });
    for (const name of ['PHP_VALUE', 'PHP_ADMIN_VALUE', 'LD_PRELOAD']) expect(received.params).not.toHaveProperty(name);
  });

  it.each(DOORS)('over %s have no header that would pass for another, or for a setting', async (_, open) => {
    const headers = { Proxy: 'http://evil', 'X.A': '1', 'Keep-Alive': '5', 'X-Good': '2' };
    const { params } = await told(open, '/', {
      headers: open === overHttp ? { ...headers, 'X_Real-IP': '3' } : headers,
    });
    const names = Object.keys(params).filter((name) => name.startsWith('HTTP_') && name !== 'HTTP_HOST');
    expect(names.filter((name) => name !== 'HTTP_CONNECTION')).toEqual(['HTTP_X_GOOD']);
  });

  it('have headers byte for byte', async () => {
    const { packed } = await told(overHttp, '/', { headers: { 'X-A': '\xfc\xff' } });
    expect(Buffer.concat(packed).includes(Buffer.from('HTTP_X_A\xfc\xff', 'latin1'))).toBe(true);
  });

  it('have of a URL in absolute form its path', async () => {
    const { params } = await told(overHttp, 'http://other.test/a?b');
    expect(params).toMatchObject({ REQUEST_URI: '/a?b', PATH_INFO: '/a', QUERY_STRING: 'b' });
  });

  it('come after those that are given, for all requests or each', async () => {
    const env = { A: 'b', SERVER_NAME: 'mine', REMOTE_PORT: undefined, REDIRECT_STATUS: '404' };
    const { params } = await told(overHttp, '/', {}, { env });
    expect(params).toMatchObject({ A: 'b', SERVER_NAME: 'mine', REDIRECT_STATUS: '404' });
    expect(params).not.toHaveProperty('REMOTE_PORT');
    const each = await told(overHttp, '/c', {}, { env: (req: { url: string }) => ({ URL: req.url }) });
    expect(each.params.URL).toBe('/c');
  });
});
