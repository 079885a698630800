import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, Program, replaceOnce, temporaryFolder } from './program.ts';

const EXAMPLE = new URL('../../examples/hello/nginx.conf', import.meta.url);

export interface NginxOptions {
  /** The FastCGI application: `unix:PATH` or `HOST:PORT`. */
  fastcgi: string;
  /** Whether connections to it are kept. */
  keepAlive: boolean;
  /** Whether request bodies are passed on as they come. Default: spooled first, as nginx does unless told. */
  streamUploads?: boolean;
}

/** nginx as examples/hello/nginx.conf sets it up, but for addresses, folders and what the options say. */
export async function startNginx(options: NginxOptions): Promise<{ port: number; program: Program }> {
  const folder = temporaryFolder();
  const port = await freePort();

  let config = readFileSync(EXAMPLE, 'utf8').replaceAll('/tmp/fcgi-hello-nginx', join(folder, 'nginx'));
  config = replaceOnce(config, 'listen 127.0.0.1:8082;', `listen 127.0.0.1:${port};`);
  config = replaceOnce(config, 'server unix:fcgi.sock;', `server ${options.fastcgi};`);
  if (!options.keepAlive) {
    config = replaceOnce(config, ' keepalive 16;', '');
    config = replaceOnce(config, ' fastcgi_keep_conn on;', '');
  }
  if (options.streamUploads) {
    config = replaceOnce(config, 'fastcgi_pass hello;', 'fastcgi_pass hello; fastcgi_request_buffering off;');
  }
  // Its workers would be another user's, who may not write to the socket.
  if (process.getuid?.() === 0) config = `user root;\n${config}`;
  writeFileSync(join(folder, 'nginx.conf'), config);

  const program = new Program('nginx', ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr'], folder);
  await program.accepts(port);
  return { port, program };
}
