import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, Program, replaceOnce, temporaryFolder } from './program.ts';

const EXAMPLE = new URL('../../examples/hello/Caddyfile', import.meta.url);

/**
 * Caddy as examples/hello/Caddyfile sets it up, but for addresses.
 *
 * @param fastcgi the FastCGI application: `unix/PATH` or `HOST:PORT`
 */
export async function startCaddy(fastcgi: string): Promise<{ port: number; program: Program }> {
  const folder = temporaryFolder();
  const port = await freePort();

  let config = readFileSync(EXAMPLE, 'utf8');
  config = replaceOnce(config, 'http://:8081 {', `http://:${port} {`);
  config = replaceOnce(config, 'reverse_proxy unix/fcgi.sock {', `reverse_proxy ${fastcgi} {`);
  const file = join(folder, 'Caddyfile');
  writeFileSync(file, config);

  // What Caddy remembers between runs goes where the rest goes.
  const env = { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder };
  const program = new Program('caddy', ['run', '--config', file, '--adapter', 'caddyfile'], folder, { env });
  await program.accepts(port);
  return { port, program };
}

/** As `v2.6.2`; packagers leave the `v` out. Empty where there is none. */
export function caddyVersion(): string {
  const { stdout } = spawnSync('caddy', ['version'], { encoding: 'utf8' });
  return stdout ? stdout.replace(/^v?/, 'v') : '';
}
