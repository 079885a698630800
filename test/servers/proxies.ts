import type { Address } from '../../src/adapters/address.ts';
import { startCaddy } from './caddy.ts';
import { type NginxOptions, startNginx } from './nginx.ts';
import { type Program, replaceOnce, type Server } from './program.ts';

/** Where the same app can be had over FastCGI and over HTTP. */
export interface Site {
  socket: string;
  http: number;
}

/** A way to the app: straight, or through a web server that speaks either protocol with it. */
export interface Way {
  name: string;
  server?: Server;
  /** Whether a body is passed on as it comes. */
  streams?: boolean;
  open(site: Site): Promise<{ port: number; program?: Program }>;
}

/** nginx's and Caddy's configurations as `fcgi config` prints them, but for the limit, and with HTTP in the place of FastCGI. */
export const WAYS: Way[] = [
  { name: 'straight over HTTP', streams: true, open: async ({ http }) => ({ port: http }) },
  {
    name: 'nginx, fastcgi_pass',
    server: 'nginx',
    open: ({ socket }) => nginx({ path: socket }),
  },
  {
    name: 'nginx, fastcgi_pass, fastcgi_request_buffering off',
    server: 'nginx',
    streams: true,
    open: ({ socket }) => nginx({ path: socket }, { streamUploads: true }),
  },
  {
    name: 'nginx, proxy_pass',
    server: 'nginx',
    open: ({ http }) => nginx({ host: '127.0.0.1', port: http }, { edit: (site) => site.replace(PASS, PROXY) }),
  },
  {
    name: 'Caddy, transport fastcgi',
    server: 'caddy',
    streams: true,
    open: ({ socket }) => startCaddy({ path: socket }),
  },
  {
    name: 'Caddy, transport http',
    server: 'caddy',
    streams: true,
    open: ({ http }) =>
      startCaddy({ host: '127.0.0.1', port: http }, (site) => replaceOnce(site, 'transport fastcgi', 'transport http')),
  },
];

const PASS = /fastcgi_pass app;.*?\n {2}\}/s;
const PROXY = `proxy_pass http://app;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
  }`;

function nginx(socket: Address, { edit = (site) => site, ...options }: Partial<NginxOptions> = {}) {
  const whole = (site: string) => edit(replaceOnce(site, 'client_max_body_size 32m;', 'client_max_body_size 2g;'));
  return startNginx(socket, { keepAlive: true, ...options, edit: whole });
}
