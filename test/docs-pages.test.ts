import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createApp } from '../src/index.ts';
import { pages } from '../src/middleware/index.ts';
import { served } from './core/served.ts';
import { makeSite } from './middleware/pages/site.ts';

const document = readFileSync(join(import.meta.dirname, '../docs/pages.md'), 'utf8');
const files = Object.fromEntries(
  Array.from(document.matchAll(/^```jhtml (\S+)\n(.*?)^```$/gms), ([, name, text]) => [name!, text!]),
);
const answers = Array.from(
  document.matchAll(/^`(\w+) (\S+?)(?: (\S+))?` → `(\d+)(?: (.*?))?`( on Node 22.13 and later)?$/gm),
  ([, method, path, body, status, text, later]) => ({ method, path, body, status, text, later }),
);
const canStripTypes = 'stripTypeScriptTypes' in (await import('node:module'));

describe('the pages in docs/pages.md', () => {
  it('are there', () => {
    expect(Object.keys(files).length).toBeGreaterThan(5);
    expect(answers.length).toBeGreaterThan(5);
  });

  it.each(answers.filter(({ later }) => canStripTypes || !later))(
    'answer $method $path as it says',
    async ({ method, path, body, status, text = '' }) => {
      const app = createApp({ env: 'test' });
      app.use(pages(makeSite(files)));
      const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
      const answer = await fetch((await served(app)) + path, { method, body, headers });
      expect(`${answer.status}`).toBe(status);
      // Lines are spaces in the document.
      if (status === '200') expect((await answer.text()).trim().replaceAll('\n', ' ')).toBe(text);
    },
  );
});
