import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Address, parseAddress, type TcpAddress } from '../adapters/address.ts';
import { fcgiError } from '../core/errors.ts';
import { apache } from './config/apache.ts';
import { caddy } from './config/caddy.ts';
import { h2o } from './config/h2o.ts';
import { haproxy } from './config/haproxy.ts';
import { lighttpd } from './config/lighttpd.ts';
import { modFcgid } from './config/mod-fcgid.ts';
import { nginx } from './config/nginx.ts';
import { plain } from './config/plain.ts';

/** What a web server's configuration depends on. */
export interface ConfigOptions {
  /** Where the application listens; an absolute path. */
  socket: Address;
  /** Where the web server is to listen. */
  listen: TcpAddress;
  /** The command that the web server is to start, where it starts the application itself; absolute paths. */
  program?: string;
  /** Whether several requests may be under way on one connection, where the web server can. Default: false. */
  multiplex?: boolean;
  /** The folder whose files the application hands over; an absolute path. */
  files?: string;
  /** A folder of pages, whose other files the web server sends itself; an absolute path. */
  pages?: string;
}

/** A web server's configuration, ready to be put among its own; its comments say why. */
export type Config = (options: ConfigOptions) => string;

/** Those that send files. */
const SENDERS = ['nginx', 'caddy', 'apache', 'lighttpd'];

const CONFIGS: Record<string, Config> = { nginx, caddy, apache, mod_fcgid: modFcgid, lighttpd, haproxy, h2o };

/** `fcgi config NAME`: prints the configuration of a web server. */
export const config = {
  usage: `fcgi config NAME [--socket ADDRESS] [--listen ADDRESS] [--program COMMAND] [--multiplex] [--files DIR]
    [--pages DIR]
  Prints a web server's configuration. NAME: ${Object.keys(CONFIGS).join(', ')}.
  --socket     where the application listens: a path, a port or host:port (default ./fcgi.sock)
  --listen     where the web server is to listen: a port or host:port (default 8080)
  --program    the command that starts the application, for the web servers that do so
  --multiplex  have several requests at a time on one connection, for HAProxy
  --files      a folder whose files the web server sends when the app says so, for ${SENDERS.join(', ')}
  --pages      a folder of pages, whose other files the web server sends itself, for the same`,

  run(args: string[]): void {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        socket: { type: 'string', default: './fcgi.sock' },
        listen: { type: 'string', default: '8080' },
        program: { type: 'string' },
        multiplex: { type: 'boolean' },
        files: { type: 'string' },
        pages: { type: 'string' },
      },
    });
    const [name = '', ...rest] = positionals;
    if (!Object.hasOwn(CONFIGS, name) || rest.length > 0) {
      throw fcgiError('FCGI_ERR_ARGUMENT', `expected one of ${Object.keys(CONFIGS).join(', ')}`);
    }
    const listen = parseAddress(values.listen);
    if ('path' in listen) throw fcgiError('FCGI_ERR_ARGUMENT', '--listen takes a port or host:port');
    const { program, multiplex } = values;
    const files = folderOf('files', values.files, name);
    const pages = folderOf('pages', values.pages, name);
    const socket = socketOf(values.socket);
    process.stdout.write(CONFIGS[name]!({ socket, listen, program, multiplex, files, pages }));
  },
};

function socketOf(address: string): Address {
  const socket = parseAddress(address);
  // For Caddy, a port follows a colon; for Apache, a URL follows a bar.
  return 'path' in socket ? { path: plain('socket', resolve(socket.path), /[:|]/) } : socket;
}

function folderOf(option: string, path: string | undefined, name: string): string | undefined {
  if (path === undefined) return undefined;
  if (!SENDERS.includes(name)) {
    throw fcgiError('FCGI_ERR_ARGUMENT', `--${option} is for ${SENDERS.join(', ')}: ${name} sends no files`);
  }
  const folder = plain(option, resolve(path));
  if (folder === '/') throw fcgiError('FCGI_ERR_ARGUMENT', `--${option} takes a folder, not all that there are`);
  return folder;
}
