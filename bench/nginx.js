// @ts-check
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';

/** The parameters that the example configuration sends, so that the benchmark measures what people run. */
const PARAMS = readFileSync(join(import.meta.dirname, '../examples/hello/site.conf'), 'utf8').match(
  /^ *fastcgi_param .*;/gm,
);

/**
 * What nginx passes requests to.
 *
 * @typedef {{ host: string, socket: string, protocol: 'http' | 'fastcgi', close?: boolean, root?: string }} Upstream
 *   close: a connection for each request; root: where the files are that the paths name
 */

/** @param {Upstream} upstream */
function host({ host, socket, protocol, close, root }) {
  const pass =
    protocol === 'fastcgi'
      ? [`fastcgi_keep_conn ${close ? 'off' : 'on'};`, ...(PARAMS ?? []), `fastcgi_pass ${host};`]
      : ['proxy_http_version 1.1;', 'proxy_set_header Connection "";', `proxy_pass http://${host};`];
  const keep = close ? '' : 'keepalive 64; keepalive_requests 1000000000;';
  return `
  upstream ${host} { server unix:${socket}; ${keep} }
  server { listen 127.0.0.1:PORT; server_name ${host}; ${root ? `root ${root};` : ''} location / { ${pass.join(' ')} } }`;
}

/**
 * One nginx worker in front of all of them, told apart by the Host header.
 *
 * @param {Upstream[]} contestants
 * @param {string} folder
 * @param {string[]} pin
 */
export async function startNginx(contestants, folder, pin) {
  const port = await freePort();
  const config = `
${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off; worker_processes 1; pid nginx.pid; error_log stderr error;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path u; scgi_temp_path s;
  ${contestants.map(host).join('').replaceAll('PORT', String(port))}
}`;
  writeFileSync(join(folder, 'nginx.conf'), config);
  const [command, ...args] = [...pin, 'nginx', '-p', folder, '-c', 'nginx.conf', '-e', 'stderr'];
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  await once(child, 'spawn');
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error('nginx ended');
  }
  const stop = async () => {
    child.kill();
    if (child.exitCode === null) await once(child, 'exit');
  };
  return { port, pid: /** @type {number} */ (child.pid), stop };
}

/** @param {number} port */
function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => setTimeout(resolve, 20, false));
    socket.on('connect', () => socket.destroy());
  });
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}
