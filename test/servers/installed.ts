import { chmodSync, cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build, PROJECT } from './build.ts';
import { temporaryFolder } from './program.ts';

/**
 * A folder in which the package is installed as it is published, with Node itself: what a web server starts runs as another
 * user, who may not look into the project's folder.
 */
export function installPackage(): string {
  build();
  const folder = temporaryFolder();
  chmodSync(folder, 0o755);
  copyPackage(PROJECT, join(folder, 'node_modules/fcgi'));
  return folder;

  function copyPackage(from: string, to: string): void {
    const { files, dependencies = {} } = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8'));
    for (const part of from === PROJECT ? ['package.json', ...files] : ['.']) {
      if (existsSync(join(from, part))) cpSync(join(from, part), join(to, part), { recursive: true });
    }
    for (const name of Object.keys(dependencies)) {
      const target = join(folder, 'node_modules', name);
      if (!existsSync(target)) copyPackage(locate(name, from), target);
    }
  }
}

/** Where a package finds another, as Node looks for it. */
function locate(name: string, from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    const found = join(folder, 'node_modules', name);
    if (existsSync(join(found, 'package.json'))) return found;
    if (folder === dirname(folder)) throw new Error(`${name} is not installed`);
  }
}

/** Writes an executable program into such a folder. */
export function installProgram(folder: string, name: string, code: string): string {
  const file = join(folder, name);
  writeFileSync(file, `#!${installNode(folder)}\n${code}`);
  chmodSync(file, 0o755);
  return file;
}

/** Puts this Node into the folder. */
export function installNode(folder: string): string {
  const node = join(folder, 'node');
  if (!existsSync(node)) {
    cpSync(process.execPath, node);
    chmodSync(node, 0o755);
  }
  return node;
}
