import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Address } from '../../src/adapters/address.ts';
import { nginx } from '../../src/cli/config/nginx.ts';
import { freePort, Program, replaceOnce, temporaryFolder } from './program.ts';

export interface NginxOptions {
  /** Whether connections to the application are kept. */
  keepAlive: boolean;
  /** Whether request bodies are passed on as they come. Default: spooled first, as nginx does unless told. */
  streamUploads?: boolean;
  /** The folder whose files it is handed. */
  files?: string;
  /** A folder of pages. */
  pages?: string;
  /** Changes the site's configuration. */
  edit?: (site: string) => string;
}

/** nginx with what `fcgi config nginx` prints, but for what the options say. */
export async function startNginx(socket: Address, options: NginxOptions): Promise<{ port: number; program: Program }> {
  const folder = temporaryFolder();
  const port = await freePort();

  let site = nginx({ socket, listen: { host: '127.0.0.1', port }, files: options.files, pages: options.pages });
  if (!options.keepAlive) {
    site = replaceOnce(site, ' keepalive 16;', '');
    site = replaceOnce(site, ' fastcgi_keep_conn on;', '');
  }
  if (options.streamUploads) {
    site = replaceOnce(site, 'fastcgi_pass app;', 'fastcgi_pass app; fastcgi_request_buffering off;');
  }
  writeFileSync(join(folder, 'site.conf'), options.edit?.(site) ?? site);
  writeFileSync(join(folder, 'nginx.conf'), global());

  const program = new Program('nginx', ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr'], folder);
  await program.accepts(port);
  return { port, program };
}

/** What a packaged nginx.conf has around the sites. */
function global(): string {
  return `
# Its workers would be another user's, who may not write to the socket.
${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off;
pid nginx.pid;
error_log stderr;
events {}
http {
  client_body_temp_path body;
  fastcgi_temp_path fastcgi;
  proxy_temp_path proxy;
  scgi_temp_path scgi;
  uwsgi_temp_path uwsgi;
  access_log off;
  include site.conf;
}
`;
}
