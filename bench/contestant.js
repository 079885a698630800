// @ts-check
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** @typedef {'http' | 'fastcgi'} Protocol how nginx talks to it */

/** @type {Record<string, { protocol: Protocol, title: string }>} */
export const CONTESTANTS = {
  http: { protocol: 'http', title: 'bare node:http' },
  listener: { protocol: 'fastcgi', title: 'the same listener over FastCGI' },
  fcgi: { protocol: 'fastcgi', title: 'fcgi over FastCGI' },
  'fcgi-http': { protocol: 'http', title: 'fcgi over HTTP' },
  fastify: { protocol: 'http', title: 'Fastify 5' },
  express: { protocol: 'http', title: 'Express 5' },
  floor: { protocol: 'fastcgi', title: 'floor: a net server that reads nothing' },
};

/** Beside PHP, see pages.js. */
const PAGES = /** @type {const} */ ({ protocol: 'fastcgi', title: 'pages' });

/** A server under measurement, in a process of its own behind a unix socket. */
export class Contestant {
  /**
   * @param {string} spec a name of CONTESTANTS, or `fastcgi:MODULE` or `http:MODULE` (see host.js)
   * @param {string} folder where its socket goes
   * @param {number} index
   */
  constructor(spec, folder, index) {
    const [, protocol, file] = /^(http|fastcgi):(.+)$/.exec(spec) ?? [];
    const known = spec === 'pages' ? PAGES : CONTESTANTS[spec];
    if (!known && !protocol) {
      throw new Error(`no contestant '${spec}': one of ${Object.keys(CONTESTANTS).join(', ')}, or fastcgi:MODULE`);
    }
    this.spec = spec;
    this.title = known?.title ?? spec;
    this.protocol = /** @type {Protocol} */ (known?.protocol ?? protocol);
    this.module = known ? join(import.meta.dirname, 'servers', `${spec}.js`) : resolve(file);
    /** nginx tells the contestants apart by it. */
    this.host = `contestant-${index}`;
    this.socket = join(folder, `${index}.sock`);
    if (!existsSync(this.module)) throw new Error(`${this.module} does not exist`);
  }

  /** @param {string[]} pin the command that binds it to a core, or nothing */
  async start(pin) {
    const [command, ...args] = [...pin, process.execPath, join(import.meta.dirname, 'host.js')];
    this.child = spawn(command, [...args, this.module, this.socket], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { ...process.env, NODE_ENV: 'production' },
    });
    const ended = once(this.child, 'exit').then(() => {
      throw new Error(`${this.title} ended before it listened`);
    });
    await Promise.race([once(this.child, 'message'), ended]);
    ended.catch(() => {});
  }

  /** User and system CPU time of the process so far, in µs. */
  async cpuTime() {
    const answer = once(/** @type {NonNullable<typeof this.child>} */ (this.child), 'message');
    this.child?.send('cpu');
    const [{ user, system }] = await answer;
    return user + system;
  }

  async stop() {
    this.child?.kill();
  }
}
