import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createApp } from '../../../src/index.ts';
import { multipart, type PagesOptions, pages } from '../../../src/middleware/index.ts';
import { Door, eventually } from '../../adapters/fastcgi/client.ts';
import { served } from '../../core/served.ts';
import { DOORS, type TestAnswer } from '../doors.ts';
import { form, part, TYPE } from '../multipart/forms.ts';
import { makeSite } from './site.ts';

const door = new Door();
afterEach(() => door.close());

const PICTURE = part('pic', 'text', { filename: '../a.txt', type: 'text/plain' });

describe.each(DOORS)('files of a form, over %s', (_name, open) => {
  /** A page that gets this form, and the folder in which it lies. */
  async function sent(
    text: string,
    parts: Buffer[],
    options: PagesOptions = {},
    isMounted = false,
  ): Promise<TestAnswer & { folder: string }> {
    const folder = makeSite({ 'index.jhtml': text });
    const app = createApp({ env: 'production' });
    if (isMounted) app.use(multipart());
    app.use(pages(folder, { revalidate: 0, ...options }));
    const ask = await open(app, door);
    return { ...(await ask('/', { method: 'POST', headers: { 'Content-Type': TYPE }, body: form(...parts) })), folder };
  }

  const show =
    "<? print(JSON.stringify([$_FILES, $_POST], (key, value) => (key === 'tmp_name' ? undefined : value))) ?>";

  it.each([false, true])('are in $_FILES, its fields in $_POST; multipart() mounted before: %s', async (isMounted) => {
    const parts = [
      PICTURE,
      part('a', '1'),
      part('a', '2'),
      part('list[]', '3'),
      part('more[k][]', 'x', { filename: 'x' }),
    ];
    expect(JSON.parse((await sent(show, parts, {}, isMounted)).text)).toEqual([
      {
        pic: { name: 'a.txt', full_path: '../a.txt', type: 'text/plain', error: 0, size: 4 },
        more: { k: [{ name: 'x', full_path: 'x', type: 'text/plain', error: 0, size: 1 }] },
      },
      { a: '2', list: ['3'] },
    ]);
  });

  it('can be read where they are, until the answer is over', async () => {
    const code = '<? await readfile($_FILES.pic.tmp_name) ?> <?= $_FILES.pic.tmp_name ?>';
    const [content, path] = (await sent(code, [PICTURE])).text.split(' ');
    expect(content).toBe('text');
    await eventually(() => expect(existsSync(path!)).toBe(false));
  });

  it.each(['', 'await '])('are kept beside the page by %smove_uploaded_file', async (wait) => {
    const { folder } = await sent(`<? ${wait}move_uploaded_file($_FILES.pic.tmp_name, 'kept.txt') ?>`, [PICTURE]);
    expect(readFileSync(join(folder, 'kept.txt'), 'utf8')).toBe('text');
  });

  it('are nothing that a form could name: only its own files are moved, and once', async () => {
    const code = `<? const { tmp_name } = $_FILES.pic;
      for (const [from, to] of [[$_POST.path, 'a'], [$_POST['pic[tmp_name]'], 'b'], ['index.jhtml', 'c'], [tmp_name, 'd'], [tmp_name, 'e']]) {
        print(await move_uploaded_file(from, to), ' ');
      } ?>`;
    const { folder, text } = await sent(code, [
      PICTURE,
      part('path', '/etc/hostname'),
      part('pic[tmp_name]', '/etc/hostname'),
    ]);
    // What is false is not written.
    expect(text.trim()).toBe('true');
    expect(readdirSync(folder).sort()).toEqual(['d', 'index.jhtml']);
  });

  it('replace nothing', async () => {
    const code = `<? try { await move_uploaded_file($_FILES.pic.tmp_name, 'index.jhtml') } catch (error) { ?><?= error.code ?><? } ?>`;
    expect((await sent(code, [PICTURE])).text).toBe('EEXIST');
  });

  it.each(['__proto__', 'constructor', 'a[__proto__]'])('of the name %s are data like any other', async (name) => {
    const code = '<?= Object.keys($_FILES) ?> <?= {}.tmp_name ?>';
    expect((await sent(code, [part(name, 'x', { filename: 'x' })])).text.trim()).toBe(name.split('[')[0]);
  });

  it('are bounded as multipart() is told', async () => {
    const limits = { fileSize: 3 };
    expect((await sent(show, [PICTURE], { multipart: { limits } })).status).toBe(413);
    expect((await sent(show, [part('a', 'x')], { multipart: { limits } })).status).toBe(200);
  });

  it('are not read for a page that does not mention them', async () => {
    const code = '<?= (await req.bytes()).length > 0 ?>';
    expect((await sent(code, [PICTURE])).text).toBe('true');
  });
});

it('whose client leaves half-way end the page', async () => {
  const app = createApp({ env: 'test' });
  const run = pages(makeSite({ 'index.jhtml': '<? $_FILES ?>' }), { revalidate: 0 });
  const ended = new Promise<void>((resolve, reject) => {
    app.use((req, res, next) => {
      socket.destroy();
      run(req, res, next)!.then(resolve, reject);
    });
  });
  const { hostname, port } = new URL(await served(app));
  const socket = connect(Number(port), hostname);
  socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Type: ${TYPE}\r\nContent-Length: 1000\r\n\r\n${PICTURE}`);
  await ended;
});
