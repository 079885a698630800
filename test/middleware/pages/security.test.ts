import { linkSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createApp, type ErrorHandler } from '../../../src/index.ts';
import { json, type PagesOptions, pages, urlencoded } from '../../../src/middleware/index.ts';
import { Door } from '../../adapters/fastcgi/client.ts';
import { type Ask, DOORS, type TestRequest } from '../doors.ts';
import { makeSite } from './site.ts';

const door = new Door();
afterEach(() => door.close());

/** Says that it ran; whoever gets the first word has got its source. */
const page = (name: string) => `<? /* source */ ?>ran ${name}`;

const ECHO = '<? /* source */ ?><?- JSON.stringify($_SERVER.PATH_INFO ?? null) ?>';

let folder: string;
let root: string;

beforeEach(() => {
  folder = makeSite({
    'outside.jhtml': page('outside'),
    'outside.txt': 'source',
    'outside/page.jhtml': page('outside'),
    'site-b/page.jhtml': page('outside'),
    'site/about.jhtml': page('about'),
    'site/info.jhtml': ECHO,
    'site/_inc.jhtml': page('_inc'),
    'site/_private/page.jhtml': page('_private'),
    'site/.hidden.jhtml': page('.hidden'),
    'site/.git/page.jhtml': page('.git'),
    'site/.git/config': 'source',
    'site/.env': 'source',
    'site/_app.js': 'source',
    'site/404.jhtml': page('404'),
    'site/500.jhtml': page('500'),
    'site/users/[id].jhtml': page('user <?= req.params.id ?>'),
    'site/image.jpg': 'an image <? /* source */ ?>ran image',
    'site/folder.jhtml/page.txt': 'source',
    'site/style.css': 'style',
    // What editors and unpackers leave behind.
    'site/about.JHTML': page('about.JHTML'),
    'site/about.jhtml.bak': page('bak'),
    'site/about.jhtml~': page('tilde'),
    'site/about.jhtml ': page('space'),
    'site/about.jhtml.': page('dot'),
    'site/#about.jhtml#': page('emacs'),
    'site/about.jHtMl.swp': page('swp'),
  });
  root = join(folder, 'site');
});

/** Asks a site; what a page fails with is answered with its code. */
function serve(open: (typeof DOORS)[number][1], options: PagesOptions = {}): Promise<Ask> {
  const app = createApp({ env: 'test' });
  app.use(json(), urlencoded({ extended: true }));
  app.use(pages(root, { revalidate: 0, ...options }));
  const onError: ErrorHandler = (error, _req, res, _next) => {
    const { code = '', status = 500 } = error as { code?: string; status?: number };
    res.status(status).send(code);
  };
  app.use(onError);
  return open(app, door);
}

/** The status, and `ran about` where it is a page's. */
async function told(ask: Ask, path: string, request?: TestRequest): Promise<string> {
  const { status, text } = await ask(path, request);
  expect(text).not.toContain('source');
  return `${status} ${text}`.trimEnd();
}

const NOTHING = '404 ran 404';

describe('SCRIPT_FILENAME', () => {
  const [, overFastcgi] = DOORS[1]!;

  /** What is answered to a URL that is no page's by itself. */
  async function scripted(file: string, params: Record<string, string> = {}, path = '/none'): Promise<string> {
    return told(await serve(overFastcgi), path, { params: { SCRIPT_FILENAME: file, DOCUMENT_ROOT: root, ...params } });
  }

  it('names a page, whatever the URL', async () => {
    expect(await scripted(`${root}/about.jhtml`)).toBe('200 ran about');
    expect(await scripted(`proxy:fcgi://127.0.0.1:9000${root}/about.jhtml`)).toBe('200 ran about');
  });

  it.each([
    ['CVE-2019-11043: a newline in PATH_INFO', '/info.jhtml/\n/x', '200 "/\\n/x"'],
    ['CVE-2019-11043: a newline at its end', '/info.jhtml/\n', '200 "/\\n"'],
    ['CVE-2019-11043: a newline in the name', '/info.jhtml\n', NOTHING],
    ['CVE-2019-11043: a newline before the name', '/\ninfo.jhtml', NOTHING],
    ['cgi.fix_pathinfo: a page that is not there, below an image', '/image.jpg/x.jhtml', NOTHING],
    ['cgi.fix_pathinfo: an image below a page', '/about.jhtml/image.jpg', '200 ran about'],
    ['cgi.fix_pathinfo: a page below a page', '/info.jhtml/about.jhtml', '200 "/about.jhtml"'],
    ['cgi.fix_pathinfo: a page that is not there, below a folder', '/users/x.jhtml/y', NOTHING],
    ['cgi.fix_pathinfo: an image', '/image.jpg', NOTHING],
    ['GHSA-3g8v-8r37-cgjm: a fullwidth dot', '/about．jhtml', NOTHING],
    ['GHSA-3g8v-8r37-cgjm: fullwidth letters', '/about.ｊｈｔｍｌ', NOTHING],
    ['GHSA-3g8v-8r37-cgjm: fullwidth letters, and a page behind', '/image.jpg.ｊｈｔｍｌ/about.jhtml', NOTHING],
    ['GHSA-v4h7-cj44-8fc8: what grows when its case is folded', '/İİİİ.jhtml.txt/about.jhtml', NOTHING],
    ['GHSA-v4h7-cj44-8fc8: another case', '/about.JHTML', NOTHING],
    ['GHSA-v4h7-cj44-8fc8: another case, before a path', '/about.JHTML/x.jhtml', NOTHING],
    ['a NUL', '/about.jhtml\0.png', NOTHING],
    ['a NUL in what follows', '/about.jhtml/\0', NOTHING],
    ['.. out of the root', '/../outside.jhtml', NOTHING],
    ['.. out of the root and back', '/../site/about.jhtml', '200 ran about'],
    ['.. into a folder whose name begins as the root', '/../site-b/page.jhtml', NOTHING],
    ['.. behind a page', '/info.jhtml/../../outside.jhtml', '200 "/../../outside.jhtml"'],
    ['.. behind what is no folder', '/image.jpg/../about.jhtml', NOTHING],
    ['.. percent-encoded', '/%2e%2e/outside.jhtml', NOTHING],
    ['a name percent-encoded', '/about%2ejhtml', NOTHING],
    ['a backslash', '/..\\outside.jhtml', NOTHING],
    ['//', '//about.jhtml', '200 ran about'],
    ['/./', '/./about.jhtml', '200 ran about'],
    ['a slash at its end', '/info.jhtml/', '200 "/"'],
    ['two slashes behind', '/info.jhtml//x', '200 "//x"'],
    ['a folder', '/users/', NOTHING],
    ['a folder with a page’s name', '/folder.jhtml', NOTHING],
    ['a file in a folder with a page’s name', '/folder.jhtml/page.txt', NOTHING],
    ['an extension alone', '/.jhtml', NOTHING],
    ['_', '/_inc.jhtml', NOTHING],
    ['a folder with _', '/_private/page.jhtml', NOTHING],
    ['_ behind a page', '/info.jhtml/_x/.y', '200 "/_x/.y"'],
    ['a dot', '/.hidden.jhtml', NOTHING],
    ['a folder with a dot', '/.git/page.jhtml', NOTHING],
    ['404.jhtml', '/404.jhtml', NOTHING],
    ['500.jhtml', '/500.jhtml', NOTHING],
    ['a parameter, as it is written', '/users/[id].jhtml', NOTHING],
    ['a backup', '/about.jhtml.bak', NOTHING],
    ['a backup, and a page behind', '/about.jhtml.bak/about.jhtml', NOTHING],
    ['an editor’s backup', '/about.jhtml~', NOTHING],
    ['a space at its end', '/about.jhtml ', NOTHING],
    ['a dot at its end', '/about.jhtml.', NOTHING],
    ['a stream of data', '/about.jhtml::$DATA', NOTHING],
    ['a name that is too long', `/${'a'.repeat(300)}.jhtml`, NOTHING],
    ['a path that is too long', `/${'a/'.repeat(3000)}x.jhtml`, NOTHING],
    ['more than 4096 characters behind a page', `/info.jhtml/${'a'.repeat(5000)}`, NOTHING],
  ])('%s', async (_what, path, answer) => {
    expect(await scripted(root + path)).toBe(answer);
  });

  it.each([
    ['another folder', () => `${folder}/outside.jhtml`],
    ['a folder whose name begins as the root', () => `${root}-b/page.jhtml`],
    ['a relative path', () => 'site/about.jhtml'],
    ['a path from the working directory', () => './about.jhtml'],
    ['nothing', () => ''],
    ['a name alone', () => '.jhtml'],
    ['a URL', () => `file://${root}/about.jhtml`],
    ["Apache's form, twice", () => `proxy:fcgi://a/proxy:fcgi://a${root}/about.jhtml`],
  ])('of %s is not looked at: the URL names the page', async (_what, file) => {
    expect(await scripted(file())).toBe(NOTHING);
    expect(await scripted(file(), {}, '/about')).toBe('200 ran about');
  });

  it('of a page that is not there is not made up for by the URL', async () => {
    expect(await scripted(`${root}/none.jhtml`, {}, '/about')).toBe(NOTHING);
  });

  it('leads nowhere by a symbolic link out of the root, of a file or a folder, or to what is no page', async () => {
    symlinkSync(join(folder, 'outside.jhtml'), join(root, 'file.jhtml'));
    symlinkSync(join(folder, 'outside'), join(root, 'linked'));
    symlinkSync(join(root, 'image.jpg'), join(root, 'image.jhtml'));
    symlinkSync(join(root, '_inc.jhtml'), join(root, 'shown.jhtml'));
    symlinkSync('none.jhtml', join(root, 'dangling.jhtml'));
    symlinkSync('loop.jhtml', join(root, 'loop.jhtml'));
    for (const path of [
      'file.jhtml',
      'linked/page.jhtml',
      'image.jhtml',
      'shown.jhtml',
      'dangling.jhtml',
      'loop.jhtml',
    ]) {
      expect(await scripted(`${root}/${path}`), path).toBe(NOTHING);
    }
  });

  it('may lead to the root by a symbolic link', async () => {
    symlinkSync(root, join(folder, 'www'));
    expect(await scripted(`${folder}/www/about.jhtml`)).toBe('200 ran about');
  });

  it.each(['PHP_VALUE', 'PHP_ADMIN_VALUE', 'PHP_ADMIN_FLAG'])('beside %s, which sets nothing', async (name) => {
    const value = `auto_prepend_file=${folder}/outside.jhtml\ndisplay_errors=1\nextension=x`;
    expect(await scripted(`${root}/about.jhtml`, { [name]: value })).toBe('200 ran about');
  });

  it('is found at once, however long the path behind it', async () => {
    const deep = `${root}/info.jhtml${'/x.jhtml'.repeat(400)}`;
    expect(await scripted(deep)).toBe(`200 ${JSON.stringify('/x.jhtml'.repeat(400))}`);
  });
});

describe.each(DOORS)('the URL over %s', (_name, open) => {
  it.each([
    ['CVE-2019-11043: a newline in PATH_INFO', '/info.jhtml/%0a/x', '200 "/\\n/x"'],
    ['CVE-2019-11043: a newline in the name', '/info.jhtml%0a', NOTHING],
    ['cgi.fix_pathinfo: a page below an image', '/image.jpg/x.jhtml', NOTHING],
    ['GHSA-3g8v-8r37-cgjm: a fullwidth dot', '/about%EF%BC%8Ejhtml', NOTHING],
    ['GHSA-3g8v-8r37-cgjm: an overlong dot', '/about%C0%AEjhtml', NOTHING],
    ['GHSA-v4h7-cj44-8fc8: another case', '/about.JHTML', NOTHING],
    ['a NUL', '/about.jhtml%00.png', NOTHING],
    ['a NUL behind a page', '/about.jhtml/%00', NOTHING],
    ['a NUL in a file', '/style.css%00', NOTHING],
    ['..', '/users/../about', NOTHING],
    ['.. out of the root', '/../outside', NOTHING],
    ['.. percent-encoded', '/%2e%2e/outside', NOTHING],
    ['.. percent-encoded twice', '/%252e%252e/outside', NOTHING],
    ['a slash percent-encoded', '/..%2foutside', NOTHING],
    ['a backslash', '/..%5coutside', NOTHING],
    ['an absolute path', '//etc/passwd', NOTHING],
    ['_', '/_inc', NOTHING],
    ['_ with the extension', '/_inc.jhtml', NOTHING],
    ['_ percent-encoded', '/%5finc.jhtml', NOTHING],
    ['_ of a folder', '/_private/page', NOTHING],
    ['_ of a module', '/_app.js', NOTHING],
    ['a dot', '/.hidden', NOTHING],
    ['a dot of a file', '/.env', NOTHING],
    ['a dot percent-encoded', '/%2eenv', NOTHING],
    ['a dot of a folder', '/.git/config', NOTHING],
    ['_ behind a page', '/info.jhtml/_x/.y', '200 "/_x/.y"'],
    ['404', '/404', NOTHING],
    ['404.jhtml', '/404.jhtml', NOTHING],
    ['500', '/500', NOTHING],
    ['500.jhtml', '/500.jhtml', NOTHING],
    ['a parameter, as it is written', '/users/%5Bid%5D', NOTHING],
    ['a parameter, as it is written, with the extension', '/users/[id].jhtml', NOTHING],
    ['a parameter with what looks like one', '/users/a%5Bid%5D', '200 ran user a[id]'],
    ['a backup', '/about.jhtml.bak', NOTHING],
    ["an editor's backup", '/about.jhtml~', NOTHING],
    ["an editor's lock", '/%23about.jhtml%23', NOTHING],
    ["an editor's swap", '/about.jHtMl.swp', NOTHING],
    ['a space at its end', '/about.jhtml%20', NOTHING],
    ['a dot at its end', '/about.jhtml.', NOTHING],
    ['a stream of data', '/about.jhtml::$DATA', NOTHING],
    ['a drive', '/C:/about.jhtml', NOTHING],
    ['a device', '/NUL', NOTHING],
    ['a short name', '/ABOUT~1.JHT', NOTHING],
    ['a folder with a page’s name', '/folder.jhtml/', NOTHING],
    ['a file in a folder with a page’s name', '/folder.jhtml/page.txt', NOTHING],
    ['a name that is too long', `/${'a'.repeat(300)}`, NOTHING],
    ['a path that is too long', `/${'a/'.repeat(3000)}`, NOTHING],
    ['what is no percent-encoding', '/about%', NOTHING],
    ['no path', '*', NOTHING],
    ['a file beside the pages', '/style.css', '200 style'],
  ])('%s', async (_what, path, answer) => {
    const method = path === '*' ? 'OPTIONS' : 'GET';
    expect(await told(await serve(open), path, { method })).toBe(answer);
  });

  it('leads nowhere by a symbolic link out of the root, to what is no page, or from there to a page', async () => {
    symlinkSync(join(folder, 'outside.jhtml'), join(root, 'file.jhtml'));
    symlinkSync(join(folder, 'outside.txt'), join(root, 'file.txt'));
    symlinkSync(join(folder, 'outside'), join(root, 'linked'));
    symlinkSync(join(root, 'image.jpg'), join(root, 'image.jhtml'));
    symlinkSync(join(root, '_inc.jhtml'), join(root, 'shown.jhtml'));
    symlinkSync(join(root, 'about.jhtml'), join(root, 'about.txt'));
    symlinkSync(join(root, '.env'), join(root, 'env.txt'));
    mkdirSync(join(root, 'listed'));
    symlinkSync(join(root, 'about.jhtml'), join(root, 'listed/index.html'));
    const ask = await serve(open);
    for (const path of ['file', 'file.jhtml', 'file.txt', 'linked/page', 'linked/page.jhtml', 'linked/', 'image']) {
      expect(await told(ask, `/${path}`), path).toBe(NOTHING);
    }
    for (const path of ['image.jhtml', 'shown', 'shown.jhtml', 'about.txt', 'env.txt', 'listed/']) {
      expect(await told(ask, `/${path}`), path).toBe(NOTHING);
    }
  });

  it('may lead to a page by a symbolic link within the root, or by another name of the same file', async () => {
    symlinkSync(join(root, 'about.jhtml'), join(root, 'link.jhtml'));
    linkSync(join(root, 'about.jhtml'), join(root, 'hard.jhtml'));
    const ask = await serve(open);
    expect(await told(ask, '/link')).toBe('200 ran about');
    expect(await told(ask, '/hard')).toBe('200 ran about');
  });

  it('is redirected to another host by no folder', async () => {
    mkdirSync(join(root, 'evil.test'));
    const ask = await serve(open);
    for (const path of ['//evil.test', '/%2fevil.test', '/%5cevil.test', '/users/..//evil.test']) {
      expect((await ask(path)).headers.location, path).toBeUndefined();
    }
  });
});

describe.each(DOORS)('a guard of a path over %s', (_name, open) => {
  it.each([
    ['as it is', '/users/7', 403],
    ['in another case', '/USERS/7', 403],
    ['with two slashes', '//users/7', 404],
    ['with two slashes within', '/image.jpg//../users/7', 404],
    ['by ..', '/x/../users/7', 404],
    ['by .', '/./users/7', 404],
    ['with an encoded letter', '/%75sers/7', 404],
    ['with an encoded slash', '/users%2f7', 404],
    ['with a backslash', '/users%5c7', 404],
    ['behind what looks as a page', '/x.jhtml/../users/7', 404],
  ])('is not got past by the path %s', async (_what, path, status) => {
    const app = createApp({ env: 'test' });
    app.use('/users', (_req, res) => res.status(403).send('guarded'));
    app.use(pages(makeSite({ 'users/[id].jhtml': 'user', 'users/7.jhtml': 'user' }), { revalidate: 0 }));
    const ask = await open(app, door);
    expect((await ask(path)).status).toBe(status);
  });

  it('is not got past by SCRIPT_FILENAME, which web servers make of any such path', async () => {
    if (_name === 'HTTP') return;
    root = makeSite({ 'admin/page.jhtml': 'for admins', 'x.jhtml': '' });
    const params = { SCRIPT_FILENAME: `${root}/admin/page.jhtml` };
    const ask = await serve(open);
    for (const path of [
      '//admin/page.jhtml',
      '/x/../admin/page.jhtml',
      '/x.jhtml/%2E./admin/page.jhtml',
      '/%61dmin/page.jhtml',
      '/admin%2fpage.jhtml',
    ]) {
      expect((await ask(path, { params })).status, path).toBe(404);
    }
    expect((await ask('/rewritten', { params })).status).toBe(200);
  });
});

describe.each(DOORS)('a page over %s', (_name, open) => {
  /** The answer of a page `x.jhtml`. */
  async function answer(text: string, request?: TestRequest, path = '/x', files: Record<string, string> = {}) {
    root = makeSite({ 'x.jhtml': text, ...files });
    return (await serve(open))(path, request);
  }
  const textOf = async (...args: Parameters<typeof answer>) => (await answer(...args)).text;

  it.each([
    ['out of the root', '../outside.jhtml'],
    ['out of the root, from the root', '/../outside.jhtml'],
    ['by an absolute path', '/etc/passwd'],
    ['of what is no page', 'image.jpg'],
    ['of a page under another name', 'y.jhtml.bak'],
    ['of what is not there', 'none.jhtml'],
    ['of a folder', 'folder.jhtml'],
    ['with a NUL', 'y.jhtml\\0'],
    ['by a symbolic link', 'link.jhtml'],
  ])('includes nothing %s', async (_what, path) => {
    const files = { 'y.jhtml.bak': page('y'), 'image.jpg': page('image'), 'folder.jhtml/y': '' };
    const outside = makeSite({ 'outside.jhtml': page('outside') });
    root = makeSite({ 'x.jhtml': `<? await include("${path}") ?>`, ...files });
    symlinkSync(join(outside, 'outside.jhtml'), join(root, 'link.jhtml'));
    expect(await told(await serve(open), '/x')).toBe('500 FCGI_ERR_PAGE_NOT_FOUND');
  });

  it.each([
    ['itself', '<? await include("x.jhtml") ?>'],
    ['itself, and does not wait', '<? include("x.jhtml") ?>'],
    ['one that includes it', '<? await include("_y.jhtml") ?>'],
  ])('that includes %s is ended by an error', async (_what, text) => {
    const { text: code } = await answer(text, {}, '/x', { '_y.jhtml': '<? await include("x.jhtml") ?>' });
    expect(code).toBe('FCGI_ERR_PAGE_DEPTH');
  });

  it('may include 100 pages in one another, and as many as it likes one after the other', async () => {
    const nested = '<? if (locals.n > 0) await include("_n.jhtml", { n: locals.n - 1 }); else { ?>end<? } ?>';
    expect(await textOf('<? await include("_n.jhtml", { n: 99 }) ?>', {}, '/x', { '_n.jhtml': nested })).toBe('end');
    const row = { '_row.jhtml': '.' };
    expect(
      await textOf('<? for (let i = 0; i < 1000; i++) await include("_row.jhtml") ?>', {}, '/x', row),
    ).toHaveLength(1000);
  });

  it('knows who has logged in from REMOTE_USER, and never from a header', async () => {
    const headers = {
      'Remote-User': 'a',
      Remote_User: 'b',
      'Remote.User': 'c',
      'X-Remote-User': 'd',
      'Auth-Type': 'e',
    };
    const identity = '<?- JSON.stringify([$_SERVER.REMOTE_USER, $_SERVER.AUTH_TYPE]) ?>';
    expect(await textOf(identity, { headers })).toBe('[null,null]');
    if (_name === 'FastCGI') {
      const params = { REMOTE_USER: 'anna', AUTH_TYPE: 'Basic' };
      expect(await textOf(identity, { headers, params })).toBe('["anna","Basic"]');
    }
  });

  it('CVE-2016-5385: has no HTTP_PROXY, and leaves the environment of the process alone', async () => {
    const text = '<?- JSON.stringify([$_SERVER.HTTP_PROXY, $_ENV.HTTP_PROXY, process.env.HTTP_PROXY]) ?>';
    const before = { ...process.env };
    const proxy = process.env.HTTP_PROXY ?? null;
    expect(JSON.parse(await textOf(text, { headers: { Proxy: 'http://evil.test' } }))).toEqual([null, null, proxy]);
    expect(process.env).toEqual(before);
  });

  it('has nothing of the environment of the process in $_ENV or $_SERVER', async () => {
    expect(await textOf('<?= Object.keys($_ENV).length ?> <?= $_SERVER.PATH ?? $_SERVER.HOME ?? "" ?>')).toBe('0 ');
  });

  describe('has names that lead to a prototype as any other', () => {
    const shown =
      '<?- JSON.stringify([$_GET, $_POST, $_COOKIE, $_REQUEST]) ?> <?= ({}).polluted ?? "clean" ?> <?= [].polluted ?? "" ?>';
    const query = '__proto__[polluted]=1&constructor[prototype][polluted]=2&a[__proto__][polluted]=3&a[]=4';
    const nested =
      '{"__proto__":{"polluted":"1"},"constructor":{"prototype":{"polluted":"2"}},"a":{"0":"4","__proto__":{"polluted":"3"}}}';

    it('in a query and in cookies', async () => {
      const headers = { Cookie: '__proto__[polluted]=1; constructor=2' };
      expect(await textOf(shown, { headers }, `/x?${query}`)).toBe(
        `[${nested},{},{"__proto__":{"polluted":"1"},"constructor":"2"},${nested}] clean `,
      );
    });

    it('in a form', async () => {
      root = makeSite({ 'x.jhtml': shown });
      const app = createApp({ env: 'test' });
      app.use(pages(root, { revalidate: 0 }));
      const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
      const { text } = await (await open(app, door))('/x', { method: 'POST', headers, body: query });
      expect(text).toBe(`[{},${nested},{},${nested}] clean `);
    });
  });

  it.each([
    ['JSON', 'application/json', '{"a":{"toString":1},"b":null,"c":"d"}', '{}'],
    ['a form of objects', 'application/x-www-form-urlencoded', 'a[toString]=1&c=d', '{"a":{"toString":"1"},"c":"d"}'],
  ])('does not fail on %s that something else has parsed', async (_what, type, body, posted) => {
    const request = { method: 'POST', headers: { 'Content-Type': type }, body };
    expect(await textOf('<?- JSON.stringify($_POST) ?>', request)).toBe(posted);
  });

  it.each([
    ['header(line)', 'header("X-A: b\\r\\nSet-Cookie: evil=1")'],
    ['header(name, value)', 'header("X-A", "b\\r\\nSet-Cookie: evil=1")'],
    ['header(name)', 'header("X-A\\r\\nSet-Cookie", "evil=1")'],
    ['header, of a list', 'header("X-A", ["b", "c\\nSet-Cookie: evil=1"])'],
    ['setcookie, by its name', 'setcookie("a\\r\\nSet-Cookie: evil", "1")'],
    ['setcookie, by its path', 'setcookie("a", "1", { path: "/\\r\\nSet-Cookie: evil=1" })'],
    ['setcookie, by its domain', 'setcookie("a", "1", { domain: "a.test\\r\\nSet-Cookie: evil=1" })'],
    ['setcookie, by another attribute', 'setcookie("a", "1", { path: "/; Domain=evil.test" })'],
    ['http_response_code', 'http_response_code("200 OK\\r\\nSet-Cookie: evil=1")'],
  ])('CWE-113: refuses to split the head by %s', async (_what, code) => {
    const { status, headers } = await answer(`<? ${code} ?>ran`);
    expect([status, headers['set-cookie']]).toEqual([500, undefined]);
  });

  it.each([
    ['setcookie, by its value', 'setcookie("a", "1\\r\\nSet-Cookie: evil=1")', 'set-cookie', /^a=1%0D%0ASet-Cookie/],
    ['Location', 'header("Location: /a\\r\\nSet-Cookie: evil=1")', 'location', /^\/a%0D%0ASet-Cookie:%20evil=1$/],
    ['redirect', 'redirect("/a\\r\\nSet-Cookie: evil=1")', 'location', /^\/a%0D%0ASet-Cookie:%20evil=1$/],
    ['header, of a status line', 'header("HTTP/1.1 404 Not\\r\\nSet-Cookie: evil=1")', 'content-type', /^text\/html/],
  ])('CWE-113: splits no head by %s', async (_what, code, name, value) => {
    const { headers } = await answer(`<? ${code} ?>ran`);
    expect([headers[name]].flat()).toEqual([expect.stringMatching(value)]);
    if (name !== 'set-cookie') expect(headers['set-cookie']).toBeUndefined();
  });

  it('leaves nothing of what it was to answer to the page for errors', async () => {
    const fails = `<? header("Content-Type: text/csv"); header("Content-Length: 3"); header("Cache-Control: public");
      header("Content-Disposition: attachment"); header("X-Frame-Options: DENY"); throw new Error("secret") ?>`;
    const { status, headers, text } = await answer(fails, {}, '/x', { '500.jhtml': 'sorry' });
    expect([status, text]).toEqual([500, 'sorry']);
    expect(headers).toMatchObject({ 'content-type': 'text/html; charset=utf-8', 'x-frame-options': 'DENY' });
    expect(headers).not.toHaveProperty('cache-control');
    expect(headers).not.toHaveProperty('content-disposition');
  });

  it('does not show its source, or where it lies, when it fails', async () => {
    const { status, text } = await answer('<? /* source */ throw new Error("secret") ?>');
    expect([status, text]).toEqual([500, '']);
  });

  it.each(['null', 'undefined', '"text"', '{ status: "x" }', 'Object.create(null)', 'Symbol("s")', '"route"', '0'])(
    'that throws %s is answered with 500',
    async (thrown) => {
      expect((await answer(`<? throw ${thrown} ?>`)).status).toBe(500);
    },
  );
});
