import { afterEach, describe, expect, it } from 'vitest';
import type { Middleware } from '../../../src/core/types.ts';
import { createApp } from '../../../src/index.ts';
import { json, pages, urlencoded } from '../../../src/middleware/index.ts';
import { Door } from '../../adapters/fastcgi/client.ts';
import { DOORS } from '../doors.ts';
import { makeSite } from './site.ts';

const door = new Door();
afterEach(() => door.close());

const FORM = 'application/x-www-form-urlencoded';

describe('$_SERVER', () => {
  it('has a PHP_SELF also where the web server names the file alone', async () => {
    const app = createApp({ env: 'test' });
    const folder = makeSite({ 'a.jhtml': '[<?= $_SERVER.PHP_SELF ?>]' });
    app.use(pages(folder, { revalidate: 0 }));
    const client = await door.connect(await door.open(app));
    const params = { REQUEST_METHOD: 'GET', REQUEST_URI: '/x', SCRIPT_FILENAME: `${folder}/a.jhtml` };
    const { body } = await client.get({ params: { ...params, SCRIPT_NAME: undefined } });
    expect(body.toString()).toBe('[]');
  });
});

describe.each(DOORS)('$_POST of a body that was parsed before, over %s', (_name, open) => {
  async function posted(parser: Middleware, body: string, type = FORM): Promise<unknown> {
    const app = createApp({ env: 'test' });
    const folder = makeSite({ 'index.jhtml': '<? print(JSON.stringify($_POST)) ?>' });
    app.use(parser, pages(folder, { revalidate: 0 }));
    const ask = await open(app, door);
    return JSON.parse((await ask('/', { method: 'POST', headers: { 'Content-Type': type }, body })).text);
  }

  const body = 'a=1&list[]=2&list[]=3&o[k]=4&o[l][]=5&o[l][]=6&rows[][x]=7&twice=8&twice=9';
  const nested = { a: '1', list: ['2', '3'], o: { k: '4', l: ['5', '6'] }, rows: [{ x: '7' }], twice: ['8', '9'] };

  it('is nested as without', async () => {
    expect(await posted(urlencoded(), body)).toEqual(nested);
  });

  it('is the same where that has nested already', async () => {
    expect(await posted(urlencoded({ extended: true }), body)).toEqual(nested);
  });

  it('is empty where it was no form, as in PHP', async () => {
    expect(await posted(json(), '{"a":1}', 'application/json')).toEqual({});
  });
});
