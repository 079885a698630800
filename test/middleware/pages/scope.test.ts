import { afterEach, describe, expect, it } from 'vitest';
import { createApp } from '../../../src/index.ts';
import { pages } from '../../../src/middleware/index.ts';
import { Door } from '../../adapters/fastcgi/client.ts';
import { DOORS } from '../doors.ts';
import { makeSite } from './site.ts';

const door = new Door();
afterEach(() => door.close());

const BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

describe.each(DOORS)('what a page finds under the names that PHP has, over %s', (_name, open) => {
  async function page(text: string, files: Record<string, string | Buffer> = {}) {
    const app = createApp({ env: 'test' });
    app.use(pages(makeSite({ 'index.jhtml': text, ...files }), { revalidate: 0 }));
    const ask = await open(app, door);
    return ask('/');
  }

  it.each([
    ['header(line, replace, status)', "header('Location: /b', true, 301)", 301, { location: '/b' }],
    ['a status with a line', "header('Retry-After: 5', true, 503)", 503, { 'retry-after': '5' }],
    ['a URL that is none yet', "header('Location: /ü 山')", 302, { location: '/%C3%BC%20%E5%B1%B1' }],
    ['a type of text', "header('Content-Type: text/csv')", 200, { 'content-type': 'text/csv; charset=utf-8' }],
    ['a type as it is', "header('Content-Type: application/json')", 200, { 'content-type': 'application/json' }],
    ['a charset as it is', "header('Content-Type: text/x; charset=x')", 200, { 'content-type': 'text/x; charset=x' }],
  ])('header: %s', async (_what, code, status, headers) => {
    const answer = await page(`<? ${code} ?>`);
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject(headers);
  });

  it.each(["header('X-A: 1'); header('X-A: 2', false)", "header('X-A', 1); header('X-A', 2, false)"])(
    'another header of a name: %s',
    async (code) => {
      expect((await page(`<? ${code} ?><?= res.get('X-A') ?>`)).text).toBe('1,2');
    },
  );

  it.each([
    [
      "setcookie('a', 'b', 86400, '/c', 'd.test', true, true)",
      /^a=b; Domain=d.test; Path=\/c; Expires=Fri, 02 Jan 1970 00:00:00 GMT; HttpOnly; Secure$/,
    ],
    ["setcookie('a', 'b', 0, '', '')", /^a=b; Path=\/$/],
    ["setcookie('a', 'b', new Date(0))", /^a=b; Path=\/; Expires=Thu, 01 Jan 1970/],
    [
      "setcookie('a', 'b', { expires: 86400, httponly: true, samesite: 'Strict' })",
      /^a=b; Path=\/; Expires=Fri, 02 Jan 1970 .*; HttpOnly; SameSite=Strict$/,
    ],
    ["setcookie('a')", /^a=; Path=\/; Expires=Thu, 01 Jan 1970/],
    ["setcookie('a', '', { path: '/c' })", /^a=; Path=\/c; Expires=Thu, 01 Jan 1970/],
    ["setcookie('a', false, 99999999999)", /^a=; Path=\/; Expires=Thu, 01 Jan 1970/],
    ["setcookie('a', 0)", /^a=0; Path=\/$/],
  ])('%s', async (code, cookie) => {
    const { headers } = await page(`<? ${code} ?>`);
    expect(String(headers['set-cookie'])).toMatch(cookie);
  });

  it.each([
    [
      'ob_get_level',
      '<? ob_start(); ob_start(); const level = ob_get_level(); ob_end_flush(); ob_end_flush() ?><?= level ?><?= ob_get_level() ?>',
      '20',
    ],
    [
      'ob_get_length, in bytes',
      '<? ob_start() ?>ü<? const length = ob_get_length(); ob_end_clean() ?><?= length ?>',
      '2',
    ],
    ['ob_clean', 'a<? ob_start() ?>b<? ob_clean() ?>c', 'ac'],
    ['ob_flush', 'a<? ob_start() ?>b<? ob_flush() ?>c<? ob_end_clean() ?>d', 'abd'],
    ['ob_get_flush', 'a<? ob_start() ?>b<? const b = ob_get_flush() ?>c<?= b ?>', 'abcb'],
    [
      'what there is not',
      '<?- JSON.stringify([ob_get_length(), ob_clean(), ob_flush(), ob_get_flush()]) ?>',
      '[false,false,false,false]',
    ],
  ])('%s', async (_what, text, answer) => {
    expect((await page(text)).text).toBe(answer);
  });

  it('print writes bytes as they are', async () => {
    const code = `<? header('Content-Type: image/x'); print(new Uint8Array(${JSON.stringify([...BYTES])})) ?>`;
    expect((await page(code)).body).toEqual(BYTES);
  });

  it('readfile writes a file beside the page as it is, in its turn, and gives its size', async () => {
    const large = Buffer.concat(Array.from({ length: 4000 }, () => BYTES));
    const { body } = await page('<<? readfile("a.bin") ?>|<? const size = await readfile("b.bin") ?>|<?= size ?>>', {
      'a.bin': large,
      'b.bin': BYTES,
    });
    expect(body).toEqual(Buffer.concat([Buffer.from('<'), large, Buffer.from('|'), BYTES, Buffer.from('|256>')]));
  });

  it('readfile of what is not there is an error of the page, also where it does not wait', async () => {
    expect((await page('<? await readfile("none") ?>')).status).toBe(500);
    expect((await page('<? readfile("none") ?>')).status).toBe(500);
    expect((await page('<? try { await readfile("none") } catch (error) { ?><?= error.code ?><? } ?>')).text).toBe(
      'ENOENT',
    );
  });
});
