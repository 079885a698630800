import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Address } from '../../src/adapters/address.ts';
import { lighttpd } from '../../src/cli/config/lighttpd.ts';
import { freePort, Program, temporaryFolder } from './program.ts';

/** lighttpd with what `fcgi config lighttpd` prints. */
export async function startLighttpd(
  socket: Address,
  command?: string,
  files?: string,
  pages?: string,
): Promise<{ port: number; program: Program }> {
  const folder = temporaryFolder();
  const port = await freePort();

  const site = lighttpd({ socket, listen: { host: '127.0.0.1', port }, program: command, files, pages });
  writeFileSync(join(folder, 'lighttpd.conf'), global(folder, await freePort()) + site);

  const program = new Program('lighttpd', ['-D', '-f', join(folder, 'lighttpd.conf')], folder);
  await program.accepts(port);
  return { port, program };
}

/** What a packaged lighttpd.conf has around the sites. */
function global(folder: string, port: number): string {
  return `
server.document-root = "${folder}"
server.upload-dirs = ( "${folder}" )
server.bind = "127.0.0.1"
server.port = ${port}
server.modules = ( "mod_indexfile", "mod_access", "mod_alias", "mod_redirect" )
server.feature-flags += ( "server.h2proto" => "enable", "server.h2c" => "enable", "server.graceful-shutdown-timeout" => 5 )
server.http-parseopts = (
  "header-strict" => "enable",
  "host-strict" => "enable",
  "host-normalize" => "enable",
  "url-normalize-unreserved" => "enable",
  "url-normalize-required" => "enable",
  "url-ctrls-reject" => "enable",
  "url-path-2f-decode" => "enable",
  "url-path-dotseg-remove" => "enable",
)
index-file.names = ( "index.html" )
url.access-deny = ( "~", ".inc" )
static-file.exclude-extensions = ( ".php", ".pl", ".fcgi" )
server.modules += ( "mod_dirlisting", "mod_staticfile" )
`;
}
