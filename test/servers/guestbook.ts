import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, PROJECT } from './build.ts';
import { caddyEnv } from './caddy.ts';
import { freePort, Program, replaceOnce, type Server, temporaryFolder } from './program.ts';

/** examples/guestbook, with what it keeps in a folder of its own. */
export interface Guestbook {
  program: Program;
  /** Of its HTTP door. */
  port: number;
  /** Where it keeps what it keeps. */
  data: string;
}

/** Starts it as a person would, by `fcgi pages`, at both doors. */
export async function startGuestbook(): Promise<Guestbook> {
  build();
  const port = await freePort();
  const folder = temporaryFolder();
  const data = join(folder, 'data');
  const args = [join(PROJECT, 'dist/cli/main.js'), 'pages', join(PROJECT, 'examples/guestbook/site')];
  const program = new Program(process.execPath, [...args, '--http', `${port}`, '--fastcgi', './fcgi.sock'], folder, {
    cwd: folder,
    env: { ...process.env, NODE_ENV: 'production', GUESTBOOK_DATA: data },
  });
  await program.accepts(port);
  return { program, port, data };
}

/** A way to it. */
export interface Way {
  name: string;
  server?: Server;
  open(guestbook: Guestbook): Promise<{ port: number; program?: Program }>;
}

export const WAYS: Way[] = [
  { name: 'by fcgi pages', open: async ({ port }) => ({ port }) },
  { name: 'behind Caddy', server: 'caddy', open: ({ program }) => startCaddy(program) },
];

/** Caddy on the example's configuration, as it is but for the port, where a person would start it. */
async function startCaddy(site: Program): Promise<{ program: Program; port: number }> {
  const port = await freePort();
  const folder = temporaryFolder();
  const config = readFileSync(join(PROJECT, 'examples/guestbook/Caddyfile'), 'utf8');
  writeFileSync(join(folder, 'Caddyfile'), replaceOnce(config, 'http://:8081', `http://:${port}`));
  symlinkSync(join(PROJECT, 'examples'), join(site.folder, 'examples'));
  const args = ['run', '--config', join(folder, 'Caddyfile')];
  const program = new Program('caddy', args, folder, { cwd: site.folder, env: caddyEnv(folder) });
  await program.accepts(port);
  return { program, port };
}
