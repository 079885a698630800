import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { h2o } from '../../src/cli/config/h2o.ts';
import type { ConfigOptions } from '../../src/cli/config.ts';
import { freePort, Program, temporaryFolder } from './program.ts';

/** H2O with what `fcgi config h2o` prints. */
export async function startH2o(
  options: Pick<ConfigOptions, 'socket' | 'program'>,
): Promise<{ port: number; program: Program }> {
  const folder = temporaryFolder();
  const port = await freePort();
  writeFileSync(join(folder, 'h2o.conf'), `${global()}${h2o({ ...options, listen: { host: '127.0.0.1', port } })}`);

  const program = new Program('h2o', ['-m', 'worker', '-c', join(folder, 'h2o.conf')], folder);
  await program.accepts(port);
  return { port, program };
}

/** Started by root, it would become somebody who may not write to the socket. */
const global = () => (process.getuid?.() === 0 ? 'user: root\n' : '');
