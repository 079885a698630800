import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { config } from '../../src/cli/config.ts';
import { PROJECT } from '../servers/build.ts';

/** What `fcgi config` prints. */
function printed(...args: string[]): string {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    config.run(args);
    return write.mock.calls.map(([text]) => text).join('');
  } finally {
    write.mockRestore();
  }
}

const example = (name: string): string => readFileSync(join(PROJECT, 'examples/hello', name), 'utf8');

/** The examples run from the folder of their socket. */
const relative = (text: string): string => text.replaceAll(`${process.cwd()}/`, '');

describe('fcgi config', () => {
  it('prints what examples/hello includes into nginx', () => {
    expect(relative(printed('nginx', '--socket', 'fcgi.sock', '--listen', '8082'))).toBe(example('site.conf'));
  });

  it('prints what examples/hello has for Caddy, below its global options', () => {
    const [, site] = /^\t?\}\n\n(.*)/ms.exec(example('Caddyfile')) ?? [];
    expect(relative(printed('caddy', '--socket', 'fcgi.sock', '--listen', '8081'))).toBe(site);
  });

  it.each([
    ['nginx', [], (path: string) => `server "unix:${path}";`],
    ['caddy', [], (path: string) => `reverse_proxy "unix/${path}" {`],
    ['caddy', ['--pages', '/srv'], (path: string) => `php_fastcgi "unix/${path}" {`],
    ['apache', [], (path: string) => `ProxyPass / "unix:${path}|fcgi://app/" `],
    ['apache', ['--pages', '/srv'], (path: string) => `SetHandler "proxy:unix:${path}|fcgi://app"`],
    ['lighttpd', [], (path: string) => `"socket" => "${path}"`],
    ['haproxy', [], (path: string) => `server app "unix@${path}" proto fcgi`],
    ['h2o', [], (path: string) => `port: "${path}"`],
  ])('writes the whole path of the socket for %s %j, and in quotes: spaces may be in it', (name, more, line) => {
    expect(printed(name, ...more)).toContain(line(join(process.cwd(), 'fcgi.sock')));
    expect(printed(name, '--socket', '/run/my app;/a.sock', ...more)).toContain(line('/run/my app;/a.sock'));
  });

  it.each(['"', "'", '$', '\\', '{', '\n', '%', '|', ':'])('refuses a socket with %j in its path', (char) => {
    const error = expect.objectContaining({ code: 'FCGI_ERR_ARGUMENT' });
    expect(() => printed('nginx', '--socket', `/run/a${char}b.sock`)).toThrow(error);
  });

  it('has the application on ./fcgi.sock and the web server on port 8080 of this machine unless told', () => {
    expect(printed('nginx')).toBe(printed('nginx', '--socket', './fcgi.sock', '--listen', '127.0.0.1:8080'));
  });

  it('has HAProxy put several requests on a connection only with --multiplex', () => {
    expect(printed('haproxy', '--multiplex')).toMatch(
      /option mpxs-conns\n.*option get-values\n.*option max-reqs 100\n/,
    );
    expect(printed('haproxy')).not.toMatch(/^ *option (mpxs-conns|get-values|max-reqs)/m);
  });

  it('has h2o start the application with --program, and otherwise connect to it', () => {
    const spawned = printed('h2o', '--program', '/usr/bin/node "/srv/an app.js"');
    expect(spawned).toContain('fastcgi.spawn: "exec /usr/bin/node \\"/srv/an app.js\\""\n');
    expect(spawned).not.toContain('fastcgi.connect');
    expect(printed('h2o')).not.toContain('fastcgi.spawn');
  });

  it.each([
    ['nginx', 'alias "/srv/my app/";'],
    ['caddy', 'root * "/srv/my app"'],
    ['apache', 'XSendFilePath "/srv/my app"'],
    ['lighttpd', '"x-sendfile-docroot" => ( "/srv/my app" )'],
  ])('has %s send the files of a folder only with --files, and says what the app needs', (name, line) => {
    const plain = printed(name);
    const withFiles = printed(name, '--files', '/srv/x/../my app/');
    expect(withFiles).toContain(line);
    expect(withFiles).toMatch(/app\.set\('offload', \{ header: '.*', root: '\/srv\/my app' \}\)/);
    expect(plain).not.toMatch(/offload|sendfile|X-Accel-Redirect/i);
  });

  it('writes the whole path of such a folder', () => {
    expect(printed('nginx', '--files', 'public')).toContain(`alias "${process.cwd()}/public/";`);
  });

  it.each(['"', "'", '$', '\\', '{', '`', '\n', '%', '?', '*', '['])('refuses a folder with %j in its path', (char) => {
    const error = expect.objectContaining({ code: 'FCGI_ERR_ARGUMENT' });
    expect(() => printed('nginx', '--files', `/srv/a${char}b`)).toThrow(error);
    expect(() => printed('nginx', '--pages', `/srv/a${char}b`)).toThrow(error);
  });

  it.each([
    ['no name', []],
    ['files for a web server that cannot be handed any', ['haproxy', '--files', '/srv']],
    ['all files that there are', ['nginx', '--files', '/']],
    ['pages for a web server that looks for no files', ['h2o', '--pages', '/srv']],
    ['all files that there are for pages', ['nginx', '--pages', '/']],
    ['a name that is none', ['constructor']],
    ['two names', ['nginx', 'caddy']],
    ['mod_fcgid without the program that it is to start', ['mod_fcgid']],
    ['a program in quotes for mod_fcgid', ['mod_fcgid', '--program', '/usr/bin/node "/srv/an app.js"']],
    ['a path to listen on', ['nginx', '--listen', './nginx.sock']],
  ])('refuses %s', (_, args) => {
    expect(() => printed(...args)).toThrow(expect.objectContaining({ code: 'FCGI_ERR_ARGUMENT' }));
  });
});
