import type { Writable } from 'node:stream';
import { afterEach, expect, test, vi } from 'vitest';
import { FCGI_END_REQUEST, FCGI_STDERR, FCGI_STDOUT } from '../../../src/adapters/fastcgi/constants.ts';
import type { Response } from '../../../src/core/response.ts';
import { Door, eventually } from './client.ts';

const door = new Door();

afterEach(async () => {
  vi.restoreAllMocks();
  await door.close();
});

async function answerOf(act: (stderr: Writable, res: Response) => void, maxStderrBytes?: number) {
  const { client } = await door.serve((_req, res) => act((res as Response).stderr, res as Response), {
    maxStderrBytes,
  });
  return client.get();
}

test('what is written before the head leaves behind it', async () => {
  const answer = await answerOf((stderr, res) => {
    stderr.write('one\n');
    stderr.write(Buffer.from('two é\n'));
    setImmediate(() => res.end('x'));
  });
  expect(answer.stderr).toBe('one\ntwo é\n');
  expect(answer.records.map(({ type }) => type)).toEqual([FCGI_STDOUT, FCGI_STDERR, FCGI_STDOUT, FCGI_END_REQUEST]);
});

test('what is written in the middle of an answer leaves at once', async () => {
  let finish: (() => void) | undefined;
  const { client } = await door.serve((_req, res) => {
    res.write('begun');
    (res as Response).stderr.write('trouble\n');
    finish = () => res.end();
  });
  client.request();
  await client.until(() => client.exchange().stderr === 'trouble\n');
  finish!();
  await client.answer();
});

test('no more than the limit is kept or leaves, over all of the request', async () => {
  const answer = await answerOf((stderr, res) => {
    for (let n = 0; n < 100; n++) stderr.write('x'.repeat(100));
    res.write('begun');
    setImmediate(() => {
      stderr.write('more');
      res.end();
    });
  }, 1000);
  expect(answer.stderr).toBe('x'.repeat(1000));
});

test('a record carries at most 8 KiB, and everything arrives', async () => {
  const text = 'line\n'.repeat(6000);
  const answer = await answerOf((stderr, res) => {
    stderr.write(text);
    res.end();
  });
  expect(answer.stderr).toBe(text);
  const sizes = answer.records.filter(({ type }) => type === FCGI_STDERR).map(({ content }) => content.length);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(8192);
});

test('control characters, which could forge lines or drive a terminal, are replaced; line ends and tabs are not', async () => {
  const answer = await answerOf((stderr, res) => {
    stderr.write('a\x00b\x1b[31mc\rd\x7fe\u009bf\tg\nh');
    res.end();
  });
  expect(answer.stderr).toBe('a?b?[31mc?d?e?f\tg\nh');
});

test('text in any encoding is what it says', async () => {
  const answer = await answerOf((stderr, res) => {
    stderr.write('aGFsbG8=', 'base64');
    res.end();
  });
  expect(answer.stderr).toBe('hallo');
});

test('the door can still note something when the application has ended the stream', async () => {
  const answer = await answerOf((stderr, res) => {
    stderr.end('bye\n');
    res.setHeader('Content-Length', 1);
    res.end('too long');
  });
  expect(answer.stderr).toMatch(/^bye\nFCGI_ERR_RESPONSE_OVERRUN: 7 bytes /);
});

test("what comes after the answer goes to the process's own", async () => {
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const answer = await answerOf((stderr, res) => {
    res.on('finish', () => stderr.write('late\n'));
    res.end();
  });
  await eventually(() => expect(write).toHaveBeenCalledWith('late\n'));
  expect(answer.stderr).toBe('');
});
