import { closeSync, fstatSync, readdirSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Pipe } from '../../../src/middleware/cgi/pipes.ts';
import { folderOf } from '../programs.ts';

const { TMPDIR, PATH } = process.env;

/** As in a new process. */
async function freshPipes(): Promise<{ take(): Promise<Pipe> }> {
  vi.resetModules();
  const { takePipe } = await import('../../../src/middleware/cgi/pipes.ts');
  const take = async () => {
    const pipe = await takePipe();
    taken.push(pipe);
    return pipe;
  };
  return { take };
}

let temporary: string;
const taken: Pipe[] = [];
beforeEach(() => {
  temporary = folderOf();
  process.env.TMPDIR = temporary;
});
afterEach(() => {
  for (const { read, write } of taken.splice(0)) {
    closeSync(read);
    closeSync(write);
  }
  process.env.PATH = PATH;
  if (TMPDIR === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = TMPDIR;
});

describe('takePipe', () => {
  it('gives each pipe once, however many ask at a time', async () => {
    const { take } = await freshPipes();
    const pipes = await Promise.all(Array.from({ length: 60 }, take));
    expect(new Set(pipes.flatMap(({ read, write }) => [read, write])).size).toBe(120);
    expect(new Set(pipes.map(({ read }) => fstatSync(read).ino)).size).toBe(60);
    for (const { read, write } of pipes) expect(fstatSync(read).ino).toBe(fstatSync(write).ino);
  });

  it('gives one that is at its end when its other end is closed', async () => {
    const { take } = await freshPipes();
    const { read, write } = await take();
    const bytes = Buffer.alloc(10);
    writeSync(write, 'bytes');
    expect(readSync(read, bytes)).toBe(5);
    closeSync(write);
    expect(readSync(read, bytes)).toBe(0);
    closeSync(read);
    taken.length = 0;
  });

  it('leaves nothing in the folder for temporary files', async () => {
    const { take } = await freshPipes();
    await take();
    expect(readdirSync(temporary)).toEqual([]);
  });

  it.each([
    ['folder for temporary files', () => Object.assign(process.env, { TMPDIR: join(temporary, 'none') })],
    ['mkfifo', () => Object.assign(process.env, { PATH: '/none' })],
  ])('fails where there is no %s, and leaves nothing; and can when there is one again', async (_, takeAway) => {
    const { take } = await freshPipes();
    takeAway();
    await expect(Promise.all([take(), take()])).rejects.toMatchObject({ code: 'ENOENT' });
    expect(readdirSync(temporary)).toEqual([]);
    process.env.PATH = PATH;
    process.env.TMPDIR = temporary;
    await take();
  });
});
