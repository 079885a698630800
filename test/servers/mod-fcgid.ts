import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { modFcgid } from '../../src/cli/config/mod-fcgid.ts';
import { freePort, Program, replaceOnce, temporaryFolder } from './program.ts';

export interface ModFcgidOptions {
  /** Seconds after which a process with nothing to do is ended, the last one as well. */
  idleTimeout?: number;
  /** The folder of the command, which goes when Apache goes. Default: one of Apache's own. */
  folder?: string;
}

/** Apache with what `fcgi config mod_fcgid` prints, but for what the options say; it starts the command. */
export function startModFcgid(
  command: string,
  { idleTimeout, folder }: ModFcgidOptions = {},
): Promise<{ port: number; program: Program }> {
  return startApacheWith(
    ['alias', 'fcgid'],
    (port, folder) => {
      let site = modFcgid({ socket: { path: 'unused' }, listen: { host: '127.0.0.1', port }, program: command });
      if (idleTimeout !== undefined) {
        const one = 'FcgidMinProcessesPerClass 1';
        site = replaceOnce(site, one, `FcgidMinProcessesPerClass 0\n  FcgidIdleTimeout ${idleTimeout}`);
      }
      return `
FcgidIPCDir ${folder}/sockets
FcgidProcessTableFile ${folder}/processes
# Unless told, it is minutes before it looks for what has nothing to do.
FcgidIdleScanInterval 1
FcgidErrorScanInterval 1
FcgidZombieScanInterval 1
LogLevel fcgid:info
${site}`;
    },
    folder,
  );
}

/** Apache with these modules and this site, which starts programs itself. */
export async function startApacheWith(
  modules: string[],
  site: (port: number, folder: string) => string,
  folder = temporaryFolder(),
): Promise<{ port: number; program: Program }> {
  const port = await freePort();
  const load = ['mpm_event', 'authz_core', 'dir', 'mime', ...modules].map(
    (name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`,
  );
  writeFileSync(join(folder, 'apache.conf'), `${load.join('\n')}${global(folder)}${site(port, folder)}`);
  // The sockets are another user's where the tests are root's.
  chmodSync(folder, 0o711);

  const program = new Program('apache2', ['-d', folder, '-f', 'apache.conf', '-D', 'FOREGROUND'], folder);
  await program.accepts(port);
  return { port, program };
}

/** What a packaged apache2.conf and its modules have around the sites. */
function global(folder: string): string {
  return `
# Only where root starts it: it refuses to serve as root.
User www-data
Group www-data
ServerName localhost
DefaultRuntimeDir ${folder}
PidFile apache.pid
Mutex pthread
TypesConfig /etc/mime.types
# Its stderr is a socket here, which has no name to be opened by.
ErrorLog "|/bin/cat"
# What is left of a broken answer hangs for so long.
KeepAliveTimeout 100ms
<Directory />
  Require all denied
</Directory>
`;
}
