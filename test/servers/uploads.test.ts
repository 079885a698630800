import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BOUNDARY, END, form, part, TYPE } from '../middleware/multipart/forms.ts';
import { App } from './app.ts';
import { exchange } from './client.ts';
import { describeWith, type Program } from './program.ts';
import { WAYS } from './proxies.ts';

const MEGABYTE = 1 << 20;
const GIGABYTE = 1e9;

let app: App;
beforeAll(async () => {
  app = await App.start();
});
afterAll(() => app?.program.stop());

/** Sends a form with one file of so many bytes, and tells now and then, until the answer is there, how much has been sent. */
async function upload(port: number, path: string, bytes: number, tell: () => Promise<void>): Promise<string> {
  const [before = '', after = ''] = part('file', '\0', { filename: 'large.bin' }).toString('latin1').split('\0');
  const length = before.length + bytes + after.length + END.length;
  const headers = { 'Content-Type': TYPE, 'Content-Length': length };
  const req = request({ host: '127.0.0.1', port, path, method: 'POST', headers, agent: false });
  const answered = once(req, 'response');
  const chunk = Buffer.alloc(256 * 1024, `\r\n--${BOUNDARY.slice(0, -1)}`);
  async function* body() {
    yield before;
    for (let left = bytes; left > 0; left -= chunk.length) {
      yield chunk.subarray(0, Math.min(chunk.length, left));
      if (left % (64 * MEGABYTE) < chunk.length) await tell();
    }
    yield after;
    yield END;
  }
  await pipeline(Readable.from(body()), req);
  const [res] = await answered;
  await tell();
  return text(res);
}

for (const { name, server, streams, open } of WAYS) {
  describeWith(server, `a form ${name}`, () => {
    let port: number;
    let program: Program | undefined;
    beforeAll(async () => {
      ({ port, program } = await open(app));
    });
    afterAll(async () => void (await program?.stop()));

    it('is taken, or refused, as the app does', async () => {
      const send = (path: string, body: Buffer) =>
        exchange(port, { path, method: 'POST', headers: [['Content-Type', TYPE]], body });
      const good = form(part('title', 'Grüße'), part('file', 'content', { filename: '../ü.txt' }));
      expect(JSON.parse((await send('/upload', good)).body)).toMatchObject([{ name: 'file', size: 7 }]);
      const sizes = '[{"name":"title","size":7},{"name":"file","filename":"ü.txt","size":7}]';
      expect(Buffer.from((await send('/parts', good)).body, 'latin1').toString()).toBe(sizes);
      for (const path of ['/upload', '/parts']) {
        expect((await send(path, good.subarray(0, -10))).status).toBe(400);
        expect((await send(path, form(part('field', Buffer.alloc(2 * MEGABYTE))))).status).toBe(413);
      }
    });

    // As they come, and spooled.
    it.each(streams ? ['/parts', '/upload'] : ['/upload'])(
      'with a file of 1 GB takes less than 64 MB of the memory of the app: %s',
      { timeout: 120_000 },
      async (path) => {
        const memory = await app.memory();
        let most = 0;
        const answer = await upload(port, path, GIGABYTE, async () => {
          most = Math.max(most, await app.memory());
        });
        const [file] = JSON.parse(answer);
        expect(file).toMatchObject({ name: 'file', filename: 'large.bin', size: GIGABYTE });
        expect((most - memory) / MEGABYTE).toBeLessThan(64);
        if (path === '/upload') await expect.poll(() => existsSync(file.folder)).toBe(false);
      },
    );
  });
}
