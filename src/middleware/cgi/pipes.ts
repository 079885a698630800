import { execFile } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmdirSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Its two ends, as file descriptors. */
export interface Pipe {
  read: number;
  write: number;
}

/** Made at a time: it takes a process. Those that wait hold two files each. */
const BATCH = 24;

const waiting: Pipe[] = [];
let making: Promise<void> | undefined;

/**
 * A pipe that is nobody else's. Node has none to give; but it can open FIFOs, whose names are then taken away.
 *
 * Rejects with the system's error, or mkfifo's.
 */
export async function takePipe(): Promise<Pipe> {
  while (waiting.length === 0) {
    making ??= make().finally(() => {
      making = undefined;
    });
    await making;
  }
  return waiting.pop()!;
}

async function make(): Promise<void> {
  // Nobody else may look into it.
  const folder = mkdtempSync(join(tmpdir(), 'fcgi-pipes-'));
  const names = Array.from({ length: BATCH }, (_, index) => join(folder, String(index)));
  try {
    await promisify(execFile)('mkfifo', ['-m', '600', ...names]);
    for (const name of names) waiting.push(openBoth(name));
  } finally {
    for (const name of names) remove(unlinkSync, name);
    remove(rmdirSync, folder);
  }
}

function openBoth(name: string): Pipe {
  // To open one end waits for the other; this is both.
  const both = openSync(name, constants.O_RDWR);
  try {
    const read = openSync(name, constants.O_RDONLY);
    try {
      return { read, write: openSync(name, constants.O_WRONLY) };
    } catch (error) {
      closeSync(read);
      throw error;
    }
  } finally {
    closeSync(both);
  }
}

function remove(by: (path: string) => void, path: string): void {
  try {
    by(path);
  } catch {
    // It was not made.
  }
}
