import { cpSync, rmSync } from 'node:fs';
import type http from 'node:http';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Doors, serve } from '../../src/adapters/serve.ts';
import { createApp } from '../../src/core/app.ts';
import { proxy } from '../../src/middleware/index.ts';
import { build, PROJECT } from './build.ts';
import { type Answer, type Ask, exchange } from './client.ts';
import { startNginx } from './nginx.ts';
import { openPhpFpm } from './php-fpm.ts';
import { freePort, Program, temporaryFolder } from './program.ts';

export type Request = Omit<Ask, 'path'>;

/** A site of PHP, and what web servers are told of it. */
export interface PhpSite {
  /** What is copied, symbolic links as what they lead to. */
  folder: string;
  /** The part of it that has URLs. */
  root: string;
  index: string;
  /** Paths that are left out. */
  skip?: RegExp;
  /** Writes into the copy what is not in the folder. */
  prepare?(copy: string): void;
  /** Lines of PHP-FPM's configuration. */
  pool?: string[];
}

/** A way to the site, with a copy of it that it shares with nobody, and a browser's cookies. */
export interface Front {
  name: string;
  port: number;
  root: string;
  readonly cookies: Map<string, string>;
  last: Answer | undefined;
}

/** nginx with PHP-FPM behind it as everybody has it, and in the place of that nginx what is ours. */
export class PhpFronts {
  readonly fronts: Front[] = [];
  /** What PHP-FPM and the web servers have logged until now. */
  readonly logs: Record<string, () => string> = {};
  readonly #folder = temporaryFolder();
  readonly #programs: Program[] = [];
  readonly #doors: Doors[] = [];
  readonly #site: PhpSite;

  static async open(site: PhpSite): Promise<PhpFronts> {
    build();
    const fronts = new PhpFronts(site);
    try {
      await fronts.#open();
    } catch (error) {
      await fronts.close();
      throw error;
    }
    return fronts;
  }

  private constructor(site: PhpSite) {
    this.#site = site;
  }

  async #open(): Promise<void> {
    const { index, pool } = this.#site;
    const fpm = await openPhpFpm({}, [`php_admin_value[session.save_path] = ${this.#folder}`, ...(pool ?? [])]);
    this.#programs.push(fpm.program);

    await this.#add('nginx and PHP-FPM', async (root) => {
      const edit = (site: string) => asEverybodyHasIt(/listen .*;/.exec(site)![0], root, index, fpm.socket);
      const { port, program } = await startNginx({ path: fpm.socket }, { keepAlive: false, edit });
      this.#programs.push(program);
      return port;
    });
    await this.#add('proxy, over HTTP', async (root) => {
      const app = createApp({ env: 'production' });
      app.use(proxy(fpm.socket, { root, index }));
      return this.#serve(app, { http: 0 });
    });
    await this.#add('proxy, over FastCGI behind nginx', async (root) => {
      const app = createApp({ env: 'production' });
      app.use(proxy(fpm.socket, { root, index }));
      const path = join(this.#folder, 'proxy.sock');
      await this.#serve(app, { fastcgi: path });
      const { port, program } = await startNginx({ path }, { keepAlive: true });
      this.#programs.push(program);
      return port;
    });
    await this.#add('fcgi gateway', async (root) => {
      const port = await freePort();
      const args = ['gateway', fpm.socket, '--http', `${port}`, '--root', root, '--index', index];
      const program = new Program(process.execPath, [join(PROJECT, 'dist/cli/main.js'), ...args], temporaryFolder());
      this.#programs.push(program);
      await program.accepts(port);
      return port;
    });
  }

  async #add(name: string, start: (root: string) => Promise<number>): Promise<void> {
    // Of the same length, for what is made of paths.
    const copy = join(this.#folder, `${this.fronts.length}`);
    const { folder, skip, prepare } = this.#site;
    const filter = (path: string) => !skip?.test(path);
    cpSync(folder, copy, { recursive: true, dereference: true, preserveTimestamps: true, filter });
    prepare?.(copy);
    const root = join(copy, this.#site.root);
    this.fronts.push({ name, port: await start(root), root, cookies: new Map(), last: undefined });
  }

  async #serve(app: http.RequestListener, address: { http?: number; fastcgi?: string }): Promise<number> {
    const doors = await serve(app, { ...address, signals: false });
    this.#doors.push(doors);
    return (doors.http as { port: number } | undefined)?.port ?? 0;
  }

  /** Asks each as a browser with cookies of its own. What is asked may be made of what was answered before. */
  async ask(path: string, request: Request | ((front: Front) => Request) = {}): Promise<Answer[]> {
    const answers: Answer[] = [];
    for (const front of this.fronts) {
      const { headers = [], ...rest } = typeof request === 'function' ? request(front) : request;
      const cookies = Array.from(front.cookies, ([name, value]) => `${name}=${value}`).join('; ');
      const all: [string, string][] = cookies === '' ? headers : [...headers, ['Cookie', cookies]];
      front.last = await exchange(front.port, { path, headers: all, ...rest });
      for (const line of front.last.headers['set-cookie'] ?? []) {
        const [, name = '', value = ''] = /^([^=]*)=([^;]*)/.exec(line)!;
        if (value === '' || value === 'deleted') front.cookies.delete(name);
        else front.cookies.set(name, value);
      }
      answers.push(front.last);
    }
    return answers;
  }

  /** Holds what ours answered last against what nginx and PHP-FPM did. */
  expectTheSame(): void {
    const [reference, ...ours] = this.fronts;
    for (const front of ours) {
      expect({ by: front.name, ...comparable(front) }).toEqual({ by: front.name, ...comparable(reference!) });
    }
  }

  async close(): Promise<void> {
    for (const doors of this.#doors) await doors.close();
    for (const program of this.#programs.reverse()) await program.stop();
    rmSync(this.#folder, { recursive: true });
  }
}

/** Headers by which only the web server tells of a file's version and parts, or makes its own pages safe. */
const SERVERS_OWN = [
  ...['etag', 'last-modified', 'cache-control', 'accept-ranges', 'content-length', 'vary', 'expires', 'pragma'],
  ...['x-powered-by', 'x-content-type-options', 'content-security-policy', 'content-disposition'],
];

/** An answer in the terms in which those of all fronts are to be the same: without what is random, or of the time. */
function comparable({ last, cookies }: Front): { status: number | undefined; headers: object; body: string } {
  const { status, headers, body } = last!;
  const given = { ...headers };
  const isFile = given['accept-ranges'] !== undefined || given['content-range'] !== undefined;
  // A page for an error, or a redirect, that no script has made.
  const isServersPage = !isFile && given['x-powered-by'] === undefined;
  if (isFile || isServersPage) for (const name of SERVERS_OWN) delete given[name];
  if (isServersPage) delete given['content-type'];
  let text = JSON.stringify({ status, headers: given, body: isServersPage ? '' : body });
  for (const [name, value] of cookies) if (value.length > 20) text = text.replaceAll(value, `<cookie ${name}>`);
  return JSON.parse(
    text
      .replace(/[\da-f]{32,}/g, '<hash>')
      .replace(/\d{4}-\d\d-\d\dT[\d:]{8}\+00:00/g, '<date>')
      .replace(/\d+ (?:second|minute)s? ago/g, '<a while> ago')
      .replace(/\btok=\w+/g, 'tok=<hash>')
      .replace(/\b1[5-9]\d{8}\b/g, '<time>')
      .replace(/\w{3}, \d\d[ -]\w{3}[ -]\d{4} [\d:]{8}(?: GMT| \+0000)/g, '<date>'),
  );
}

/** With what Debian's nginx has for PHP, and a front controller. */
function asEverybodyHasIt(listen: string, root: string, index: string, socket: string): string {
  return `
include /etc/nginx/mime.types;
server {
  ${listen}
  root ${root};
  index ${index};
  client_max_body_size 1g;
  absolute_redirect off;

  location / {
    try_files $uri $uri/ /${index}$is_args$args;
  }
  location /.protected/ {
    internal;
  }
  location ~ ^/\\.(?!protected/) {
    rewrite ^ /${index} last;
  }
  location ~ \\.php(/|$) {
    fastcgi_split_path_info ^(.+?\\.php)(/.*)?$;
    set $path_info $fastcgi_path_info;
    try_files $fastcgi_script_name /${index}$is_args$args;
    include /etc/nginx/fastcgi.conf;
    fastcgi_param PATH_INFO $path_info;
    fastcgi_param SERVER_NAME $host;
    fastcgi_param HTTP_PROXY "";
    fastcgi_pass unix:${socket};
  }
}
`;
}
