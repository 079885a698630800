import fs from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { PageCache } from '../../../src/middleware/pages/page-cache.ts';
import { makeSite } from './site.ts';

vi.mock('node:fs/promises', { spy: true });

describe('PageCache', () => {
  const fileOf = (text: string) => join(makeSite({ 'page.jhtml': text }), 'page.jhtml');

  it('reads a page again that could not be read', async () => {
    const cache = new PageCache(0, 0);
    const file = fileOf('text');
    vi.mocked(fs.readFile).mockRejectedValueOnce(Object.assign(new Error('too many files'), { code: 'EMFILE' }));
    await expect(cache.get(file)).rejects.toThrow('too many files');
    expect(await cache.get(file)).toMatchObject({ file, source: 'text' });
  });

  it('does not compile a page again that has an error, until it changes', async () => {
    const cache = new PageCache(0, 0);
    const file = fileOf('<? let x = ; ?>');
    const first = cache.get(file);
    await expect(first).rejects.toThrow();
    expect(cache.get(file)).toBe(first);
  });
});
