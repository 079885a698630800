import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Input, MAX_PIPED_AT_ONCE, Stdio } from '../../../src/middleware/cgi/stdio.ts';
import { build, PROJECT } from '../../servers/build.ts';

beforeAll(build);

const openFiles = () => readdirSync('/proc/self/fd').length;

/** The two ends of the pipes that wait to be taken: fewer than would be open if each use left one. */
const WAITING = 2 * 24;

/** Runs sh with an input, and what it then has to read; gives what it writes to stdout and stderr. */
async function run(script: string, input: Input, content: Buffer | string = ''): Promise<[string, string]> {
  const stdio = await Stdio.open(input);
  const child = spawn('/bin/sh', ['-c', script], { stdio: stdio.descriptors });
  const streams = stdio.toStreams();
  stdio.close();
  // A pipe cannot be shut down, only closed.
  streams.stdin?.on('error', () => {}).end(content);
  const [out, err] = await Promise.all([text(streams.stdout), text(streams.stderr), once(child, 'exit')]);
  return [out, err];
}

describe('Stdio', () => {
  it.each<[string, Input, string]>([
    ['nothing', undefined, ''],
    ['an empty input', Buffer.alloc(0), ''],
    ['an input', Buffer.from('input'), 'input'],
    ['an input that streams', 'stream', 'input'],
  ])('gives %s', async (_, input, expected) => {
    expect(await run('cat; echo error >&2', input, expected)).toEqual([expected, 'error\n']);
  });

  it.each<[string, Input, number]>([
    ['nothing', undefined, 0],
    ['an empty input', Buffer.alloc(0), 0],
    ['a short input', Buffer.from('input'), 5],
    ['an input that is just not piped', Buffer.alloc(MAX_PIPED_AT_ONCE), MAX_PIPED_AT_ONCE],
    ['an input that streams', 'stream', MAX_PIPED_AT_ONCE + 1],
  ])('gives %s by the names of /dev as well', async (_, input, length) => {
    const content = input === 'stream' ? Buffer.alloc(length) : '';
    const [out, err] = await run('sleep 0.1; cat /dev/stdin | wc -c >/dev/stdout; echo e >/dev/stderr', input, content);
    expect([Number(out), err]).toEqual([length, 'e\n']);
  });

  it('passes bytes as they are', async () => {
    const bytes = randomBytes(3 * MAX_PIPED_AT_ONCE);
    const [out] = await run('sha256sum', 'stream', bytes);
    const [other] = await run('sha256sum', bytes);
    expect(out).toMatch(/^[0-9a-f]{64} /);
    expect(out).toBe(other);
  });

  it('leaves no file open, used or not', async () => {
    const before = openFiles();
    for (let round = 0; round < 60; round++) {
      for (const input of [undefined, Buffer.from('a'), 'stream'] as const) (await Stdio.open(input)).close();
    }
    expect(openFiles()).toBeLessThanOrEqual(before + WAITING);
    for (let round = 0; round < 60; round++) await run('cat', round % 2 ? 'stream' : Buffer.from('a'), 'a');
    expect(openFiles()).toBeLessThanOrEqual(before + WAITING);
  });

  it('leaves no file open where there are no more to be had', () => {
    const program = `import { closeSync, openSync, readdirSync } from 'node:fs';
      import { Stdio } from ${JSON.stringify(join(PROJECT, 'dist/middleware/cgi/stdio.js'))};
      const openFiles = () => readdirSync('/proc/self/fd').length;
      const before = openFiles();
      const opened = [];
      const results = [];
      for (let free = 0; free < 80; free++) {
        try { for (;;) opened.push(openSync('/dev/null')); } catch {}
        for (const fd of opened.splice(-free, free)) closeSync(fd);
        const stdio = await Stdio.open('stream').catch(({ code }) => ({ code, close() {} }));
        stdio.close();
        results.push(stdio.code ?? 'opened');
      }
      for (const fd of opened) closeSync(fd);
      console.log(JSON.stringify([results, openFiles() - before]));`;
    const script = 'ulimit -n 200; exec "$0" --input-type=module --eval "$1"';
    const output = execFileSync('sh', ['-c', script, process.execPath, program], { encoding: 'utf8' });
    const [results, left] = JSON.parse(output);
    expect([results[0], results.at(-1)]).toEqual(['EMFILE', 'opened']);
    expect(new Set(results)).toEqual(new Set(['EMFILE', 'opened']));
    expect(left).toBeLessThanOrEqual(WAITING);
  });
});
