import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { FcgiClient, upstream } from '../../../src/adapters/client/index.ts';
import { FCGI_OVERLOADED } from '../../../src/adapters/fastcgi/protocol.ts';
import { freePort } from '../../servers/program.ts';
import { type Answerer, application, clientOf, codeOf, GET, POST } from './application.ts';

const named =
  (name: string): Answerer =>
  (request) =>
    request.answer(name);

const ask = async (client: FcgiClient, params: object = GET, body?: string) =>
  text((await client.request(params as typeof GET, body)).stdout);

describe('an upstream', () => {
  it('has each request go to the least busy', async () => {
    const apps = await Promise.all([application(() => {}), application(() => {}), application(() => {})]);
    const client = clientOf(upstream(apps.map(({ address }) => address)));
    const answers = Array.from({ length: 9 }, () => ask(client));
    for (const app of apps) await app.until(() => app.requests.length === 3);
    for (const app of apps) for (const request of app.requests) request.answer('');
    await Promise.all(answers);
  });

  it('waits for room in any of them', async () => {
    const apps = await Promise.all([application(() => {}), application(() => {})]);
    const client = clientOf(upstream(apps.map(({ address }) => address)), { connections: 1 });
    const answers = [1, 2, 3].map(() => ask(client));
    for (const app of apps) await app.until(() => app.requests.length === 1);
    apps[1].requests[0].answer('');
    await apps[1].until(() => apps[1].requests.length === 2);
    apps[1].requests[1].answer('');
    apps[0].requests[0].answer('');
    await Promise.all(answers);
  });

  it('loses no request, of any method, where one cannot be connected to', async () => {
    const app = await application(named('up'));
    const client = clientOf(upstream([await freePort(), app.address]));
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(client, POST, 'body')));
    expect(new Set(answers)).toEqual(new Set(['up']));
  });

  it.each<[string, Answerer]>([
    ['closes', (request) => request.socket.destroy()],
    ['is overloaded', (request) => request.end(0, FCGI_OVERLOADED)],
  ])('has another answer an idempotent request where one %s', async (_, failing) => {
    const [bad, good] = [await application(failing), await application(named('good'))];
    const client = clientOf(upstream([bad.address, good.address]));
    expect(await ask(client)).toBe('good');
    expect(bad.requests).toHaveLength(1);
  });

  it('has no other answer a POST that one may have begun to work on', async () => {
    const [bad, good] = [await application((request) => request.socket.destroy()), await application(named('good'))];
    const client = clientOf(upstream([bad.address, good.address]));
    expect(await codeOf(ask(client, POST))).toBe('FCGI_ERR_CLIENT_CLOSED');
    expect(good.requests).toHaveLength(0);
  });

  it('has no other answer what one has begun to answer', async () => {
    const [bad, good] = [
      await application((request) => request.stdout('X').socket.end()),
      await application(named('good')),
    ];
    const client = clientOf(upstream([bad.address, good.address]));
    expect(await codeOf(ask(client))).toBe('FCGI_ERR_CLIENT_CLOSED');
    expect(good.requests).toHaveLength(0);
  });

  it('takes an answer that is none for the fault of one page, not of the backend', async () => {
    const [bad, good] = [await application((request) => request.end()), await application(named('good'))];
    const client = clientOf(upstream([bad.address, good.address]));
    for (let i = 1; i <= 3; i++) {
      expect(await codeOf(ask(client))).toBe('FCGI_ERR_CLIENT_PROTOCOL');
      expect(bad.requests).toHaveLength(i);
    }
  });

  it('has another in the place of one that speaks something else', async () => {
    const [bad, good] = [
      await application(({ socket }) => socket.end('HTTP/1.1 400\r\n')),
      await application(named('good')),
    ];
    const client = clientOf(upstream([bad.address, good.address]));
    expect(await codeOf(ask(client))).toBe('FCGI_ERR_CLIENT_PROTOCOL');
    expect(await ask(client)).toBe('good');
  });

  it('fails with the last error where all fail, each tried once', async () => {
    const apps = await Promise.all([1, 2, 3].map(() => application((request) => request.socket.destroy())));
    const client = clientOf(upstream(apps.map(({ address }) => address)));
    expect(await codeOf(ask(client))).toBe('FCGI_ERR_CLIENT_CLOSED');
    expect(apps.map(({ requests }) => requests.length)).toEqual([1, 1, 1]);
  });

  it('leaves alone one that failed, tries it again after a while, and then has it back', async () => {
    let down = true;
    const bad = await application((request) => (down ? request.socket.destroy() : request.answer('back')));
    const good = await application(named('good'));
    const client = clientOf(upstream([bad.address, good.address], { failTimeout: 20 }));
    expect(await ask(client)).toBe('good');
    expect(await ask(client)).toBe('good');
    expect(bad.requests).toHaveLength(1);
    down = false;
    await expect.poll(() => ask(client), { interval: 5 }).toBe('back');
    // Least busy again, from the first one on.
    expect(await ask(client)).toBe('back');
  });

  it('has one request alone try what was down', async () => {
    const bad = await application((request) => request.socket.destroy());
    const good = await application(() => {});
    const client = clientOf(upstream([bad.address, good.address], { failTimeout: 1, maxFailTimeout: 1 }));
    const first = ask(client);
    await good.until(() => good.requests.length === 1);
    const before = bad.requests.length;
    const others = Array.from({ length: 5 }, () => ask(client));
    await good.until(() => good.requests.length === 6);
    expect(bad.requests.length - before).toBeLessThanOrEqual(5);
    for (const request of good.requests) request.answer('');
    await Promise.all([first, ...others]);
  });

  it('where all are down tries the one that was so first, and refuses nobody unheard', async () => {
    let down = true;
    const answerer: Answerer = (request) => (down ? request.socket.destroy() : request.answer('up'));
    const apps = await Promise.all([application(answerer), application(answerer)]);
    const client = clientOf(upstream(apps.map(({ address }) => address)));
    expect(await codeOf(ask(client))).toBe('FCGI_ERR_CLIENT_CLOSED');
    down = false;
    expect(await ask(client)).toBe('up');
  });

  it('loses no idempotent request when a backend stops under load', async () => {
    const apps = await Promise.all(['a', 'b', 'c'].map((name) => application(named(name))));
    const client = clientOf(upstream(apps.map(({ address }) => address)), { keepAlive: true, connections: 10 });
    let left = 2000;
    const ends = Array.from({ length: 20 }, async () => {
      while (left-- > 0) {
        if (left === 1000) {
          apps[1].server.close();
          for (const socket of apps[1].sockets) socket.destroy();
        }
        expect(await ask(client)).toMatch(/^[abc]$/);
      }
    });
    await Promise.all(ends);
  });

  it.each<[string, () => unknown, string]>([
    ['no address', () => upstream([]), 'FCGI_ERR_ARGUMENT'],
    ['an address twice', () => upstream([9000, '127.0.0.1:9000']), 'FCGI_ERR_ARGUMENT'],
    ['what is no address', () => upstream(['ftp://a']), 'FCGI_ERR_ADDRESS'],
    ['a time that is none', () => upstream([9000], { failTimeout: 0 }), 'FCGI_ERR_OPTION'],
  ])('refuses %s', (_, make, code) => {
    expect(make).toThrow(expect.objectContaining({ code }));
  });

  it('tells the values of its first', async () => {
    const client = new FcgiClient(upstream([await freePort()]));
    expect(await codeOf(client.values())).toBe('FCGI_ERR_CLIENT_CONNECT');
  });
});
