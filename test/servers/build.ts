import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

/** Compiles src/ where dist/ is older: what runs in a process of its own runs the package as it is published. */
export function build(): void {
  const built = join(PROJECT, 'dist/index.js');
  if (existsSync(built)) {
    const sources = readdirSync(join(PROJECT, 'src'), { recursive: true, encoding: 'utf8' });
    const newest = Math.max(...sources.map((file) => statSync(join(PROJECT, 'src', file)).mtimeMs));
    if (newest < statSync(built).mtimeMs) return;
  }
  execFileSync('npm', ['run', 'build'], { cwd: PROJECT, stdio: ['ignore', 'ignore', 'inherit'] });
}
