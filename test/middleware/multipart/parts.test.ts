import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import { limitsFrom, type MultipartLimits } from '../../../src/middleware/multipart/limits.ts';
import type { Part } from '../../../src/middleware/multipart/part.ts';
import { type Progress, readParts } from '../../../src/middleware/multipart/parts.ts';
import { seeded } from '../../adapters/fastcgi/random.ts';
import { BOUNDARY, cut, END, form, part, requestOf, TYPE } from './forms.ts';

const read = (req: IncomingMessage, limits: Partial<MultipartLimits> = {}) => readParts(req, limitsFrom(limits));

/** What a loop that reads everything gets, or the code of what it throws. */
async function told(req: IncomingMessage, limits?: Partial<MultipartLimits>): Promise<unknown[]> {
  const parts: unknown[] = [];
  try {
    for await (const part of read(req, limits)) parts.push([part.name, part.filename, (await part.bytes()).toString()]);
  } catch (error) {
    return [(error as NodeJS.ErrnoException).code];
  }
  return parts;
}

const near = [`\r\n--${BOUNDARY.slice(0, -1)}`, `--${BOUNDARY}--`, `\r\n-`, `\r`, `\r\n\r\n`, `\n--${BOUNDARY}\n`];
const whole = form(
  part('title', 'Grüße'),
  part('empty', ''),
  part('photo', near.join(''), { filename: 'ü.bin' }),
  part('photo', '', { filename: '' }),
  part('last', '\r\n'),
);
const parts = [
  ['title', undefined, 'Grüße'],
  ['empty', undefined, ''],
  ['photo', 'ü.bin', near.join('')],
  ['photo', 'unnamed', ''],
  ['last', undefined, '\r\n'],
];

describe('a form', () => {
  it('is the same at whichever byte it is cut in two', async () => {
    for (let at = 0; at <= whole.length; at++) {
      const pieces = [whole.subarray(0, at), whole.subarray(at)].filter(({ length }) => length > 0);
      expect(await told(requestOf(pieces))).toEqual(parts);
    }
  });

  it('is the same in single bytes, and in pieces of any sizes', async () => {
    expect(await told(requestOf(cut(whole, 1)))).toEqual(parts);
    const random = seeded(1);
    for (let round = 0; round < 200; round++) {
      expect(await told(requestOf(cut(whole, () => 1 + random(40))))).toEqual(parts);
    }
  });

  it('is refused as cut off, wherever that is', async () => {
    const end = whole.length - '\r\n'.length;
    for (let length = 0; length < end; length++) {
      expect(await told(requestOf(cut(whole.subarray(0, length), 1 + (length % 50))))).toEqual([
        'FCGI_ERR_BODY_SYNTAX',
      ]);
    }
    expect(await told(requestOf([whole.subarray(0, end)]))).toEqual(parts);
  });

  it('may have nothing in it, and text around it', async () => {
    expect(await told(requestOf([END]))).toEqual([]);
    const around = Buffer.concat([Buffer.from('This is MIME.\r\n'), whole, Buffer.from(`More.\r\n--${BOUNDARY}\r\n`)]);
    for (const size of [1, 7, around.length]) expect(await told(requestOf(cut(around, size)))).toEqual(parts);
  });

  it.each([
    ['in quotes', 'multipart/form-data; boundary="a b:c"', 'a b:c'],
    ['of 70 characters', `Multipart/Form-Data;boundary=${'x'.repeat(70)}`, 'x'.repeat(70)],
    ['of all characters that it may have', `multipart/form-data; boundary="'()+_,-./:=?"; charset=x`, "'()+_,-./:=?"],
  ])('may have a boundary %s', async (_what, type, boundary) => {
    const body = Buffer.from(form(part('a', 'x'), part('b', 'y')).toString().replaceAll(BOUNDARY, boundary));
    expect(await told(requestOf([body], { headers: { 'content-type': type } }))).toEqual([
      ['a', undefined, 'x'],
      ['b', undefined, 'y'],
    ]);
  });
});

describe('a request that has no form', () => {
  it.each([
    ['another type', { 'content-type': 'application/json' }, 'FCGI_ERR_BODY_TYPE'],
    ['no type', { 'content-type': '' }, 'FCGI_ERR_BODY_TYPE'],
    ['another multipart type', { 'content-type': 'multipart/mixed; boundary=x' }, 'FCGI_ERR_BODY_TYPE'],
    ['a type that only begins so', { 'content-type': 'multipart/form-database; boundary=x' }, 'FCGI_ERR_BODY_TYPE'],
    ['a compressed form', { 'content-type': TYPE, 'content-encoding': 'gzip' }, 'FCGI_ERR_BODY_TYPE'],
    ['no boundary', { 'content-type': 'multipart/form-data' }, 'FCGI_ERR_BODY_SYNTAX'],
    ['an empty boundary', { 'content-type': 'multipart/form-data; boundary=""' }, 'FCGI_ERR_BODY_SYNTAX'],
    ['a boundary that is too long', { 'content-type': `${TYPE}${'x'.repeat(70)}` }, 'FCGI_ERR_BODY_SYNTAX'],
    ['a boundary that is no text', { 'content-type': 'multipart/form-data; boundary="ü"' }, 'FCGI_ERR_BODY_SYNTAX'],
  ])('is refused: %s', async (_what, headers, code) => {
    expect(await told(requestOf([whole], { headers }))).toEqual([code]);
  });

  it('is refused where others have read it', async () => {
    const req = requestOf([whole]);
    expect(await told(req)).toEqual(parts);
    expect(await told(req)).toEqual(['FCGI_ERR_BODY_USED']);
  });
});

describe('a malformed form', () => {
  const disposition = 'Content-Disposition: form-data; name="a"';
  it.each([
    ['a part without a header', `--${BOUNDARY}\r\n\r\nx\r\n`],
    ['a part that ends in its header', `--${BOUNDARY}\r\n${disposition}\r\n`],
    ['a part that is nothing', `--${BOUNDARY}\r\n`],
    ['a header without a colon', `--${BOUNDARY}\r\nnonsense\r\n${disposition}\r\n\r\nx\r\n`],
    ['a header with a line feed alone', `--${BOUNDARY}\r\n${disposition}\nX: y\r\n\r\nx\r\n`],
    ['line feeds alone', `--${BOUNDARY}\n${disposition}\n\nx\n`],
    ['a boundary with more behind it', `--${BOUNDARY}x\r\n${disposition}\r\n\r\nx\r\n`],
    ['a part without a disposition', part('a', 'x', { header: 'Content-Type: text/plain' }).toString()],
    ['a part that is no field', part('a', 'x', { header: disposition.replace('form-data', 'attachment') }).toString()],
  ])('is refused wherever it is cut: %s', async (_what, begin) => {
    const body = Buffer.concat([Buffer.from(begin), form(part('b', 'y'))]);
    expect(await told(requestOf(cut(body, 1)))).toEqual(['FCGI_ERR_BODY_SYNTAX']);
    for (let at = 1; at < body.length; at++) {
      expect(await told(requestOf([body.subarray(0, at), body.subarray(at)]))).toEqual(['FCGI_ERR_BODY_SYNTAX']);
    }
  });
});

it('sees nothing of a header behind a line that is none', async () => {
  const lines = ['Content-Disposition: form-data; name="a"', 'nonsense', 'Content-Transfer-Encoding: base64'];
  const body = form(part('a', 'eA==', { header: lines.join('\r\n') }));
  expect(await told(requestOf([body]))).toEqual([['a', undefined, 'eA==']]);
});

describe('a limit', () => {
  const fields = (count: number) => form(...Array.from({ length: count }, (_, i) => part(`${i}`, 'x')));
  const file = (size: number) => part('f', Buffer.alloc(size), { filename: 'f' });
  const long = (size: number) =>
    part('a', 'x', { header: `Content-Disposition: form-data; name="a"\r\nX: ${'y'.repeat(size)}` });
  it.each<[Partial<MultipartLimits>, Buffer, Buffer, string]>([
    [{ parts: 2 }, fields(2), fields(3), 'FCGI_ERR_BODY_TOO_LARGE'],
    [{ fields: 2 }, fields(2), fields(3), 'FCGI_ERR_BODY_TOO_LARGE'],
    [{ fields: 0 }, END, fields(1), 'FCGI_ERR_BODY_TOO_LARGE'],
    [{ files: 1 }, form(file(1)), form(file(1), file(1)), 'FCGI_ERR_BODY_TOO_LARGE'],
    [{ fileSize: 99_999 }, form(file(99_999), file(99_999)), form(file(100_000)), 'FCGI_ERR_BODY_TOO_LARGE'],
    [{ fieldsSize: 2 }, form(part('a', 'x'), file(9), part('a', 'x')), fields(3), 'FCGI_ERR_BODY_TOO_LARGE'],
    [{ fieldNameSize: 1 }, fields(1), form(part('ab', 'x')), 'FCGI_ERR_BODY_TOO_LARGE'],
    [{ headerSize: 2000 }, form(long(1900)), form(long(2000)), 'FCGI_ERR_BODY_TOO_LARGE'],
    [{ headerSize: 2000 }, form(long(1)), form(long(1_000_000)), 'FCGI_ERR_BODY_TOO_LARGE'],
    [{ headerPairs: 1 }, fields(1), form(long(1)), 'FCGI_ERR_BODY_TOO_LARGE'],
    [{ totalSize: whole.length }, whole, Buffer.concat([whole, Buffer.from('x')]), 'FCGI_ERR_BODY_TOO_LARGE'],
  ])('holds: %o', async (limits, within, beyond, code) => {
    for (const size of [100, 65536]) {
      expect((await told(requestOf(cut(within, size)), limits)).filter((part) => typeof part === 'string')).toEqual([]);
      expect(await told(requestOf(cut(beyond, size)), limits)).toEqual([code]);
    }
  });

  it('refuses by its length what says that it is too long, and reads nothing of it', async () => {
    const req = requestOf([], { headers: { 'content-type': TYPE, 'content-length': '1001' }, whole: false });
    expect(await told(req, { totalSize: 1000 })).toEqual(['FCGI_ERR_BODY_TOO_LARGE']);
  });
});

describe('the loop', () => {
  it('drops what is not read, whole or in part', async () => {
    const large = part('large', Buffer.alloc(300_000), { filename: 'x' });
    const names: string[] = [];
    for await (const part of read(requestOf(cut(form(large, large, large, large, large), 10_000)))) {
      names.push(part.name);
      if (names.length === 2) await once(part, 'readable');
      if (names.length === 3) for await (const _chunk of part) break;
      if (names.length === 4) part.destroy();
      if (names.length === 5) part.pause();
    }
    expect(names).toHaveLength(5);
  });

  it('waits for who reads a part and did not say so', async () => {
    const content = Buffer.alloc(300_000, 'abc');
    const copies: Promise<Buffer>[] = [];
    for await (const part of read(requestOf(cut(form(fileOf(content), fileOf(content)), 10_000)))) {
      copies.push(buffer(part.pipe(new PassThrough())));
    }
    for (const copy of copies) expect(content.equals(await copy)).toBe(true);
    expect(copies).toHaveLength(2);
  });

  it('lets the rest run dry when it is left, and gives up the part', async () => {
    const req = requestOf(cut(form(fileOf(Buffer.alloc(500_000)), part('a', 'x')), 10_000));
    let kept: Part | undefined;
    for await (const part of read(req)) {
      kept = part;
      break;
    }
    expect(kept?.destroyed).toBe(true);
    await expect(pipeline(kept!, new PassThrough())).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
    await ended(req);
    expect(req.listenerCount('data')).toBe(0);
  });

  it('lets the rest run dry when it is left, though another part has begun', async () => {
    const body = form(part('a', 'x'), fileOf(Buffer.alloc(500_000)));
    const req = requestOf([body.subarray(0, 10_000)], { whole: false });
    for await (const _part of read(req)) break;
    for (const chunk of cut(body.subarray(10_000), 10_000)) req.push(chunk);
    req.push(null);
    expect(req.isPaused()).toBe(false);
    await ended(req);
  });

  it('throws what is thrown in it', async () => {
    const req = requestOf([whole]);
    const thrown = (async () => {
      for await (const _part of read(req)) throw new Error('enough');
    })();
    await expect(thrown).rejects.toThrow('enough');
    await ended(req);
  });

  it('fails while a part is read, as that part does', async () => {
    const body = form(fileOf(Buffer.alloc(100_000)));
    const errors: unknown[] = [];
    const reading = (async () => {
      for await (const part of read(requestOf(cut(body.subarray(0, 50_000), 10_000)))) {
        await part.text().catch((error) => errors.push(error));
      }
    })();
    await reading.catch((error) => errors.push(error));
    expect(errors).toEqual(Array(2).fill(expect.objectContaining({ code: 'FCGI_ERR_BODY_SYNTAX' })));
  });

  it("throws the request's own error when the client goes away", async () => {
    for (const reads of [true, false]) {
      const req = requestOf(cut(whole.subarray(0, 150), 10), { whole: false });
      const gone = Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
      const reading = (async () => {
        for await (const part of read(req)) {
          if (reads && part.name === 'title') expect(await part.text()).toBe('Grüße');
          else req.destroy(gone);
        }
      })();
      await expect(reading).rejects.toBe(gone);
    }
  });

  it('waits for the end of the body after the last part', async () => {
    const req = requestOf([whole], { whole: false });
    const reading = read(req);
    for (const [name] of parts) expect((await reading.next()).value).toMatchObject({ name });
    const end = reading.next();
    const epilogue = once(req, 'data');
    req.push('epilogue');
    expect(await Promise.race([end, epilogue])).toEqual([Buffer.from('epilogue')]);
    req.push(null);
    expect(await end).toEqual({ done: true, value: undefined });
  });

  it('reads no further ahead of a part than streams do, and not at all past one that waits', async () => {
    const req = requestOf([form(part('a', 'x'), part('b', 'y')).subarray(0, -10)], { whole: false });
    const reading = read(req);
    await reading.next();
    expect(req.isPaused()).toBe(true);
    const { value } = await reading.next();
    let pushed = 0;
    for (; !req.isPaused() && pushed < 1e6; pushed += 10_000) {
      req.push(Buffer.alloc(10_000));
      await new Promise(setImmediate);
    }
    expect(pushed).toBeLessThan(100_000);
    expect((value as Part).readableLength).toBeLessThan(100_000);
    await reading.return();
    expect(req.isPaused()).toBe(false);
  });
});

describe("'progress'", () => {
  it('tells how much has come, and of how much', async () => {
    const headers = { 'content-type': TYPE, 'content-length': `${whole.length}` };
    const req = requestOf(cut(whole, 100), { headers });
    const all: Progress[] = [];
    req.on('progress', (progress) => all.push(progress));
    await told(req);
    const loaded = cut(whole, 100).map((_, index) => Math.min(whole.length, 100 * (index + 1)));
    expect(all).toEqual(loaded.map((loaded) => ({ loaded, total: whole.length })));
  });

  it('does not know the length of what is sent without one', async () => {
    const req = requestOf([whole]);
    const progress = once(req, 'progress');
    await told(req);
    expect(await progress).toEqual([{ loaded: whole.length, total: undefined }]);
  });
});

async function ended(req: IncomingMessage): Promise<void> {
  if (!req.readableEnded) await once(req, 'end');
}

function fileOf(content: Buffer): Buffer {
  return part('file', content, { filename: 'file.bin' });
}
