import { startCaddy } from './caddy.ts';
import { startNginx } from './nginx.ts';
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
  open(site: Site): Promise<{ port: number; program?: Program }>;
}

/** nginx's and Caddy's configurations as `fcgi config` prints them, and with the pass to HTTP in the place of FastCGI. */
export const WAYS: Way[] = [
  { name: 'straight over HTTP', open: async ({ http }) => ({ port: http }) },
  {
    name: 'nginx, fastcgi_pass',
    server: 'nginx',
    open: ({ socket }) => startNginx({ path: socket }, { keepAlive: true }),
  },
  {
    name: 'nginx, proxy_pass',
    server: 'nginx',
    open: ({ http }) =>
      startNginx({ host: '127.0.0.1', port: http }, { keepAlive: true, edit: (site) => site.replace(PASS, PROXY) }),
  },
  { name: 'Caddy, transport fastcgi', server: 'caddy', open: ({ socket }) => startCaddy({ path: socket }) },
  {
    name: 'Caddy, transport http',
    server: 'caddy',
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
