import { afterEach, describe, expect, it } from 'vitest';
import { createApp } from '../../../src/core/app.ts';
import { type CgiOptions, cgi } from '../../../src/middleware/index.ts';
import { Door } from '../../adapters/fastcgi/client.ts';
import { cgiApp, DOORS, type TestRequest } from '../doors.ts';
import { EXAMPLES, folderOf, sh } from '../programs.ts';

const door = new Door();
afterEach(() => door.close());

/** What sh sets itself. */
const SHELLS_OWN = new Set(['PWD', 'OLDPWD', '_', 'SHLVL']);

function variablesOf(text: string): Record<string, string> {
  const pairs = text
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/=(.*)/s));
  return Object.fromEntries(pairs.filter(([name]) => !SHELLS_OWN.has(name!)).map(([name, value]) => [name, value]));
}

/** What env.sh is told in a request. */
async function variables(open: (typeof DOORS)[number][1], path: string, request?: TestRequest, options?: CgiOptions) {
  const ask = await open(cgiApp(EXAMPLES, options).app, door);
  return variablesOf((await ask(path, request)).text);
}

const [[, overHttp], [, overFastcgi]] = DOORS as [(typeof DOORS)[number], (typeof DOORS)[number]];

/** nginx’s, with what it sends for what there is not. */
const WEB_SERVERS: Record<string, string> = {
  SERVER_SOFTWARE: 'nginx/1.22.1',
  SERVER_NAME: 'site.test',
  SERVER_ADDR: '192.0.2.1',
  SERVER_PORT: '443',
  SERVER_PROTOCOL: 'HTTP/2.0',
  REMOTE_ADDR: '192.0.2.2',
  REMOTE_PORT: '40000',
  REMOTE_USER: 'ann',
  AUTH_TYPE: 'Basic',
  REMOTE_IDENT: '',
  REQUEST_SCHEME: 'https',
  HTTPS: 'on',
  DOCUMENT_ROOT: '/srv/www',
  SSL_CLIENT_VERIFY: 'SUCCESS',
  GATEWAY_INTERFACE: 'CGI/1.1',
};

describe('the environment of a program', () => {
  it('over HTTP is CGI’s, with PATH', async () => {
    const headers = { Host: 'site.test:8443', 'Content-Type': 'text/plain', 'X-Some-Name': 'yes', Connection: 'close' };
    const env = await variables(overHttp, '/cgi-bin/env.sh/a%20b/c?d=%20e', { method: 'POST', headers, body: 'body' });
    expect(env).toEqual({
      GATEWAY_INTERFACE: 'CGI/1.1',
      SERVER_SOFTWARE: `node/${process.versions.node}`,
      SERVER_PROTOCOL: 'HTTP/1.1',
      SERVER_NAME: 'site.test',
      SERVER_ADDR: '127.0.0.1',
      SERVER_PORT: expect.stringMatching(/^\d+$/),
      REMOTE_ADDR: '127.0.0.1',
      REMOTE_PORT: expect.stringMatching(/^\d+$/),
      REQUEST_METHOD: 'POST',
      REQUEST_URI: '/cgi-bin/env.sh/a%20b/c?d=%20e',
      QUERY_STRING: 'd=%20e',
      SCRIPT_NAME: '/cgi-bin/env.sh',
      SCRIPT_FILENAME: `${EXAMPLES}/env.sh`,
      DOCUMENT_ROOT: EXAMPLES,
      PATH_INFO: '/a b/c',
      PATH_TRANSLATED: `${EXAMPLES}/a b/c`,
      CONTENT_TYPE: 'text/plain',
      CONTENT_LENGTH: '4',
      HTTP_HOST: 'site.test:8443',
      HTTP_X_SOME_NAME: 'yes',
      PATH: process.env.PATH,
    });
  });

  it('over FastCGI has of the web server’s what only that can know', async () => {
    const params = { ...WEB_SERVERS, SCRIPT_NAME: '/wrong', PATH_INFO: '/wrong', SCRIPT_FILENAME: '/etc/passwd' };
    const headers = { 'X-Some-Name': 'yes', Cookie: 'a=1' };
    const { REMOTE_IDENT, ...given } = WEB_SERVERS;
    expect(await variables(overFastcgi, '/cgi-bin/env.sh/a?b', { headers, params })).toEqual({
      ...given,
      REQUEST_METHOD: 'GET',
      REQUEST_URI: '/cgi-bin/env.sh/a?b',
      QUERY_STRING: 'b',
      SCRIPT_NAME: '/cgi-bin/env.sh',
      SCRIPT_FILENAME: `${EXAMPLES}/env.sh`,
      PATH_INFO: '/a',
      PATH_TRANSLATED: '/srv/www/a',
      HTTP_X_SOME_NAME: 'yes',
      HTTP_COOKIE: 'a=1',
      PATH: process.env.PATH,
    });
  });

  it('has none of the variables that make programs run other code', async () => {
    const params = Object.fromEntries(
      ['LD_PRELOAD', 'LD_LIBRARY_PATH', 'PATH', 'PYTHONPATH', 'PERL5OPT', 'NODE_OPTIONS', 'BASH_ENV', 'ENV', 'IFS'].map(
        (name) => [name, '/tmp/evil'],
      ),
    );
    expect(Object.values(await variables(overFastcgi, '/cgi-bin/env.sh', { params }))).not.toContain('/tmp/evil');
  });

  it('has of SSL_* what mod_ssl tells of a connection, and nothing that OpenSSL takes for a setting', async () => {
    const told = [
      ...[
        'SSL_PROTOCOL',
        'SSL_CIPHER',
        'SSL_CIPHER_USEKEYSIZE',
        'SSL_SECURE_RENEG',
        'SSL_COMPRESS_METHOD',
        'SSL_TLS_SNI',
      ],
      ...['SSL_SESSION_ID', 'SSL_VERSION_LIBRARY', 'SSL_SRP_USER', 'SSL_SERVER_S_DN_CN', 'SSL_CLIENT_CERT_CHAIN_0'],
    ];
    const settings = ['SSL_CERT_FILE', 'SSL_CERT_DIR', 'SSL_DIR', 'SSL_CLIENT', 'XSSL_CIPHER', 'SSL_CIPHERS'];
    const params = Object.fromEntries([...told, ...settings].map((name) => [name, 'x']));
    const env = await variables(overFastcgi, '/cgi-bin/env.sh', { params });
    expect(
      Object.keys(env)
        .filter((name) => name.includes('SSL_'))
        .sort(),
    ).toEqual(told.sort());
  });

  it.each(DOORS)('over %s has nothing of the process but PATH', async (_, open) => {
    process.env.FCGI_TEST_SECRET = 'secret';
    try {
      expect(await variables(open, '/cgi-bin/env.sh')).not.toHaveProperty('FCGI_TEST_SECRET');
    } finally {
      delete process.env.FCGI_TEST_SECRET;
    }
  });

  it.each([
    ['Proxy', 'HTTP_PROXY'],
    ['X.Dot', 'HTTP_X.DOT'],
    ['X_Under', 'HTTP_X_UNDER'],
    ['Transfer-Encoding', 'HTTP_TRANSFER_ENCODING'],
    ['Keep-Alive', 'HTTP_KEEP_ALIVE'],
  ])('has no header %s', async (header, name) => {
    const request = { method: 'POST', headers: { [header]: 'chunked' }, body: 'body', chunked: true };
    expect(await variables(overHttp, '/cgi-bin/env.sh', request)).not.toHaveProperty([name]);
    // There the web server alone can tell it from X-Under.
    if (name === 'HTTP_X_UNDER') return;
    expect(await variables(overFastcgi, '/cgi-bin/env.sh', { params: { [name]: 'chunked' } })).not.toHaveProperty([
      name,
    ]);
  });

  it.each(DOORS)('over %s has no PATH_INFO, and no length or type of a body, where there is none', async (_, open) => {
    const env = await variables(open, '/cgi-bin/env.sh', { headers: { 'Content-Type': 'text/plain' } });
    expect(env).not.toHaveProperty('PATH_INFO');
    expect(env).not.toHaveProperty('PATH_TRANSLATED');
    expect(env).not.toHaveProperty('CONTENT_LENGTH');
    expect(env).not.toHaveProperty('CONTENT_TYPE');
    expect(env.QUERY_STRING).toBe('');
  });

  it('tells an empty body from none', async () => {
    expect((await variables(overHttp, '/cgi-bin/env.sh', { method: 'POST', body: '' })).CONTENT_LENGTH).toBe('0');
  });

  it.each(DOORS)('over %s has the bytes of a header that is no ASCII', async (_, open) => {
    const bytes = Buffer.from('grün').toString('latin1');
    const value = open === overHttp ? bytes : 'grün';
    expect((await variables(open, '/cgi-bin/env.sh', { headers: { 'X-A': value } })).HTTP_X_A).toBe('grün');
  });

  it('leaves out what came with NUL', async () => {
    const env = await variables(overFastcgi, '/cgi-bin/env.sh', { params: { REMOTE_USER: 'a\0b', HTTP_X_A: 'a\0b' } });
    expect(env.REQUEST_METHOD).toBe('GET');
    expect(env).not.toHaveProperty('REMOTE_USER');
    expect(env).not.toHaveProperty('HTTP_X_A');
  });

  it('has what the option adds, or replaces, or takes away', async () => {
    const env = { GIT_PROJECT_ROOT: '/srv/git', SERVER_SOFTWARE: 'mine', PATH: undefined };
    const seen = await variables(overFastcgi, '/cgi-bin/env.sh', { params: WEB_SERVERS }, { env });
    expect(seen).toMatchObject({ GIT_PROJECT_ROOT: '/srv/git', SERVER_SOFTWARE: 'mine' });
    expect(seen.PATH).not.toBe(process.env.PATH);
  });

  it.each(DOORS)('over %s has what the option makes of the request', async (_, open) => {
    const app = createApp();
    app.use((req, _res, next) => {
      Object.assign(req, { user: 'ann' });
      next();
    });
    app.use('/:site/bin', cgi(EXAMPLES, { env: (req: { user: string }) => ({ REMOTE_USER: req.user }) }));
    const ask = await open(app, door);
    expect(variablesOf((await ask('/a%20b/bin/env.sh')).text)).toMatchObject({
      REMOTE_USER: 'ann',
      SCRIPT_NAME: '/a b/bin/env.sh',
    });
  });

  it.each(DOORS)('over %s gives next what the option throws', async (_, open) => {
    const env = () => {
      throw Object.assign(new Error('no'), { status: 418, code: 'NO' });
    };
    const ask = await open(cgiApp(EXAMPLES, { env }).app, door);
    expect(await ask('/cgi-bin/env.sh')).toMatchObject({ status: 418, text: 'NO' });
  });

  it('is refused where the system finds it too large', async () => {
    const { app } = cgiApp(folderOf({ 'a.sh': sh() }));
    const client = await door.connect(await door.open(app, { maxParamsBytes: 1024 ** 2 }));
    const { status, text } = await client.get({ params: { REQUEST_URI: `/cgi-bin/a.sh?${'a'.repeat(200_000)}` } });
    expect([status, text]).toEqual([431, 'FCGI_ERR_PARAMS_TOO_LARGE']);
  });
});
