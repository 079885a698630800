import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Seconds ago that a file was written, so that nobody waits whether it still is. */
const LONG_AGO = 100_000;

let writes = 0;

/** Writes a file as if it had been there for a while, at another time than any before. */
export function writePage(folder: string, name: string, text: string | Buffer): string {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  writes += 1;
  const time = Date.now() / 1000 - LONG_AGO + writes;
  utimesSync(file, time, time);
  return file;
}

/** A folder with these files, gone after the test. */
export function makeSite(files: Record<string, string | Buffer>): string {
  const folder = mkdtempSync(join(tmpdir(), 'fcgi-site-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writePage(folder, name, text);
  return folder;
}
