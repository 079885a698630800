import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { limitsFrom } from '../../../src/middleware/cgi/limits.ts';
import { type Leave, Slots } from '../../../src/middleware/cgi/slots.ts';

afterEach(() => {
  vi.useRealTimers();
});

const response = () => new ServerResponse(new IncomingMessage(new Socket()));

/** Slots, and who has entered by name, in their order. */
function slotsFor(maxProcesses: number, maxQueue: number) {
  const slots = new Slots(limitsFrom({ maxProcesses, maxQueue, timeout: 1000 }));
  const entered: string[] = [];
  const enter = (name: string, res = response()): Promise<Leave | undefined> =>
    slots.enter(res).then((leave) => {
      entered.push(leave ? name : `${name} left`);
      return leave;
    });
  return { enter, entered };
}

describe('Slots', () => {
  it('lets in as many as there are, and the others in their order', async () => {
    const { enter, entered } = slotsFor(2, 10);
    const [a, b] = await Promise.all([enter('a'), enter('b')]);
    const waiting = [enter('c'), enter('d'), enter('e')];
    expect(entered).toEqual(['a', 'b']);
    b!();
    await waiting[0];
    expect(entered).toEqual(['a', 'b', 'c']);
    a!();
    (await waiting[1])!();
    await waiting[2];
    expect(entered).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('gives each place back once', async () => {
    const { enter, entered } = slotsFor(1, 10);
    const a = await enter('a');
    a!();
    a!();
    await enter('b');
    const c = enter('c');
    a!();
    await Promise.resolve();
    expect(entered).toEqual(['a', 'b']);
    void c;
  });

  it('refuses who comes when the queue is full, and says when to come again', async () => {
    const { enter } = slotsFor(1, 1);
    const a = await enter('a');
    const b = enter('b');
    const res = response();
    await expect(enter('c', res)).rejects.toMatchObject({ code: 'FCGI_ERR_OVERLOADED', status: 503 });
    expect(res.getHeader('Retry-After')).toBe('1');
    a!();
    await b;
    await Promise.all([enter('d', response()).catch(() => {}), b.then((leave) => leave!())]);
  });

  it('may have no queue', async () => {
    const { enter } = slotsFor(1, 0);
    await enter('a');
    await expect(enter('b')).rejects.toMatchObject({ code: 'FCGI_ERR_OVERLOADED' });
  });

  it('lets nobody in who has left', async () => {
    const { enter, entered } = slotsFor(1, 2);
    const a = await enter('a');
    const res = response();
    const b = enter('b', res);
    const c = enter('c');
    res.destroy();
    res.emit('close');
    expect(await b).toBe(undefined);
    // Its place in the queue is free.
    const d = enter('d');
    a!();
    (await c)!();
    await d;
    expect(entered).toEqual(['a', 'b left', 'c', 'd']);
    expect(await enter('e', res)).toBe(undefined);
  });

  it('refuses who has waited too long', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { enter } = slotsFor(1, 2);
    const a = await enter('a');
    const b = enter('b');
    vi.advanceTimersByTime(999);
    const c = enter('c');
    vi.advanceTimersByTime(1);
    await expect(b).rejects.toMatchObject({ code: 'FCGI_ERR_OVERLOADED', status: 503 });
    a!();
    await c;
    // Nothing ticks for those who are in.
    expect(vi.getTimerCount()).toBe(0);
  });
});
