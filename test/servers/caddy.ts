import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Address } from '../../src/adapters/address.ts';
import { caddy } from '../../src/cli/config/caddy.ts';
import { freePort, Program, temporaryFolder } from './program.ts';

/** Caddy with what `fcgi config caddy` prints, unless it is changed; for an app that hands it the files of a folder, if any. */
export async function startCaddy(
  socket: Address,
  edit = (site: string) => site,
  files?: string,
  pages?: string,
): Promise<{ port: number; program: Program }> {
  const folder = temporaryFolder();
  const port = await freePort();

  const file = join(folder, 'Caddyfile');
  const site = caddy({ socket, listen: { host: '127.0.0.1', port }, files, pages });
  writeFileSync(file, `{\n\tadmin off\n}\n\n${edit(site)}`);

  const program = new Program('caddy', ['run', '--config', file, '--adapter', 'caddyfile'], folder, {
    env: caddyEnv(folder),
  });
  await program.accepts(port);
  return { port, program };
}

/** Puts what Caddy remembers between runs into the folder. */
export function caddyEnv(folder: string): NodeJS.ProcessEnv {
  return { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder };
}

/** As `v2.6.2`; packagers leave the `v` out. Empty where there is none. */
export function caddyVersion(): string {
  const { stdout } = spawnSync('caddy', ['version'], { encoding: 'utf8' });
  return stdout ? stdout.replace(/^v?/, 'v') : '';
}
