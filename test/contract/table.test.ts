import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const here = import.meta.dirname;

/** The rows of docs/node-contract.md: of each its name, and what is in its last column. */
function rows(): [name: string, fastcgi: string][] {
  const text = readFileSync(join(here, '../../docs/node-contract.md'), 'utf8');
  const lines = text.split('\n').filter((line) => line.startsWith('| ') && !/^\| (?:\||---)/.test(line));
  return lines.map((line) => {
    const [name = '', , fastcgi = ''] = line.slice(2, -2).split(' | ');
    return [name.replaceAll('`', ''), fastcgi];
  });
}

/** A call that makes a row, by the name of its function and the row's own. */
const ROW =
  /^ *(same|differs|sameServer|differsServer|ends|timesOut|fails|captured|sameBehind|differsBehind)\(\s*(['"])(.*?)\2/gm;

function tested(): [name: string, differs: boolean][] {
  const files = readdirSync(here).filter((file) => file.endsWith('.test.ts') && file !== 'table.test.ts');
  return files.flatMap((file) =>
    [...readFileSync(join(here, file), 'utf8').matchAll(ROW)].map(([, made = '', , name = '']): [string, boolean] => [
      name,
      made.startsWith('differs'),
    ]),
  );
}

test('every row of docs/node-contract.md has a test of that name, and the other way round', () => {
  const names = rows().map(([name]) => name);
  expect(names.toSorted()).toEqual(
    tested()
      .map(([name]) => name)
      .toSorted(),
  );
  expect(new Set(names).size).toBe(names.length);
});

test('the rows that say "same" are those whose tests expect it', () => {
  const same = (fastcgi: string) => /^same\b/.test(fastcgi);
  const told = new Map(rows().map(([name, fastcgi]) => [name, !same(fastcgi)]));
  for (const [name, differs] of tested()) expect(told.get(name), name).toBe(differs);
});
