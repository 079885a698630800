import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { files as serveFiles } from '../../../src/middleware/index.ts';
import type { HostileRow, HostileSubject } from './subject.ts';

const SECRET = 'secret';

/** Everything has a content; whatever says `secret` must not be seen. */
export const files: HostileSubject = {
  title: 'Files',
  about:
    '`/static` has the files of a folder, `files(root)`, which has links to outside; `/sure` the same without `fallthrough`. ' +
    '`/admin` is guarded. `/send?` gives what follows to `res.sendFile` with a `root`, `/save?` gives `res.download` a file and the name.',
  mount(app, folder) {
    const root = join(folder, 'root');
    for (const name of ['docs', '.git', 'admin']) mkdirSync(join(root, name), { recursive: true });
    mkdirSync(join(folder, 'root-2'));
    writeFileSync(join(root, 'a.txt'), 'public');
    writeFileSync(join(root, 'docs/index.html'), 'docs');
    for (const name of ['root/.env', 'root/.git/config', 'root/admin/a.txt', 'secret.txt', 'root-2/secret.txt']) {
      writeFileSync(join(folder, name), SECRET);
    }
    symlinkSync('../secret.txt', join(root, 'link.txt'));
    symlinkSync('../root-2', join(root, 'link'));
    symlinkSync('/dev/zero', join(root, 'zero'));

    app.use('/admin', (_req, res) => res.sendStatus(401));
    app.use('/static', serveFiles(root));
    app.use('/sure', serveFiles(root, { fallthrough: false }));
    app.get('/send', (req, res) => res.sendFile(decodeURIComponent(req.url!.slice('/send?'.length)), { root }));
    app.get('/save', (req, res) => {
      res.download(join(root, 'a.txt'), decodeURIComponent(req.url!.slice('/save?'.length)), () => {});
    });
    app.use(serveFiles(root));
    app.use((_req, res) => res.status(404).send('not found'));
  },
  rows: [
    row('the way out, as it is', '/static/../secret.txt', '404 not found'),
    row('the way out, encoded', '/static/%2e%2e/secret.txt', '404 not found'),
    row('the way out, half of it encoded', '/static/.%2E/secret.txt', '404 not found'),
    row('the way out, with its slash encoded', '/static/..%2fsecret.txt', '404 not found'),
    row('the way out, encoded twice', '/static/%252e%252e%252fsecret.txt', '404 not found'),
    row('the way out, by backslashes', '/static/..\\secret.txt', '404 not found'),
    row('the way out, by encoded backslashes', '/static/..%5c..%5csecret.txt', '404 not found'),
    row('the way out, in overlong UTF-8', '/static/%c0%ae%c0%ae/secret.txt', '404 not found'),
    row('the way out, in full-width characters', '/static/%EF%BC%8E%EF%BC%8E/secret.txt', '404 not found'),
    row('the way out, in and back', '/static/docs/../../secret.txt', '404 not found'),
    row('the way out, more dots than two', '/static/.../secret.txt', '404 not found'),
    row('the way out, with a parameter as some servers know it', '/static/..;/secret.txt', '404 not found'),
    row('the way into a folder whose name begins as the root', '/static/../root-2/secret.txt', '404 not found'),
    row('an absolute path', '/static//etc/passwd', '404 not found'),
    row('an absolute path, its slash encoded', '/static/%2fetc/passwd', '404 not found'),
    row('a path that begins anew with a URL', '/static/file:///etc/passwd', '404 not found'),
    row('a NUL before an innocent extension', '/static/.env%00.txt', '400 FCGI_ERR_FILE_PATH'),
    row('a symbolic link to a file outside', '/static/link.txt', '404 not found'),
    row('a symbolic link to a folder outside', '/static/link/secret.txt', '404 not found'),
    row('a symbolic link to a device without end', '/static/zero', '404 not found'),
    row('a hidden file', '/static/.env', '404 not found'),
    row('a hidden folder, its dot encoded', '/static/%2egit/config', '404 not found'),
    row('a hidden folder, by its short name on Windows', '/static/GIT~1/config', '404 not found'),
    row('a drive of Windows', '/static/C:/Windows/win.ini', '404 not found'),
    row('a stream of data of Windows', '/static/a.txt::$DATA', '404 not found'),
    row('a dot at the end, which Windows drops', '/static/a.txt.', '404 not found'),
    row('a space at the end, which Windows drops', '/static/a.txt%20', '404 not found'),
    row('a device of Windows', '/static/con', '404 not found'),
    row('a device of Windows with an extension', '/sure/LPT1.txt', '400 FCGI_ERR_FILE_PATH'),
    row('a guarded folder, a letter of it encoded', '/%61dmin/a.txt', '404 not found'),
    row('a guarded folder, behind two slashes', '//admin/a.txt', '404 not found'),
    row('a guarded folder, by way of another', '/docs/../admin/a.txt', '404 not found'),
    row('a redirect to another host', '//other.test/..%2f..', '404 not found'),
    row('a redirect to another host, by a backslash', '/\\other.test/docs', '404 not found'),
    row(
      'a redirect with a line break in the query',
      '/static/docs?%0d%0aX-Injected:yes',
      '301 Location: /static/docs/?%0d%0aX-Injected:yes',
    ),
    row('a name longer than any', `/static/${'a'.repeat(5000)}`, '404 not found'),
    row('the way out, of a handler that sends what it is told', '/send?../secret.txt', '403 ForbiddenError'),
    row('the same, in and back', '/send?docs/../../secret.txt', '403 ForbiddenError'),
    row('the same, with a NUL', '/send?a.txt%00', '400 BadRequestError'),
    row('the same, a hidden file', '/send?.env', '404 NotFoundError'),
    ranged('ranges that are many and overlap', `bytes=${'0-,'.repeat(500)}0-`, '206 public'),
    ranged('a range beyond all numbers', 'bytes=99999999999999999999999999-', '416 RangeNotSatisfiableError'),
    ranged('a range that ends before it begins', 'bytes=5-2', '416 RangeNotSatisfiableError'),
    saved(
      'a name of two lines',
      'a\r\nX-Injected: yes',
      `"a??X-Injected: yes"; filename*=UTF-8''a%0D%0AX-Injected%3A%20yes`,
    ),
    saved('a name that ends its quotes', 'a.txt"; filename="b.exe', '"a.txt\\"; filename=\\"b.exe"'),
    saved('a name with a path', '../../etc/cron.d/job', 'job'),
    saved('a name with a NUL', 'a.exe\0.txt', `"a.exe?.txt"; filename*=UTF-8''a.exe%00.txt`),
    saved(
      'a name whose low bytes are a line break',
      '\u560d\u560aX-Injected: yes',
      `"??X-Injected: yes"; filename*=UTF-8''%E5%98%8D%E5%98%8AX-Injected%3A%20yes`,
    ),
  ],
};

function row(attack: string, path: string, answer: string): HostileRow {
  return { attack, request: { path }, answer };
}

function ranged(attack: string, range: string, answer: string): HostileRow {
  return { attack, request: { path: '/static/a.txt', headers: { Range: range } }, answer };
}

function saved(attack: string, name: string, filename: string): HostileRow {
  const disposition = `Content-Disposition: attachment; filename=${filename}`;
  return row(`saved under ${attack}`, `/save?${encodeURIComponent(name)}`, `200 ${disposition}`);
}
