import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { eventually } from '../adapters/fastcgi/client.ts';

/** The examples, which are tested as well. */
export const EXAMPLES = join(import.meta.dirname, '../../examples/cgi-bin');

/** A folder that goes after the test, with files by their names in it; those of a name with `.sh` or `.py` are executable. */
export function folderOf(files: Record<string, string> = {}): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'fcgi-cgi-')));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [name, content] of Object.entries(files)) addFile(join(folder, name), content);
  return folder;
}

export function addFile(file: string, content: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content, { mode: /\.(sh|py)$/.test(file) ? 0o755 : 0o644 });
}

/** A program for sh. */
export function sh(...lines: string[]): string {
  return ['#!/bin/sh', ...lines, ''].join('\n');
}

/** Resolves with a file's content, once there is a whole line in it. */
export async function lineIn(file: string): Promise<string> {
  let content = '';
  await eventually(() => {
    content = readFileSync(file, 'utf8');
    if (!content.endsWith('\n')) throw new Error(`no line in ${file}`);
  });
  return content.trim();
}

/** Whether a process runs; one that has ended and waits for its parent to look does not. */
export function isRunning(pid: number | string): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

export function ended(...pids: (number | string)[]): Promise<void> {
  return eventually(() => {
    for (const pid of pids) if (isRunning(pid)) throw new Error(`${pid} runs`);
  });
}
