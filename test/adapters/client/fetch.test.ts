import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { fetchRequest } from '../../../src/adapters/client/fetch.ts';
import type { FetchInit } from '../../../src/adapters/client/index.ts';
import { codeOf, HEAD, talk } from './application.ts';

/** The parameters, but for those that every request has. */
function paramsOf(url: string | URL, init: FetchInit = {}) {
  const { GATEWAY_INTERFACE, SERVER_SOFTWARE, SERVER_PROTOCOL, REMOTE_ADDR, ...params } = fetchRequest(
    url,
    init,
  ).params;
  expect([GATEWAY_INTERFACE, SERVER_PROTOCOL, REMOTE_ADDR]).toEqual(['CGI/1.1', 'HTTP/1.1', '127.0.0.1']);
  expect(SERVER_SOFTWARE).toBe('fcgi');
  return Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined));
}

describe('the parameters of fetch', () => {
  it('are made of the URL', () => {
    expect(paramsOf('https://site.test:8443/a%20b/c.php?d=%65#f')).toEqual({
      REQUEST_METHOD: 'GET',
      REQUEST_URI: '/a%20b/c.php?d=%65',
      REQUEST_SCHEME: 'https',
      HTTPS: 'on',
      SERVER_NAME: 'site.test',
      SERVER_PORT: '8443',
      SCRIPT_NAME: '/a b/c.php',
      QUERY_STRING: 'd=%65',
      HTTP_HOST: 'site.test:8443',
    });
  });

  it.each([
    ['/a', { SERVER_NAME: 'localhost', SERVER_PORT: '80', REQUEST_SCHEME: 'http', HTTP_HOST: 'localhost' }],
    ['https://site.test/', { SERVER_PORT: '443', HTTPS: 'on' }],
    [new URL('http://site.test/a?'), { REQUEST_URI: '/a', QUERY_STRING: '' }],
  ])('of %s have what it does not say', (url, expected) => {
    expect(paramsOf(url)).toMatchObject(expected);
  });

  it.each<[FetchInit, Record<string, unknown>]>([
    [{ root: '/srv/www' }, { DOCUMENT_ROOT: '/srv/www', SCRIPT_FILENAME: '/srv/www/a/b.php', SCRIPT_NAME: '/a/b.php' }],
    [{ scriptFilename: '/opt/x.php' }, { SCRIPT_FILENAME: '/opt/x.php', SCRIPT_NAME: '/a/b.php' }],
    [
      { root: '/srv/www', scriptFilename: '/srv/www/index.php' },
      { SCRIPT_FILENAME: '/srv/www/index.php', SCRIPT_NAME: '/index.php' },
    ],
  ])('with %o name the script', (init, expected) => {
    expect(paramsOf('/a/b.php', init)).toMatchObject(expected);
  });

  it('have the headers', () => {
    const headers = { 'X-A': 'b', 'Content-Type': 'text/css', 'Content-Length': '3', Proxy: 'evil', X_Under: 'score' };
    const params = paramsOf('/', { headers, method: 'POST' });
    expect(params).toMatchObject({ HTTP_X_A: 'b', CONTENT_TYPE: 'text/css', CONTENT_LENGTH: '3' });
    expect(Object.keys(params).filter((name) => /PROXY|UNDER|HTTP_CONTENT/.test(name))).toEqual([]);
    expect(paramsOf('/', { headers: { A: 'Zo\xeb' } }).HTTP_A).toEqual(Buffer.from('Zo\xeb', 'latin1'));
  });

  it.each(['delete', 'Get', 'head', 'options', 'post', 'put', 'patch', 'Purge'])(
    'have the method %s as the web’s fetch has it',
    (method) => {
      expect(paramsOf('/', { method }).REQUEST_METHOD).toBe(new Request('http://a', { method }).method);
    },
  );

  it('are overruled by those that are given', () => {
    const params = { REMOTE_ADDR: undefined, SERVER_PROTOCOL: 'HTTP/2.0', REMOTE_USER: 'ann' };
    expect(fetchRequest('/', { params }).params).toMatchObject(params);
  });

  it.each<[string | URL, FetchInit]>([
    ['http://', {}],
    ['/%', {}],
    ['/a%00.php', {}],
    ['/..%2f..%2fetc/passwd', { root: '/srv/www' }],
    ['/..%5cx', { root: '/srv/www' }],
    ['/', { method: 'A B' }],
  ])('of %s with %o are refused', (url, init) => {
    expect(() => fetchRequest(url, init)).toThrow(expect.objectContaining({ code: 'FCGI_ERR_ARGUMENT' }));
  });
});

describe('the body of fetch', () => {
  it.each<[string, FetchInit['body'], string, string | undefined]>([
    ['text', 'a=b', 'a=b', 'text/plain;charset=UTF-8'],
    ['bytes', Buffer.from('a'), 'a', undefined],
    ['fields', new URLSearchParams({ a: 'b c' }), 'a=b+c', 'application/x-www-form-urlencoded;charset=UTF-8'],
    ['a Blob', new Blob(['a'], { type: 'text/css' }), 'a', 'text/css'],
    ['a stream', Readable.from(['a', 'b']), 'ab', undefined],
  ])('may be %s', async (_, body, sent, type) => {
    const { app, client } = await talk((request) => request.answer(''));
    await client.fetch('/', { method: 'POST', body });
    const { stdin, params } = app.requests[0];
    expect([stdin.toString(), params.CONTENT_TYPE, params.CONTENT_LENGTH]).toEqual([sent, type, String(sent.length)]);
  });

  it('may be a form', async () => {
    const { app, client } = await talk((request) => request.answer(''));
    const form = new FormData();
    form.set('a', 'b');
    await client.fetch('/', { method: 'POST', body: form });
    const { stdin, params } = app.requests[0];
    const boundary = /^multipart\/form-data; boundary=(.+)$/.exec(params.CONTENT_TYPE)![1];
    expect(stdin.toString()).toContain(`--${boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n`);
  });
});

describe('the response of fetch', () => {
  it('is the web’s', async () => {
    const head = 'Status: 404 Not there\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-A: b\r\n\r\n';
    const { client } = await talk((request) => request.stdout(`${head}{"a":1}`).end());
    const response = await client.fetch('/');
    expect(response).toBeInstanceOf(Response);
    expect([response.status, response.statusText, response.ok]).toEqual([404, 'Not there', false]);
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect([...response.headers.keys()]).not.toContain('status');
    expect(await response.json()).toEqual({ a: 1 });
  });

  it('has a body that streams', async () => {
    const { app, client } = await talk((request) => request.stdout(`${HEAD}first `));
    const response = await client.fetch('/');
    const reader = response.body!.getReader();
    expect(Buffer.from((await reader.read()).value!).toString()).toBe('first ');
    app.requests[0].stdout('second').end();
    expect(Buffer.from((await reader.read()).value!).toString()).toBe('second');
    expect((await reader.read()).done).toBe(true);
  });

  it('has a body that fails where the answer is cut off', async () => {
    const { app, client } = await talk((request) => request.stdout(`${HEAD}half`));
    const response = await client.fetch('/');
    app.requests[0].socket.end();
    expect(await codeOf(response.text())).toBe('FCGI_ERR_CLIENT_CLOSED');
  });

  it('that is cancelled closes the connection', async () => {
    const { app, client } = await talk((request) => request.stdout(`${HEAD}half`));
    await (await client.fetch('/')).body!.cancel();
    await app.until(() => app.sockets.size === 0);
  });

  it.each([
    ['HEAD', HEAD],
    ['head', 'Content-Length: 5\r\n\r\n'],
    ['GET', 'Status: 204\r\n\r\n'],
    ['GET', 'Status: 304\r\n\r\n'],
    ['GET', 'Status: 205\r\n\r\nnot to be'],
  ])('to %s of %j has no body', async (method, head) => {
    const { app, client } = await talk((request) => request.stdout(head).end());
    expect(await (await client.fetch('/', { method })).text()).toBe('');
    await app.until(() => app.sockets.size === 0);
  });

  it.each([204, 205, 304])('of status %i, cut off behind its head is no uncaught exception', async (status) => {
    const { app, client } = await talk((request) => request.stdout(`Status: ${status}\r\n\r\n`));
    expect((await client.fetch('/')).status).toBe(status);
    const uncaught: unknown[] = [];
    const onUncaught = (error: unknown) => uncaught.push(error);
    process.on('uncaughtException', onUncaught);
    app.requests[0].socket.end();
    await app.until(() => app.sockets.size === 0);
    await client.close();
    await new Promise(setImmediate);
    process.off('uncaughtException', onUncaught);
    expect(uncaught).toEqual([]);
  });

  it('cannot have a status that the web does not know', async () => {
    const { app, client } = await talk((request) => request.stdout('Status: 999\r\n\r\n').end());
    expect(await codeOf(client.fetch('/'))).toBe('FCGI_ERR_CLIENT_PROTOCOL');
    await app.until(() => app.sockets.size === 0);
  });
});
