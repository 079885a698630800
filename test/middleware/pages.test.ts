import { rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
// @ts-expect-error It has no types.
import session from 'express-session';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Application, createApp, type ErrorHandler, Router } from '../../src/index.ts';
import { type PagesOptions, pages } from '../../src/middleware/index.ts';
import { Door } from '../adapters/fastcgi/client.ts';
import { servedRouter } from '../core/served.ts';
import { type Ask, DOORS } from './doors.ts';
import { makeSite, writePage } from './pages/site.ts';

const door = new Door();
afterEach(() => door.close());

const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };

describe.each(DOORS)('pages over %s', (_name, open) => {
  /** The text of the answer to a page `index.jhtml`. */
  async function page(text: string, path = '/', request = {}): Promise<string> {
    const ask = await site({ 'index.jhtml': text });
    return (await ask(path, request)).text;
  }

  function site(files: Record<string, string>, options: PagesOptions = {}): Promise<Ask> {
    return serve(makeSite(files), options);
  }

  function serve(
    folder: string,
    options: PagesOptions = {},
    prepare: (app: Application) => void = () => {},
  ): Promise<Ask> {
    const app = createApp({ env: 'test' });
    prepare(app);
    app.use(pages(folder, { revalidate: 0, ...options }));
    return open(app, door);
  }

  describe('what is in scope', () => {
    it.each([
      ['req', '<?= req.method ?>', '/', 'GET'],
      ['res', '<? res.set("X-A", "b") ?><?= res.get("X-A") ?>', '/', 'b'],
      ['$_GET', '<?= $_GET.name ?? "world" ?>', '/?name=%3Cyou%3E', '&lt;you&gt;'],
      [
        '$_GET, nested as in PHP',
        '<?= JSON.stringify($_GET) ?>',
        '/?a[]=1&a[k]=2',
        '{&quot;a&quot;:{&quot;0&quot;:&quot;1&quot;,&quot;k&quot;:&quot;2&quot;}}',
      ],
      ['$_SERVER', '<?= $_SERVER.REQUEST_METHOD ?> <?= $_SERVER.PHP_SELF ?>', '/?q', 'GET /index.jhtml'],
      ['$_REQUEST', '<?= $_REQUEST.a ?>', '/?a=1', '1'],
      ["$_ENV, which is not the process's", '<?= Object.keys($_ENV) ?>', '/', ''],
      ['$_POST without a body', '<?= Object.keys($_POST).length ?>', '/', '0'],
      ['$_FILES without a body', '<?= Object.keys($_FILES).length ?>', '/', '0'],
      ['$_SESSION without a session', '<?= typeof $_SESSION ?>', '/', 'undefined'],
      ['echo', '<? echo("<", 1, Promise.resolve(2)) ?>', '/', '&lt;12'],
      ['print', '<? print("<", 1) ?>', '/', '<1'],
      ['htmlspecialchars', '<?- htmlspecialchars("<") ?>', '/', '&lt;'],
      ['http_response_code', '<?= http_response_code() ?>', '/', '200'],
      ['locals', '<?= Object.keys(locals) ?>', '/', ''],
      ['exit', 'a<? exit() ?>b', '/', 'a'],
      ['exit with a message', 'a<? exit("<") ?>b', '/', 'a<'],
      ['ob_start', 'a<? ob_start() ?>b<? const b = ob_get_clean() ?>c<?= b ?>', '/', 'acb'],
      ['return', 'a<? return ?>b', '/', 'a'],
      ['await', '<? await null ?>a', '/', 'a'],
    ])('has %s', async (_what, text, path, answer) => {
      expect(await page(text, path)).toBe(answer);
    });

    it('has objects without a prototype', async () => {
      const names = ['$_GET', '$_POST', '$_COOKIE', '$_FILES', '$_SERVER', '$_REQUEST', '$_ENV'];
      const text = `<?= [${names}].map((one) => Object.getPrototypeOf(one)).every((one) => one === null) ?>`;
      expect(await page(text)).toBe('true');
    });

    it('has $_POST and $_REQUEST of a form', async () => {
      const request = { method: 'POST', headers: FORM, body: 'a[]=%C3%A9&a[]=2&b=+' };
      expect(await page('<?- JSON.stringify([$_POST, $_REQUEST]) ?>', '/?b=1&c=2', request)).toBe(
        '[{"a":["é","2"],"b":" "},{"b":" ","c":"2","a":["é","2"]}]',
      );
    });

    it('leaves a body that it does not mention to the page', async () => {
      const request = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"a":1}' };
      expect(await page('<?= (await req.json()).a ?>', '/', request)).toBe('1');
    });

    it('has $_COOKIE', async () => {
      const headers = { Cookie: 'a=1; b=%C3%A9; list[]=x; list[]=y' };
      expect(await page('<?- JSON.stringify($_COOKIE) ?>', '/', { headers })).toBe('{"a":"1","b":"é","list":["x"]}');
    });

    it('has $_SESSION where a session middleware is mounted', async () => {
      const folder = makeSite({ 'index.jhtml': '<?= ($_SESSION.count = ($_SESSION.count ?? 0) + 1) ?>' });
      const ask = await serve(folder, {}, (app) => {
        app.use(session({ secret: 'secret', resave: false, saveUninitialized: false }) as never);
      });
      const first = await ask('/');
      expect(first.text).toBe('1');
      const Cookie = [first.headers['set-cookie']].flat()[0]!.split(';')[0]!;
      expect((await ask('/', { headers: { Cookie } })).text).toBe('2');
    });

    it('has $_ENV as it was given', async () => {
      const ask = await site({ 'index.jhtml': '<?= $_ENV.DB ?>' }, { env: { DB: 'mine' } });
      expect((await ask('/')).text).toBe('mine');
    });
  });

  describe('the head of the answer', () => {
    it.each([
      ['header(name, value)', 'header("X-A", "b")', { 'x-a': 'b' }, 200],
      ['a whole line', 'header("X-A: b: c")', { 'x-a': 'b: c' }, 200],
      ['the last of a name', 'header("X-A: b"); header("x-a: c")', { 'x-a': 'c' }, 200],
      ['Location', 'header("Location: /b")', { location: '/b' }, 302],
      ['Location with a status', 'http_response_code(301); header("Location: /b")', { location: '/b' }, 301],
      ['a status line', 'header("HTTP/1.1 404 Not Found")', {}, 404],
      ['http_response_code', 'http_response_code(418)', {}, 418],
      ['setcookie', 'setcookie("a", "b c")', { 'set-cookie': expect.stringContaining('a=b%20c; Path=/') }, 200],
      ['redirect', 'redirect("/b", 303)', { location: '/b' }, 303],
      [
        'its type',
        'header("Content-Type: text/plain; charset=utf-8")',
        { 'content-type': 'text/plain; charset=utf-8' },
        200,
      ],
    ])('may be set by %s', async (_what, code, headers, status) => {
      const ask = await site({ 'index.jhtml': `text <? ${code} ?> more` });
      const answer = await ask('/');
      expect(answer.status).toBe(status);
      const flat = Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [name, String(value)]));
      expect(flat).toMatchObject(headers);
    });

    it('of a redirect has nothing of the page behind it', async () => {
      const ask = await site({ 'index.jhtml': 'secret <? redirect("/b") ?> more' });
      expect((await ask('/')).text).not.toMatch(/secret|more/);
    });

    it('cannot be set any more when it has gone out', async () => {
      const ask = await site({
        'index.jhtml': '<? await flush(); try { header("X-A", "b") } catch (error) { ?><?= error.code ?><? } ?>',
      });
      expect((await ask('/')).text).toBe('ERR_HTTP_HEADERS_SENT');
    });
  });

  describe('includes', () => {
    const files = {
      'index.jhtml': '[<? await include("parts/a.jhtml", { name: "<x>" }) ?>]',
      'parts/a.jhtml': '(<?= locals.name ?><? await include("b.jhtml") ?>)',
      'parts/b.jhtml': '<? await include("/c.jhtml") ?>',
      'c.jhtml': 'c',
    };

    it('are found beside the page that includes them, or in the root', async () => {
      const ask = await site(files);
      expect((await ask('/')).text).toBe('[(&lt;x&gt;c)]');
    });

    it('give what they return', async () => {
      const ask = await site({ 'index.jhtml': '<?= await include("_a.jhtml") ?>', '_a.jhtml': '<? return 7 ?>' });
      expect((await ask('/')).text).toBe('7');
    });

    it('may be once', async () => {
      const ask = await site({
        'index.jhtml': '<? await include_once("_a.jhtml"); await include_once("./_a.jhtml") ?>',
        '_a.jhtml': 'a',
      });
      expect((await ask('/')).text).toBe('a');
    });

    it('are waited for also where the page does not', async () => {
      const ask = await site({
        'index.jhtml': 'a<? include("_b.jhtml") ?>',
        '_b.jhtml': '<? await new Promise((resolve) => setImmediate(resolve)) ?>b',
      });
      expect((await ask('/')).text).toBe('ab');
    });

    it('may end the page', async () => {
      const ask = await site({ 'index.jhtml': 'a<? await include("_b.jhtml") ?>c', '_b.jhtml': 'b<? exit() ?>' });
      expect((await ask('/')).text).toBe('ab');
    });

    it('that are missing are an error of the page', async () => {
      const ask = await site({
        'index.jhtml': '<? try { await include("none.jhtml") } catch (e) { ?><?= e.code ?><? } ?>',
      });
      expect((await ask('/')).text).toBe('FCGI_ERR_PAGE_NOT_FOUND');
    });
  });

  describe('what is around a page', () => {
    it('is of its folder, or of the nearest above', async () => {
      const ask = await site({
        '_page.jhtml': '<html><? await page() ?></html>',
        '_prepend.jhtml': '<? locals.title = "t" ?>pre ',
        '_append.jhtml': ' post',
        'index.jhtml': '<?= locals.title ?>',
        'inner/deep/index.jhtml': 'deep',
        'inner/_page.jhtml': '<inner><? await page() ?></inner>',
      });
      expect((await ask('/')).text).toBe('pre <html>t</html> post');
      expect((await ask('/inner/deep/')).text).toBe('pre <inner>deep</inner> post');
    });

    it('may hold the page back, to know what it says', async () => {
      const ask = await site({
        '_page.jhtml':
          '<? ob_start(); await page(); const body = ob_get_clean() ?><title><?= locals.title ?></title><?- body ?>',
        'index.jhtml': '<? locals.title = "mine" ?><p>text</p>',
      });
      expect((await ask('/')).text).toBe('<title>mine</title><p>text</p>');
    });

    it('is not run behind exit()', async () => {
      const ask = await site({ '_append.jhtml': ' post', 'index.jhtml': 'a<? exit() ?>' });
      expect((await ask('/')).text).toBe('a');
    });
  });

  describe('URLs', () => {
    const files = {
      'index.jhtml': 'root',
      'about.jhtml': 'about <?= $_SERVER.PATH_INFO ?? "" ?>',
      'blog/index.jhtml': 'blog',
      'blog/[year]/[slug].jhtml': '<?= req.params.year ?>/<?= req.params.slug ?>',
      'blog/[year]/index.jhtml': 'year <?= req.params.year ?>',
      'users/[id].jhtml': 'user <?= req.params.id ?>',
      'users/new.jhtml': 'new user',
      'users/all.csv': 'all users',
      'users/folder/a.csv': 'a user',
      'blog/2026/feed.xml': 'feed',
    };

    it.each([
      ['/', 200, 'root'],
      ['/index', 200, 'root'],
      ['/about', 200, 'about '],
      ['/about?x=1', 200, 'about '],
      ['/about.jhtml', 200, 'about '],
      ['/about.jhtml/more/x', 200, 'about /more/x'],
      ['/about/more', 404, ''],
      ['/about/', 404, ''],
      ['/blog/', 200, 'blog'],
      ['/blog/2026/', 200, 'year 2026'],
      ['/blog/2026/a%20%3Cb%3E', 200, '2026/a &lt;b&gt;'],
      ['/users/7', 200, 'user 7'],
      ['/users/new', 200, 'new user'],
      ['/users/all.csv', 200, 'all users'],
      ['/users/other.csv', 200, 'user other.csv'],
      ['/users/folder', 200, 'user folder'],
      ['/blog/2026/feed.xml', 200, 'feed'],
      ['/blog/2025/feed.xml', 200, '2025/feed.xml'],
      ['/users/', 404, ''],
      ['/none', 404, ''],
      ['//about', 404, ''],
    ])('%s is answered %i %s', async (path, status, text) => {
      const ask = await site(files);
      const answer = await ask(path);
      expect(answer.status).toBe(status);
      if (status === 200) expect(answer.text).toBe(text);
    });

    it('of folders get their slash, and keep their query', async () => {
      const ask = await site(files);
      expect(await ask('/blog?x=1')).toMatchObject({ status: 301, headers: { location: '/blog/?x=1' } });
      expect(await ask('/blog/2026')).toMatchObject({ status: 301, headers: { location: '/blog/2026/' } });
    });

    it('of folders get their slash, and keep what is posted', async () => {
      const ask = await site(files);
      const request = { method: 'POST', headers: FORM, body: 'a=1' };
      expect(await ask('/blog?x=1', request)).toMatchObject({ status: 308, headers: { location: '/blog/?x=1' } });
    });

    it('may be below the path where pages are mounted', async () => {
      const app = createApp({ env: 'test' });
      app.use('/site', pages(makeSite({ 'a.jhtml': '<?= $_SERVER.PHP_SELF ?>', 'b/index.jhtml': 'b' })));
      const ask = await open(app, door);
      expect((await ask('/site/a')).text).toBe('/site/a.jhtml');
      expect((await ask('/site/b')).headers.location).toBe('/site/b/');
      expect((await ask('/a')).status).toBe(404);
    });

    it('of what is no page are passed on', async () => {
      const app = createApp({ env: 'test' });
      app.use(pages(makeSite({ 'index.jhtml': 'a' })));
      app.get('/other', (_req, res) => res.send('other'));
      const ask = await open(app, door);
      expect((await ask('/other')).text).toBe('other');
    });
  });

  describe('errors', () => {
    const failing = { 'index.jhtml': 'sent\n<p><? nothing.at.all() ?>' };

    it('are passed on, with the place in the page', async () => {
      const errors: Error[] = [];
      const app = createApp({ env: 'test' });
      const folder = makeSite(failing);
      app.use(pages(folder));
      const onError: ErrorHandler = (error, _req, res, _next) => {
        errors.push(error as Error);
        res.status(500).send('own');
      };
      app.use(onError);
      const ask = await open(app, door);
      expect(await ask('/')).toMatchObject({ status: 500, text: 'own' });
      expect(errors[0]!.stack).toContain(`${join(folder, 'index.jhtml')}:2:7`);
    });

    it('are shown with the lines around them where they are to be displayed', async () => {
      const ask = await site(failing, { displayErrors: true });
      const { status, text, headers } = await ask('/');
      expect(status).toBe(500);
      expect(headers['content-type']).toBe('text/html; charset=utf-8');
      expect(text).toContain('ReferenceError: nothing is not defined');
      expect(text).toContain('&gt; 2 | &lt;p&gt;&lt;? nothing.at.all() ?&gt;\n    |       ^');
      expect(text).not.toContain('<p>sent');
    });

    it('of syntax are shown the same', async () => {
      const ask = await site({ 'index.jhtml': 'a\n<? let x = ; ?>' }, { displayErrors: true });
      expect((await ask('/')).text).toContain('&gt; 2 | &lt;? let x = ; ?&gt;\n    |            ^');
    });

    it('in an include name the include', async () => {
      const ask = await site(
        { 'index.jhtml': '\n\n<? await include("_part.jhtml") ?>', '_part.jhtml': '\n<? bad() ?>' },
        { displayErrors: true },
      );
      expect((await ask('/')).text).toMatch(/_part\.jhtml:2:4\n/);
    });

    it('have the page of the site, the nearest, and say nothing of themselves', async () => {
      const ask = await site({
        'a/index.jhtml': '<? throw new Error("secret") ?>',
        'a/500.jhtml': '<p>sorry <?= res.statusCode ?></p>',
        '500.jhtml': 'root',
        'index.jhtml': '<? throw new Error("secret") ?>',
      });
      expect(await ask('/a/')).toMatchObject({ status: 500, text: '<p>sorry 500</p>' });
      expect(await ask('/')).toMatchObject({ status: 500, text: 'root' });
    });

    it('of that page are passed on, too', async () => {
      const ask = await site({ 'index.jhtml': '<? throw new Error("first") ?>', '500.jhtml': '<? bad() ?>' });
      const { status, text } = await ask('/');
      expect(status).toBe(500);
      expect(text).toContain('first');
    });

    it('of the client are passed on as such', async () => {
      const ask = await site({ 'index.jhtml': '<?= $_POST.a ?>', '500.jhtml': 'sorry' }, { maxInputVars: 2 });
      expect((await ask('/', { method: 'POST', headers: FORM, body: 'a=1&b=2&c=3' })).status).toBe(400);
    });

    it('behind what was sent break the answer off', async () => {
      const ask = await site({ 'index.jhtml': 'a<? await flush(); throw new Error("late") ?>' });
      await expect(ask('/')).rejects.toThrow();
    });

    it.each([
      ['are none where a page waited by req.signal for longer than its client did', 'signal: req.signal', []],
      [
        'are one where it waited by another signal',
        'signal: AbortSignal.timeout(0)',
        [expect.objectContaining({ name: 'AbortError' })],
      ],
    ])('%s', async (_what, signal, told) => {
      const code = `await flush();
        const waiting = locals.sleep(1e8, null, { ${signal} });
        if (${told.length === 0}) res.destroy();
        await waiting;`;
      const middleware = pages(makeSite({ 'index.jhtml': `<? ${code} ?>` }));
      const errors: unknown[] = [];
      let ran: Promise<void> | undefined;
      const app = createApp({ env: 'test' });
      app.use((req, res, next) => {
        res.locals.sleep = sleep;
        ran = middleware(req, res, (error) => {
          errors.push(error);
          next(error);
        });
      });
      const ask = await open(app, door);
      await expect(ask('/')).rejects.toThrow();
      await ran;
      expect(errors).toEqual(told);
    });
  });

  it('has a page for what is not found', async () => {
    const ask = await site({ '404.jhtml': 'no <?= req.path ?>', 'a/404.jhtml': 'not here' });
    expect(await ask('/x')).toMatchObject({ status: 404, text: 'no /x' });
    expect(await ask('/a/x')).toMatchObject({ status: 404, text: 'not here' });
  });

  it('answers HEAD without a body, and with the length', async () => {
    const ask = await site({ 'index.jhtml': 'text' });
    expect(await ask('/', { method: 'HEAD' })).toMatchObject({ text: '', headers: { 'content-length': '4' } });
  });

  it.each([
    ['a value', 'res.json({ a: 1 })', '{"a":1}'],
    ['a stream', 'res.send((async function* () { yield "str"; yield "eam" })())', 'stream'],
    ['a file', 'res.sendFile(import.meta.dirname + "/file.txt")', 'a file'],
  ])('leaves an answer that the page made of %s', async (_what, code, text) => {
    const ask = await site({ 'index.jhtml': `text <? ${code} ?>`, 'file.txt': 'a file' });
    expect((await ask('/')).text).toBe(text);
  });

  describe('changes', () => {
    it('of a page, its includes and what is around it show at once', async () => {
      const folder = makeSite({ 'index.jhtml': 'old <? await include("_part.jhtml") ?>', '_part.jhtml': 'part' });
      const ask = await serve(folder);
      expect((await ask('/')).text).toBe('old part');
      writePage(folder, 'index.jhtml', 'new <? await include("_part.jhtml") ?>');
      expect((await ask('/')).text).toBe('new part');
      writePage(folder, '_part.jhtml', 'changed');
      expect((await ask('/')).text).toBe('new changed');
      writePage(folder, '_append.jhtml', ' end');
      expect((await ask('/')).text).toBe('new changed end');
      rmSync(join(folder, '_append.jhtml'));
      rmSync(join(folder, '_part.jhtml'));
      expect((await ask('/')).status).toBe(500);
    });

    it('show when a page has been looked at last longer ago than it is told', async () => {
      const folder = makeSite({ 'index.jhtml': 'old' });
      const ask = await serve(folder, { revalidate: 3_600_000 });
      expect((await ask('/')).text).toBe('old');
      writePage(folder, 'index.jhtml', 'new');
      expect((await ask('/')).text).toBe('old');
    });

    it('that are half-written are waited for', async () => {
      const folder = makeSite({ 'index.jhtml': 'old' });
      const ask = await serve(folder, { settle: 60_000 });
      expect((await ask('/')).text).toBe('old');
      writeFileSync(join(folder, 'index.jhtml'), 'first half, ');
      const answer = ask('/');
      // It has been asked for by now, as an answer to another page tells.
      writePage(folder, 'other.jhtml', 'other');
      expect((await ask('/other')).text).toBe('other');
      writePage(folder, 'index.jhtml', 'first half, second half');
      expect((await answer).text).toBe('first half, second half');
    });

    it('of a page with an error mend it', async () => {
      const folder = makeSite({ 'index.jhtml': '<? let x = ; ?>' });
      const ask = await serve(folder);
      expect((await ask('/')).status).toBe(500);
      writePage(folder, 'index.jhtml', 'mended');
      expect((await ask('/')).text).toBe('mended');
    });

    it('back to an older file are seen', async () => {
      const folder = makeSite({ 'index.jhtml': 'one' });
      const ask = await serve(folder);
      const { atime, mtime } = statSync(join(folder, 'index.jhtml'));
      expect((await ask('/')).text).toBe('one');
      writePage(folder, 'index.jhtml', 'two');
      expect((await ask('/')).text).toBe('two');
      writeFileSync(join(folder, 'index.jhtml'), 'three');
      utimesSync(join(folder, 'index.jhtml'), atime, mtime);
      expect((await ask('/')).text).toBe('three');
    });
  });

  it('never mixes what 1,000 requests at a time write that share an include', async () => {
    const ask = await site({
      'index.jhtml': '<? for (let i = 0; i < 5; i++) { await include("_part.jhtml", { id: $_GET.id }) } ?>',
      '_part.jhtml': '<? await new Promise((resolve) => setImmediate(resolve)) ?>[<?= locals.id ?>|<?= $_GET.id ?>]',
    });
    const answers = await Promise.all(Array.from({ length: 1000 }, (_, id) => ask(`/?id=${id}`)));
    expect(answers.map(({ text }) => text)).toEqual(answers.map((_, id) => `[${id}|${id}]`.repeat(5)));
  });
});

describe('pages', () => {
  it.each([
    ['', true],
    ['development', true],
    ['production', false],
  ])('shows errors without an app where NODE_ENV is %j: %s', async (value, isShown) => {
    vi.stubEnv('NODE_ENV', value);
    const folder = makeSite({ 'index.jhtml': '<? throw new Error("secret") ?>' });
    const router = Router().use(pages(folder));
    router.use(((_error, _req, res, _next) => res.end('hidden')) as ErrorHandler);
    const answer = await fetch(await servedRouter(router));
    vi.unstubAllEnvs();
    expect((await answer.text()).includes('secret')).toBe(isShown);
  });

  it.each([
    ['a folder that is none', '/nowhere/at/all', {}],
    ['an extension without a dot', '.', { extensions: ['jhtml'] }],
    ['no extension', '.', { extensions: [] }],
    ['a negative time', '.', { revalidate: -1 }],
    ['a buffer that is no number', '.', { buffer: '8k' as unknown as number }],
  ])('refuses %s', (_what, folder, options) => {
    expect(() => pages(folder, options)).toThrow(expect.objectContaining({ code: 'FCGI_ERR_OPTION' }));
  });
});
