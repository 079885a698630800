import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Address } from '../../src/adapters/address.ts';
import { haproxy } from '../../src/cli/config/haproxy.ts';
import { freePort, Program, temporaryFolder } from './program.ts';

export interface HaproxyOptions {
  /** Whether several requests share a connection to the application. */
  multiplex?: boolean;
  /** What is made of the configuration. */
  edit?: (config: string) => string;
}

/** HAProxy with what `fcgi config haproxy` prints, but for what the options say. */
export async function startHaproxy(
  socket: Address,
  { multiplex = false, edit = (config) => config }: HaproxyOptions = {},
): Promise<{ port: number; program: Program }> {
  const folder = temporaryFolder();
  const port = await freePort();
  const config = edit(haproxy({ socket, listen: { host: '127.0.0.1', port }, multiplex }));
  // Each thread has connections of its own, and the tests count them.
  writeFileSync(join(folder, 'haproxy.cfg'), `global\n  log stdout format raw local0\n  nbthread 1\n\n${config}`);

  const program = new Program('haproxy', ['-f', join(folder, 'haproxy.cfg')], folder);
  await program.accepts(port);
  return { port, program };
}
