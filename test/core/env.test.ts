import { describe, expect, it } from 'vitest';
import { serve } from './pair.ts';

describe('req.env over HTTP', () => {
  it('has the parameters of CGI/1.1', async () => {
    const site = await serve((req, res) => res.json({ ...req.env }));
    const headers = { host: 'example.com:8080', 'content-type': 'text/plain', 'x-some-name': 'yes', cookie: 'a=1' };
    const { body } = await site.ask('/a%20b/c?d=%20e', { method: 'POST', headers }, 'body');
    const env = JSON.parse(body);
    expect(env).toEqual({
      GATEWAY_INTERFACE: 'CGI/1.1',
      SERVER_SOFTWARE: `node/${process.versions.node}`,
      SERVER_PROTOCOL: 'HTTP/1.1',
      SERVER_NAME: 'example.com',
      SERVER_ADDR: '127.0.0.1',
      SERVER_PORT: String(site.port),
      REMOTE_ADDR: '127.0.0.1',
      REMOTE_PORT: expect.stringMatching(/^\d+$/),
      REQUEST_METHOD: 'POST',
      REQUEST_URI: '/a%20b/c?d=%20e',
      SCRIPT_NAME: '',
      PATH_INFO: '/a b/c',
      QUERY_STRING: 'd=%20e',
      CONTENT_TYPE: 'text/plain',
      CONTENT_LENGTH: '4',
      HTTP_HOST: 'example.com:8080',
      HTTP_X_SOME_NAME: 'yes',
      HTTP_COOKIE: 'a=1',
      HTTP_CONNECTION: 'close',
    });
  });

  it.each([
    ['GET / HTTP/1.0\r\n', 'SERVER_NAME', '127.0.0.1'],
    ['GET / HTTP/1.0\r\n', 'SERVER_PROTOCOL', 'HTTP/1.0'],
    ['GET / HTTP/1.0\r\nHost: [::1]:80\r\n', 'SERVER_NAME', '[::1]'],
    ['GET /%zz HTTP/1.0\r\n', 'PATH_INFO', '/%zz'],
    ['GET /? HTTP/1.0\r\n', 'QUERY_STRING', ''],
    ['GET / HTTP/1.0\r\n', 'CONTENT_LENGTH', undefined],
    ['GET / HTTP/1.0\r\n', 'HTTPS', undefined],
    ['GET / HTTP/1.0\r\nX-A: 1\r\nX-A: 2\r\n', 'HTTP_X_A', '1, 2'],
    ['GET / HTTP/1.0\r\nCookie: a=1\r\nCookie: b=2\r\n', 'HTTP_COOKIE', 'a=1; b=2'],
    ['GET / HTTP/1.0\r\nProxy: evil\r\n', 'HTTP_PROXY', undefined],
    ['GET / HTTP/1.0\r\nX-Real-IP: 1\r\nX_Real_IP: evil\r\n', 'HTTP_X_REAL_IP', '1'],
    ['GET / HTTP/1.0\r\n__proto__: evil\r\n', 'HTTP___PROTO__', undefined],
  ])('of %j has %s %j', async (head, name, value) => {
    const site = await serve((req, res) => res.json([req.env[name] ?? null, Object.getPrototypeOf(req.env)]));
    const answer = await site.wire(`${head}\r\n`);
    expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4))).toEqual([value ?? null, null]);
  });

  it('says HTTPS of an encrypted connection, and is made once', async () => {
    const site = await serve((req, res) => {
      Object.assign(req.socket, { encrypted: true });
      const { env } = req;
      res.json([env.HTTPS, req.env === env, req.protocol, req.secure]);
    });
    expect((await site.ask()).body).toBe('["on",true,"https",true]');
  });

  it('is never the environment of the process', async () => {
    const site = await serve((req, res) => {
      req.env.FCGI_TEST_OWN = 'x';
      res.json([process.env.FCGI_TEST_OWN ?? null, req.env.PATH ?? null]);
    });
    expect((await site.ask()).body).toBe('[null,null]');
  });
});

describe('req.env over FastCGI', () => {
  it('is the parameters as the web server sent them', async () => {
    const params = { SCRIPT_FILENAME: '/www/a.js' };
    const site = await serve((req, res) => {
      Object.assign(req.socket, { params });
      expect(req.env).toBe(params);
      res.send('seen');
    });
    expect((await site.ask()).body).toBe('seen');
  });
});
