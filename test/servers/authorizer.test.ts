import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exchange } from './client.ts';
import { installPackage, installProgram } from './installed.ts';
import { describeWith, freePort, Program } from './program.ts';

/** The program of docs/authorizer.md, as it stands there. */
const [, PROGRAM] = /```js\n(.*?)```/s.exec(
  readFileSync(new URL('../../docs/authorizer.md', import.meta.url), 'utf8'),
)!;

/** What is protected: a CGI script that tells its environment. */
const SCRIPT = `#!/bin/sh
printf 'Content-Type: text/plain\\n\\n'
env
`;

function install(): { folder: string; authorizer: string; script: string } {
  const folder = installPackage();
  const authorizer = installProgram(folder, 'authorizer.mjs', PROGRAM);
  mkdirSync(join(folder, 'www/private'), { recursive: true });
  const script = join(folder, 'www/private/env.sh');
  writeFileSync(script, SCRIPT);
  chmodSync(script, 0o755);
  return { folder, authorizer, script };
}

const basic = (password: string): [string, string] => [
  'Authorization',
  `Basic ${Buffer.from(`ann:${password}`).toString('base64')}`,
];

describeWith('apache', 'an authorizer behind mod_fcgid', () => {
  let program: Program;
  let port: number;

  beforeAll(async () => {
    const { folder, authorizer, script } = install();
    port = await freePort();
    const modules = ['mpm_event', 'authn_core', 'authn_file', 'authz_core', 'authz_user', 'auth_basic', 'alias'];
    writeFileSync(
      join(folder, 'apache.conf'),
      `
${[...modules, 'cgid', 'fcgid'].map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')}
User www-data
Group www-data
ServerName localhost
DefaultRuntimeDir ${folder}
PidFile apache.pid
Mutex pthread
ErrorLog "|/bin/cat"
ScriptSock ${folder}/cgid.sock
FcgidIPCDir ${folder}/fcgid
FcgidProcessTableFile ${folder}/fcgid-table
Listen 127.0.0.1:${port}
<Directory ${folder}/www/private>
  Options +ExecCGI
  Require all granted
</Directory>
ScriptAlias /private ${script}
ScriptAlias /checked ${script}
<Location /private>
  AuthType Basic
  AuthName Members
  AuthBasicAuthoritative Off
  FcgidAuthenticator ${authorizer}
  FcgidAuthorizer ${authorizer}
  FcgidAuthorizerAuthoritative On
  Require valid-user
</Location>
<Location /checked>
  FcgidAccessChecker ${authorizer}
</Location>
`,
    );
    mkdirSync(join(folder, 'fcgid'));
    chmodSync(join(folder, 'fcgid'), 0o777);
    program = new Program('apache2', ['-d', folder, '-f', 'apache.conf', '-D', 'FOREGROUND'], folder);
    await program.accepts(port);
  });
  afterAll(() => program.stop());

  it('lets in who has the password, with the variables of both answers', async () => {
    const { status, body } = await exchange(port, { path: '/private/x', headers: [basic('secret')] });
    expect(status).toBe(200);
    expect(body).toContain('GROUP=staff\n');
    expect(body).toContain('CHECKED_AS=AUTHORIZER\n');
  });

  it('refuses who has not', async () => {
    expect((await exchange(port, { path: '/private/x', headers: [basic('wrong')] })).status).toBe(401);
    expect((await exchange(port, { path: '/private/x' })).status).toBe(401);
  });

  it('refuses what the authorizer denies, by a page of its own', async () => {
    const { status, body } = await exchange(port, { path: '/private/closed', headers: [basic('secret')] });
    expect(status).toBe(401);
    expect(body).not.toContain('Not for you');
    await expect.poll(() => program.output).toContain('script returned status 403');
  });

  it('checks access without a password', async () => {
    const { status, body } = await exchange(port, { path: '/checked/x' });
    expect([status, body]).toEqual([200, expect.stringContaining('CHECKED_AS=ACCESS_CHECKER\n')]);
    expect((await exchange(port, { path: '/checked/closed' })).status).toBe(401);
  });

  it('gives the variables to the client as well', async () => {
    const { headers } = await exchange(port, { path: '/checked/x' });
    expect(headers['variable-checked_as']).toEqual(['ACCESS_CHECKER']);
  });
});

describeWith('lighttpd', 'an authorizer behind lighttpd', () => {
  let program: Program;
  let port: number;

  beforeAll(async () => {
    const { folder, authorizer } = install();
    port = await freePort();
    writeFileSync(
      join(folder, 'lighttpd.conf'),
      `
server.document-root = "${folder}/www"
server.bind = "127.0.0.1"
server.port = ${port}
server.modules = ("mod_fastcgi", "mod_cgi")
cgi.assign = (".sh" => "")
fastcgi.server = ("/private/" => ((
  "socket" => "${folder}/authorizer.sock",
  "bin-path" => "${authorizer}",
  "max-procs" => 1,
  "mode" => "authorizer",
  "docroot" => "${folder}/www",
  "check-local" => "disable"
)))
`,
    );
    program = new Program('lighttpd', ['-D', '-f', join(folder, 'lighttpd.conf')], folder);
    await program.accepts(port);
  });
  afterAll(() => program.stop());

  it('lets in what it allows, with its variables, which the client does not see', async () => {
    const { status, headers, body } = await exchange(port, { path: '/private/env.sh' });
    expect([status, body]).toEqual([200, expect.stringContaining('CHECKED_AS=AUTHORIZER\n')]);
    expect(Object.keys(headers).join()).not.toContain('variable');
  });

  it('passes on the page of a denial', async () => {
    const { status, body } = await exchange(port, { path: '/private/closed' });
    expect([status, body]).toEqual([403, '<h1>Not for you</h1>']);
  });
});
