import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Those that are there: whatever ends the process and lets it do something before, removes them. */
const present = new Set<string>();

const SIGNALS: NodeJS.Signals[] = ['SIGHUP', 'SIGINT', 'SIGTERM'];

/** A folder for the files of one request, made when it is first asked for; only this user may look into it. */
export class TemporaryFolder {
  readonly #parent: string;
  #made: Promise<string> | undefined;

  constructor(parent: string) {
    this.#parent = parent;
  }

  /** Rejects as the file system does. */
  path(): Promise<string> {
    this.#made ??= make(this.#parent);
    return this.#made;
  }

  /** Removes it and what is in it. What cannot be removed is tried once more when the process ends. */
  async remove(): Promise<void> {
    const path = await this.#made?.catch(() => undefined);
    if (path === undefined) return;
    await rm(path, { recursive: true, force: true, maxRetries: 3 }).then(
      () => forget(path),
      () => {},
    );
  }
}

async function make(parent: string): Promise<string> {
  const path = await mkdtemp(join(parent, 'fcgi-upload-'));
  if (present.size === 0) {
    process.on('exit', removeAll);
    // Before whoever listens only once: whether there is somebody is asked in `onSignal`.
    for (const signal of SIGNALS) process.prependListener(signal, onSignal);
  }
  present.add(path);
  return path;
}

function forget(path: string): void {
  present.delete(path);
  if (present.size > 0) return;
  process.off('exit', removeAll);
  for (const signal of SIGNALS) process.off(signal, onSignal);
}

function removeAll(): void {
  for (const path of present) {
    try {
      rmSync(path, { recursive: true, force: true });
    } catch {
      // The others are to go nevertheless.
    }
  }
}

/** Ends the process as the signal would have, unless somebody else has something to do before: then 'exit' follows. */
function onSignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  removeAll();
  process.off(signal, onSignal);
  process.kill(process.pid, signal);
}
