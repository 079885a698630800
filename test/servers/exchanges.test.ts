import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { App } from './app.ts';
import { type Answer, exchange, open, statusOf } from './client.ts';
import { doors } from './doors.ts';
import { startNginx } from './nginx.ts';
import { describeWith, type Program } from './program.ts';

const MEGABYTE = 1 << 20;

let app: App;
beforeAll(async () => {
  app = await App.start();
});
afterAll(() => app?.program.stop());

for (const door of doors) {
  describeWith(door.server, door.name, () => {
    let port: number;
    let program: Program | undefined;
    beforeAll(async () => {
      ({ port, program } = await door.open(app));
    });
    afterAll(async () => {
      await program?.stop();
    });

    it('streams 100 MB, and the app does not hold them in memory', async () => {
      const bytes = 100 * MEGABYTE;
      const memory = await app.memory();
      const res = await open(port, { path: `/download?bytes=${bytes}` });
      let received = 0;
      let most = 0;
      for await (const chunk of res) {
        // Asked every 4 MB or so, while the client, who waits for the answer, reads slower than the app could send.
        if (Math.floor(received / (4 * MEGABYTE)) !== Math.floor((received + chunk.length) / (4 * MEGABYTE))) {
          most = Math.max(most, await app.memory());
        }
        received += chunk.length;
      }
      expect(received).toBe(bytes);
      expect((most - memory) / MEGABYTE).toBeLessThan(64);
    });

    it('passes server-sent events on as they are sent', async () => {
      const id = `${door.name} events`;
      const opened = open(port, { path: `/events?id=${encodeURIComponent(id)}` });
      if (!door.holdsHead) await opened;
      await app.event(id, 'begun');
      app.go(id, 'one');
      const res = await opened;
      expect(res.headers['content-type']).toMatch('text/event-stream');
      expect(await next(res)).toBe('data: one\n\n');
      for (const data of ['two', 'three']) {
        app.go(id, data);
        expect(await next(res)).toBe(`data: ${data}\n\n`);
      }
      app.go(id);
      await once(res.resume(), 'end');
    });

    it('passes a body on as it comes, or once it is there', async () => {
      const id = `${door.name} pieces`;
      const half = Buffer.alloc(MEGABYTE / 2);
      const headers = { 'Content-Length': 2 * half.length };
      const path = `/pieces?id=${encodeURIComponent(id)}`;
      const req = request({ host: '127.0.0.1', port, path, method: 'POST', headers, agent: false });
      const answered = once(req, 'response');
      req.write(half);
      if (door.spoolsBodies) {
        await exchange(port, { path: '/hello' });
        expect(app.has(id, 'begun')).toBe(false);
        req.end(half);
        await app.event(id, 'begun');
      } else {
        await app.event(id, 'begun');
        req.end(half);
      }
      const [res] = await answered;
      expect(await text(res)).toBe('all');
    });

    it('lets a body of more than 32 MB through, or answers 413', async () => {
      const body = Buffer.alloc((32 << 20) + 1);
      const answer = exchange(port, { method: 'POST', path: '/body', body });
      if (door.limitsBodies) expect(await statusOf(answer)).toBeOneOf(door.closesEarly ? [413, 'broken off'] : [413]);
      else expect(JSON.parse((await answer).body).bytes).toBe(body.length);
    });

    it('tells the app within a second that the client has left', { timeout: 10_000 }, async () => {
      const id = `${door.name} leaves`;
      const connections = await app.connections();
      const res = await open(port, { path: `/endless?id=${encodeURIComponent(id)}` });
      await next(res);
      res.destroy();
      if (door.noticesByWriting) {
        // Past the web server, which might keep a connection for it.
        await exchange(app.http, { path: '/hello' });
        expect(app.has(id, 'abort')).toBe(false);
        app.go(id);
      }
      const left = performance.now();
      await Promise.all([app.event(id, 'close'), app.event(id, 'abort')]);
      expect(performance.now() - left).toBeLessThan(1000);
      await expect.poll(() => app.connections()).toBeLessThanOrEqual(connections);
    });

    it.each(['', '&length=28'])('never passes on as whole what an error has broken off%s', async (length) => {
      const id = `${door.name} breaks${length.length}`;
      const res = await open(port, { path: `/throw-late?id=${encodeURIComponent(id)}${length}` });
      expect(res.statusCode).toBe(200);
      expect(await next(res)).toBe('the first half');
      app.go(id);
      const end = once(res.resume(), 'end');
      if (door.endsBroken && length === '') {
        await end;
        await expect.poll(() => program?.output).toContain(door.endsBroken);
      } else {
        await expect(end).rejects.toThrow('aborted');
      }
    });

    it('never passes on as whole what an error has broken off at once', async () => {
      const answer = exchange(port, { path: '/throw-late?length=28' });
      // Nothing has left the web server yet: it may still answer with an error of its own.
      expect(await statusOf(answer)).toBeOneOf(['broken off', 502]);
    });

    it('answers 413 while 20 MB are on their way', async () => {
      const body = Buffer.alloc(20 * MEGABYTE);
      const answer = await exchange(port, { method: 'POST', path: '/refuse', body });
      expect(answer).toMatchObject({ status: 413, body: 'too large' });
    });

    it('does not mix up 200 requests at once', async () => {
      const ids = Array.from({ length: 200 }, (_, index) => `${index}`);
      const answers = await Promise.all(
        ids.map((id) =>
          exchange(port, {
            method: 'POST',
            path: `/mirror?id=${id}`,
            headers: [['X-Test', id]],
            body: Buffer.from(id),
          }),
        ),
      );
      const expected = (id: string, { status, body }: Answer) =>
        door.dropsSome && status === 500 ? body : JSON.stringify([id, id, id]);
      expect(answers.map(({ body }) => body)).toEqual(ids.map((id, index) => expected(id, answers[index]!)));
    });

    it('answers fast requests while a slow one waits', async () => {
      const id = `${door.name} waits`;
      const slow = exchange(port, { path: `/slow?id=${encodeURIComponent(id)}` });
      await app.event(id, 'begun');
      const fast = await Promise.all(Array.from({ length: 20 }, () => exchange(port, { path: '/hello' })));
      expect(fast.map((answer) => answer.body)).toEqual(Array(20).fill('Hello World'));
      app.go(id);
      expect((await slow).body).toBe('at last');
    });

    it('keeps its connection to the app, or closes it', async () => {
      await exchange(port, { path: '/hello' });
      if (door.keepsConnections) expect(await app.connections()).toBeGreaterThan(0);
      else await expect.poll(() => app.connections()).toBe(0);
    });

    it('leaves no connection to the app behind', async () => {
      await program?.stop();
      await expect.poll(() => app.connections()).toBe(0);
    });
  });
}

describeWith('nginx', 'nginx that passes uploads on as they come', () => {
  it.each([true, false])('gets a 413 through while 20 MB are on their way, connections kept: %s', async (keepAlive) => {
    const { port, program } = await startNginx({ path: app.socket }, { keepAlive, streamUploads: true });
    onTestFinished(async () => void (await program.stop()));
    const body = Buffer.alloc(20 * MEGABYTE);
    const answer = await exchange(port, { method: 'POST', path: '/refuse', body });
    expect(answer).toMatchObject({ status: 413, body: 'too large' });
  });
});

/** The next piece of a body. */
async function next(res: IncomingMessage): Promise<string> {
  const piece = once(res, 'data');
  res.resume();
  const [chunk] = await piece;
  res.pause();
  return chunk.toString();
}
