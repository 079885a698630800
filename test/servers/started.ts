import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { PROJECT } from './build.ts';
import { installNode, installPackage } from './installed.ts';

let installed: string | undefined;

/** test/servers/started.js, installed where whoever starts it may have another user's process do so. */
export class Started {
  /** A folder of its own. */
  readonly folder: string;
  /** It can be executed. */
  readonly file: string;

  private readonly diary: string;

  constructor(name: string) {
    if (installed === undefined) {
      installed = installPackage();
      writeFileSync(join(installed, 'package.json'), '{ "type": "module" }');
      installNode(installed);
      // Where its first line looks for node.
      process.env.PATH = `${installed}:${process.env.PATH}`;
    }
    this.folder = join(installed, name.replace(/\W+/g, '-'));
    mkdirSync(this.folder);
    chmodSync(this.folder, 0o777);
    this.file = join(this.folder, 'app.js');
    copyFileSync(join(PROJECT, 'test/servers/started.js'), this.file);
    chmodSync(this.file, 0o755);
    this.diary = join(this.folder, 'diary');
  }

  /** Those of its processes that served: their ids, with the exit codes of those that have ended. */
  get processes(): Map<number, number | undefined> {
    const codes = new Map(this.noted(/^(\d+) ends with (\d+)$/gm).map(([, pid, code]) => [pid, Number(code)]));
    return new Map(this.noted(/^(\d+) serves$/gm).map(([, pid]) => [Number(pid), codes.get(pid)]));
  }

  private get running(): number[] {
    return this.noted(/^(\d+) begins$/gm)
      .map(([, pid]) => Number(pid))
      .filter(isRunning);
  }

  private noted(pattern: RegExp): RegExpExecArray[] {
    return existsSync(this.diary) ? [...readFileSync(this.diary, 'utf8').matchAll(pattern)] : [];
  }

  /** Waits until so many of its processes serve, and none has only begun. */
  async serves(count: number): Promise<void> {
    while (this.processes.size < count || this.running.some((pid) => !this.processes.has(pid))) await setTimeout(10);
  }

  /** Waits until none of its processes runs any more. */
  async ended(): Promise<void> {
    while (this.running.length > 0) await setTimeout(10);
  }

  static uninstall(): void {
    if (installed !== undefined) rmSync(installed, { recursive: true });
  }

  /** Ends what a failed test has left. */
  kill(): void {
    for (const pid of this.running) process.kill(pid, 'SIGKILL');
  }
}

function isRunning(pid: number): boolean {
  try {
    // Not where only nobody has waited for it yet.
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
