import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { proxy as handOver } from '../../../src/middleware/index.ts';
import { application } from '../../adapters/client/application.ts';
import type { HostileRow, HostileSubject } from './subject.ts';

const SECRET = 'secret';

/** Everything has a content; whatever says `secret` must not be seen. */
export const proxy: HostileSubject = {
  title: 'PHP behind proxy',
  about:
    '`/site` is a folder of PHP, `proxy(address, { root })`, with uploads and with links to outside; its `admin` is guarded. What ' +
    'the application is to run it tells, with PATH_INFO; its index.php answers for whatever is neither a script nor a file. ' +
    'To X-File it answers with X-Sendfile, to X-Url with X-Accel-Redirect.',
  async mount(app, folder) {
    const root = join(folder, 'root');
    for (const name of ['root/uploads', 'root/admin', 'root/.git', 'root-2']) {
      mkdirSync(join(folder, name), { recursive: true });
    }
    const scripts = ['index.php', 'page.php', 'admin/index.php', 'uploads/image.jpg', 'uploads/image.php.jpg'];
    const sources = ['page.php.bak', 'page.php~', 'page.phps', 'page.PHP', '.env', '.git/config', '.page.php'];
    for (const name of [...scripts, ...sources]) writeFileSync(join(root, name), SECRET);
    writeFileSync(join(root, 'style.css'), 'public');
    writeFileSync(join(folder, 'secret.php'), SECRET);
    writeFileSync(join(folder, 'root-2/secret.php'), SECRET);
    symlinkSync('../secret.php', join(root, 'link.php'));
    symlinkSync('../root-2', join(root, 'link'));
    symlinkSync('uploads/image.jpg', join(root, 'image.php'));
    symlinkSync('page.php', join(root, 'page.txt'));

    const backend = await application((request) => {
      const { SCRIPT_NAME, PATH_INFO, HTTP_X_FILE, HTTP_X_URL, HTTP_PROXY, PHP_VALUE } = request.params;
      const setting = HTTP_PROXY ?? PHP_VALUE;
      if (HTTP_X_FILE !== undefined) request.stdout(`X-Sendfile: ${HTTP_X_FILE}\r\n\r\n`).end();
      else if (HTTP_X_URL !== undefined) request.stdout(`X-Accel-Redirect: ${HTTP_X_URL}\r\n\r\n`).end();
      else request.answer([SCRIPT_NAME, PATH_INFO, setting].join(' ').trimEnd());
    });
    app.use('/site/admin', (_req, res) => res.sendStatus(401));
    app.use('/site', handOver(backend.address, { root }));
  },
  rows: [
    row('an upload that is run by a script behind it', '/uploads/image.jpg/x.php', '200 /site/index.php'),
    row('an upload with an extension before its own', '/uploads/image.php.jpg', '200 /site/index.php'),
    row('an upload by a link that is named as a script', '/image.php', '200 /site/index.php'),
    row('a script in the way of another', '/page.php/admin/index.php', '200 /site/page.php /admin/index.php'),
    row('a NUL before the extension', '/uploads/image.jpg%00.php', '400 FCGI_ERR_FILE_PATH'),
    row('a line break before the extension', '/uploads/image.jpg%0a.php', '200 /site/index.php'),
    row('a script outside, by the way up', '/../secret.php', '200 /site/index.php'),
    row('a script outside, by an encoded way up', '/%2e%2e/secret.php', '200 /site/index.php'),
    row('a script outside, its slash encoded', '/..%2fsecret.php', '200 /site/index.php'),
    row('a script outside, by backslashes', '/..\\secret.php', '200 /site/index.php'),
    row('a script outside, by way of a script', '/page.php/../../secret.php', '200 /site/index.php'),
    row('a script outside, by a symbolic link', '/link.php', '200 /site/index.php'),
    row('a script outside, by a link to a folder', '/link/secret.php', '200 /site/index.php'),
    row('a script in a folder whose name begins as the root', '/../root-2/secret.php', '200 /site/index.php'),
    row('a PATH_INFO that leads up', '/page.php/../../etc/passwd', '200 /site/index.php'),
    row('a PATH_INFO that leads up, encoded', '/page.php/..%2f..%2fetc/passwd', '200 /site/index.php'),
    row('a PATH_INFO that leads up, by backslashes', '/page.php/..%5c..%5cboot.ini', '200 /site/index.php'),
    row('the source, by another case', '/page.PHP', '200 /site/index.php'),
    row('the source, by a letter that is encoded', '/page.%70hp', '200 /site/index.php'),
    row('the source, of a copy that an editor keeps', '/page.php~', '200 /site/index.php'),
    row('the source, of a copy that somebody has made', '/page.php.bak', '200 /site/index.php'),
    row('the source, as PHP shows it', '/page.phps', '200 /site/index.php'),
    row('the source, by a symbolic link', '/page.txt', '200 /site/index.php'),
    row('the source, by a dot that Windows drops', '/page.php.', '200 /site/index.php'),
    row('the source, by a stream of Windows', '/page.php::$DATA', '200 /site/index.php'),
    row('the source, by a space at the end', '/page.php%20', '200 /site/index.php'),
    row('a hidden file', '/.env', '200 /site/index.php'),
    row('a hidden folder', '/.git/config', '200 /site/index.php'),
    row('a hidden script', '/.page.php', '200 /site/index.php'),
    row('the guarded folder, a letter of it encoded', '/%61dmin/index.php', '200 /site/index.php'),
    row('the guarded folder, behind two slashes', '//admin/index.php', '200 /site/index.php'),
    row('the guarded folder, by way of another', '/uploads/../admin/index.php', '200 /site/index.php'),
    row('the guarded folder, its slash encoded', '/admin%2findex.php', '200 /site/index.php'),
    row('a name longer than any', `/${'a'.repeat(5000)}.php`, '200 /site/index.php'),
    row('more slashes than any', `${'/x.php'.repeat(2000)}`, '200 /site/index.php'),
    told('a header that passes for a proxy', { Proxy: 'http://evil.test' }, '200 /site/page.php'),
    {
      attack: 'a parameter of the web server’s that sets PHP’s own settings',
      request: { path: '/site/page.php', params: { PHP_VALUE: 'auto_prepend_file=/etc/passwd' } },
      answer: '200 /site/page.php',
    },
    told('an application that names a file outside', { 'X-File': '/etc/passwd' }, '500 FCGI_ERR_PROXY_FILE'),
    told('the same, by the way up', { 'X-File': '../secret.php' }, '500 FCGI_ERR_PROXY_FILE'),
    told('the same, by a link', { 'X-File': 'link/secret.php' }, '500 FCGI_ERR_PROXY_FILE'),
    told('the same, by a URL', { 'X-Url': '/%2e%2e/secret.php' }, '500 FCGI_ERR_PROXY_FILE'),
    told('an application that names a source', { 'X-Url': '/page.php' }, '500 FCGI_ERR_PROXY_FILE'),
  ],
};

function row(attack: string, path: string, answer: string): HostileRow {
  return { attack, request: { path: `/site${path}` }, answer };
}

function told(attack: string, headers: Record<string, string>, answer: string): HostileRow {
  return { attack, request: { path: '/site/page.php', headers }, answer };
}
