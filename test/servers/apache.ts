import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Address } from '../../src/adapters/address.ts';
import { apache } from '../../src/cli/config/apache.ts';
import { freePort, Program, replaceOnce, temporaryFolder } from './program.ts';

export interface ApacheOptions {
  /** Whether connections to the application are kept. Default: true. */
  keepAlive?: boolean;
  /** Further modules, by their names without `mod_`. */
  modules?: string[];
  /** Further directives, for all sites. */
  directives?: string;
  /** The folder whose files it is handed. */
  files?: string;
  /** A folder of pages. */
  pages?: string;
  /** Changes the site's configuration. */
  edit?: (site: string) => string;
}

/** Apache with what `fcgi config apache` prints, but for what the options say. */
export async function startApache(
  socket: Address,
  { keepAlive = true, modules = [], directives = '', files, pages, edit = (site) => site }: ApacheOptions = {},
): Promise<{ port: number; program: Program }> {
  const folder = temporaryFolder();
  const port = await freePort();

  let site = apache({ socket, listen: { host: '127.0.0.1', port }, files, pages });
  if (!keepAlive) site = replaceOnce(site, ' enablereuse=on', '');
  writeFileSync(join(folder, 'apache.conf'), global(folder, ...modules) + directives);
  writeFileSync(join(folder, 'site.conf'), edit(site));

  const program = new Program('apache2', ['-d', folder, '-f', 'apache.conf', '-D', 'FOREGROUND'], folder);
  await program.accepts(port);
  return { port, program };
}

/** What each of Debian's configurations has on, and the site asks for. */
const MODULES = ['mpm_event', 'authz_core', 'dir', 'env', 'mime', 'proxy', 'proxy_fcgi'];

/** What a packaged apache2.conf and its modules have around the sites. */
export function global(folder: string, ...modules: string[]): string {
  const load = (name: string) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`;
  return `
${[...MODULES, ...modules].map(load).join('\n')}
# Only where root starts it: it refuses to serve as root.
User www-data
Group www-data
ServerName localhost
DocumentRoot ${folder}
DefaultRuntimeDir ${folder}
PidFile apache.pid
Mutex pthread
# Its stderr is a socket here, which has no name to be opened by.
ErrorLog "|/bin/cat"
# What is left of a broken answer hangs for so long.
KeepAliveTimeout 100ms
TypesConfig /etc/mime.types
AddLanguage en .en
<Directory />
  Require all denied
</Directory>
<FilesMatch "^\\.ht">
  Require all denied
</FilesMatch>
Include site.conf
`;
}
