import { describe, expect, it } from 'vitest';
import { limitsFrom } from '../../../src/middleware/multipart/limits.ts';
import type { Part } from '../../../src/middleware/multipart/part.ts';
import { readParts } from '../../../src/middleware/multipart/parts.ts';
import { cut, form, part, requestOf } from './forms.ts';

/** The first part of a form, in its turn. */
async function inTurn<T>(body: Buffer, look: (part: Part) => Promise<T>): Promise<T> {
  for await (const part of readParts(requestOf(cut(body, 1000)), limitsFrom())) return await look(part);
  throw new Error('no part');
}

describe('a part', () => {
  it('has its bytes and its text', async () => {
    const bytes = Buffer.from([0, 255, 13, 10]);
    expect(await inTurn(form(part('a', bytes, { filename: 'a' })), (part) => part.bytes())).toEqual(bytes);
    expect(await inTurn(form(part('a', 'Grüße')), (part) => part.text())).toBe('Grüße');
  });

  it('decodes its text by the charset that it names', async () => {
    const latin = form(part('a', Buffer.from('Grüße', 'latin1'), { type: 'text/plain; charset=ISO-8859-1' }));
    expect(await inTurn(latin, (part) => part.text())).toBe('Grüße');
    const unknown = form(part('a', 'x', { type: 'text/plain; charset=klingon' }));
    await expect(inTurn(unknown, (part) => part.text())).rejects.toMatchObject({ code: 'FCGI_ERR_BODY_TYPE' });
  });

  it('is read into memory up to a limit, 1 MiB unless told', async () => {
    const body = (size: number) => form(part('a', Buffer.alloc(size), { filename: 'a' }));
    const code = 'FCGI_ERR_BODY_TOO_LARGE';
    expect(await inTurn(body(1 << 20), (part) => part.bytes())).toHaveLength(1 << 20);
    await expect(inTurn(body((1 << 20) + 1), (part) => part.bytes())).rejects.toMatchObject({ code });
    expect(await inTurn(body(10), (part) => part.text({ limit: 10 }))).toHaveLength(10);
    await expect(inTurn(body(11), (part) => part.text({ limit: 10 }))).rejects.toMatchObject({ code });
  });

  it('is read once, and in its turn', async () => {
    const code = 'FCGI_ERR_BODY_USED';
    await inTurn(form(part('a', 'x')), async (part) => {
      await part.text();
      await expect(part.text()).rejects.toMatchObject({ code });
    });
    const parts: Part[] = [];
    for await (const one of readParts(requestOf([form(part('a', 'x'), part('b', 'y'))]), limitsFrom())) parts.push(one);
    for (const part of parts) await expect(part.bytes()).rejects.toMatchObject({ code });
  });
});
