import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compile } from './compile.ts';
import { PageError } from './page-error.ts';
import { SCOPE } from './scope.ts';

/** Compiles each page of a folder and the folders in it, those of packages excepted: how many, and what is wrong with them. */
export function checkPages(root: string, extensions: readonly string[]): { pages: number; errors: PageError[] } {
  const files = pagesOf(root, extensions);
  const errors = files.flatMap((file) => {
    try {
      compile(readFileSync(file, 'utf8'), file, SCOPE);
      return [];
    } catch (error) {
      if (error instanceof PageError) return [error];
      throw error;
    }
  });
  return { pages: files.length, errors };
}

function pagesOf(folder: string, extensions: readonly string[]): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return /^(\.|node_modules$)/.test(entry.name) ? [] : pagesOf(path, extensions);
      return entry.isFile() && extensions.some((extension) => path.endsWith(extension)) ? [path] : [];
    });
}
