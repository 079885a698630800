import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PROJECT } from './build.ts';
import { type Guestbook, startGuestbook, WAYS } from './guestbook.ts';
import { describeWith, type Program } from './program.ts';
import { Visitor } from './visitor.ts';

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const picture = (bytes: Buffer = PNG, name = 'me.png') =>
  new File([new Uint8Array(bytes)], name, { type: 'image/png' });

let guestbook: Guestbook;
beforeAll(async () => {
  guestbook = await startGuestbook();
});
afterAll(async () => void (await guestbook?.program.stop()));

for (const { name, server, open } of WAYS) {
  describeWith(server, `examples/guestbook ${name}`, () => {
    let origin: string;
    let web: Program | undefined;
    beforeAll(async () => {
      const { program, port } = await open(guestbook);
      web = program;
      origin = `http://127.0.0.1:${port}`;
    });
    afterAll(async () => void (await web?.stop()));

    const newName = () => `ann ${randomBytes(4).toString('hex')}`;

    async function registered(name = newName()): Promise<Visitor> {
      const visitor = new Visitor(origin);
      expect((await visitor.send('/register', { name, password: 'correct horse' })).text).toContain(name);
      return visitor;
    }

    it('registers, logs out and in again, and tells a wrong password with the name kept', async () => {
      const name = newName();
      const visitor = await registered(name);
      expect((await visitor.send('/', {}, '/logout')).text).not.toContain(name);

      const wrong = await visitor.send('/login', { name, password: 'battery staple' });
      expect(wrong).toMatchObject({ status: 422, text: expect.stringContaining('no such name with this password') });
      expect(wrong.text).toContain(`value="${name}"`);
      const nobody = await visitor.send('/login', { name: newName(), password: 'battery staple' });
      expect(nobody.text).toContain('no such name with this password');

      expect((await visitor.send('/login', { name, password: 'correct horse' })).text).toContain(`<span>${name}`);
    });

    it('registers nobody twice, nor without a name and a password', async () => {
      const name = newName();
      await registered(name);
      const visitor = new Visitor(origin);
      const send = async (name: string, password: string) => visitor.send('/register', { name, password });
      expect((await send(name.toUpperCase(), 'correct horse')).text).toContain('Somebody has this name');
      const { status, text } = await send('<', 'short');
      expect(status).toBe(422);
      expect(text).toContain('A name has 2 to 30');
      expect(text).toContain('A password has at least 8');
      expect(text).toContain('value="&lt;"');
    });

    it('gives the session another name when somebody logs in', async () => {
      const name = newName();
      await registered(name);
      const visitor = new Visitor(origin);
      const before = (await visitor.open('/login')).headers.getSetCookie().join();
      const { text } = await visitor.get('/login');
      const body = new URLSearchParams({ name, password: 'correct horse', token: /value="(\w{32})"/.exec(text)![1]! });
      const after = (await visitor.open('/login', { method: 'POST', body })).headers.getSetCookie().join();
      expect(before).toMatch(/^guestbook=.*HttpOnly; SameSite=Lax$/);
      expect(after).toMatch(/^guestbook=/);
      expect(after.split(';')[0]).not.toBe(before.split(';')[0]);
    });

    it('tells what is wrong with an entry, and keeps what was written', async () => {
      const visitor = await registered();
      const empty = await visitor.send('/', { text: ' ' });
      expect([empty.status, empty.text]).toEqual([422, expect.stringContaining('role="alert">Write something')]);
      const long = await visitor.send('/', { text: `<b>${'a'.repeat(1000)}` });
      expect(long.text).toContain('these are 1003');
      expect(long.text).toContain(`&lt;b&gt;${'a'.repeat(1000)}</textarea>`);
      const page = Buffer.from('<script>alert(1)</script>');
      const wrong = await visitor.send('/', { text: 'kept', picture: picture(page) });
      expect([wrong.status, wrong.text]).toEqual([422, expect.stringContaining('A picture is a PNG')]);
      expect(wrong.text).toContain('>kept</textarea>');
      const large = await visitor.send('/', { text: 'kept', picture: picture(Buffer.alloc(3 * 1024 ** 2, PNG)) });
      expect(large.text).toContain('A picture has at most 2 MB');
      const several = await visitor.send('/', { text: 'kept', 'picture[]': picture() });
      expect(several.status).toBe(422);
    });

    it('takes an entry once, and shows it as text, whatever it is', async () => {
      const visitor = await registered();
      const mark = newName();
      const { status, text } = await visitor.send('/', { text: `<script>alert("${mark}")</script> & é` });
      expect(status).toBe(200);
      expect(text).toContain(`<p>&lt;script&gt;alert(&quot;${mark}&quot;)&lt;/script&gt; &amp; é</p>`);
      expect(text).not.toMatch(/<script/);
      expect((await new Visitor(origin).get('/')).text).toContain(mark);
    });

    it('takes entries only of who is logged in', async () => {
      const visitor = new Visitor(origin);
      const mark = newName();
      expect((await visitor.send('/login', { text: mark }, '/')).text).toContain('<h1>Log in');
      expect((await visitor.get('/')).text).not.toContain(mark);
    });

    it('refuses a form that another site has sent', async () => {
      const visitor = await registered();
      const mark = newName();
      for (const token of ['', 'x', 'undefined']) {
        expect((await visitor.send('/', { text: mark, token })).status).toBe(403);
      }
      const stranger = new Visitor(origin);
      expect((await stranger.open('/', { method: 'POST', body: new URLSearchParams({ text: mark }) })).status).toBe(
        403,
      );
      expect((await visitor.get('/')).text).not.toContain(mark);
    });

    it('takes a picture, and sends it as what it is', async () => {
      const visitor = await registered();
      const mark = newName();
      const { text } = await visitor.send('/', { text: mark, picture: picture(PNG, '../../<b>.html') });
      const [, path = ''] = new RegExp(`${mark}</p>\\s*<img src="(/pictures/[0-9a-f-]{36}\\.png)"`).exec(text) ?? [];
      const answer = await new Visitor(origin).open(path);
      expect(Buffer.from(await answer.arrayBuffer())).toEqual(PNG);
      expect(Object.fromEntries(answer.headers)).toMatchObject({
        'content-type': 'image/png',
        'x-content-type-options': 'nosniff',
        'cache-control': 'public, max-age=31536000, immutable',
      });
    });

    it('deletes entries of their owner, with their picture, and of nobody else', async () => {
      const visitor = await registered();
      const other = await registered();
      const mark = newName();
      const pictures = () => readdirSync(join(guestbook.data, 'pictures')).length;
      const before = pictures();
      const { text } = await visitor.send('/', { text: mark, picture: picture() });
      expect(pictures()).toBe(before + 1);
      const id = /name="id" value="(\d+)"/.exec(text)![1]!;
      expect((await other.send('/', { id }, '/delete')).text).toContain(mark);
      expect((await other.get('/')).text).not.toContain(`name="id" value="${id}"`);
      expect((await visitor.send('/', { id }, '/delete')).text).not.toContain(mark);
      expect(pictures()).toBe(before);
    });

    it('lists the newest first, ten on a page', async () => {
      const visitor = await registered();
      const mark = newName();
      for (let i = 1; i <= 11; i++) await visitor.send('/', { text: `${mark} ${i}.` });
      const shown = async (page: string) =>
        [...(await visitor.get(`/?page=${page}`)).text.matchAll(new RegExp(`${mark} (\\d+)\\.`, 'g'))].map(([, i]) =>
          Number(i),
        );
      expect(await shown('1')).toEqual([11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
      expect((await shown('2'))[0]).toBe(1);
      for (const page of ['0', '-1', 'x', '1.9', '']) expect((await shown(page)).length).toBe(10);
      const { text } = await visitor.get('/?page=999999');
      expect(text).toMatch(/Page (\d+) of \1,/);
      expect(text).toContain('rel="prev"');
      expect(text).not.toContain('rel="next"');
    });

    it('streams entries while they are written', async () => {
      const visitor = await registered();
      const answer = await new Visitor(origin).open('/live');
      const chunks = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
      let seen = '';
      const until = async (text: string) => {
        while (!seen.includes(text)) {
          const { value, done } = await chunks.read();
          if (done) throw new Error(`the page ended:\n${seen}`);
          seen += value;
        }
      };
      await until('<div class="live">');
      for (const mark of [newName(), newName()]) {
        await visitor.send('/', { text: mark });
        await until(`<p>${mark}</p>`);
      }
      expect(seen).not.toContain('</html>');
      await chunks.cancel();
    });

    it.each(['/none', '/none.jhtml', '/_entry', '/_entry.jhtml', '/_app.js', '/users.js', '/404'])(
      'has a page of its own for %s, which is not there',
      async (path) => {
        const { status, text } = await new Visitor(origin).get(path);
        expect([status, text]).toEqual([404, expect.stringContaining('<h1>There is no such page</h1>')]);
      },
    );

    it('sends the style sheet', async () => {
      const { status, headers, text } = await new Visitor(origin).get('/style.css');
      expect([status, headers.get('content-type'), text]).toEqual([
        200,
        'text/css; charset=utf-8',
        readFileSync(join(PROJECT, 'examples/guestbook/site/style.css'), 'utf8'),
      ]);
    });
  });
}

it('has nothing to say of all that in its log', () => {
  expect(guestbook.program.output.replace(/^Listening on .*\n/gm, '')).toBe('');
});
