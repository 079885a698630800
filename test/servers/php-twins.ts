import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseSetCookie } from 'cookie';
import { eventually } from '../adapters/fastcgi/client.ts';
import { build, PROJECT } from './build.ts';
import { type Answer, type Ask, exchange } from './client.ts';
import { startNginx } from './nginx.ts';
import { openPhpFpm } from './php-fpm.ts';
import { Program, replaceOnce, temporaryFolder } from './program.ts';

/** Scripts of PHP, and beside each its twin, the same as a page. */
const SCRIPTS = join(PROJECT, 'test/servers/php');

export type Extension = 'php' | 'jhtml';

export const EXTENSIONS: Extension[] = ['php', 'jhtml'];

/** nginx, with PHP-FPM behind it for the one and our pages for the other. */
export class Twins {
  readonly #folder = temporaryFolder();
  readonly #programs: Program[] = [];
  #port = 0;

  static async start(): Promise<Twins> {
    build();
    const twins = new Twins();
    try {
      await twins.#start();
    } catch (error) {
      await twins.stop();
      throw error;
    }
    return twins;
  }

  async #start(): Promise<void> {
    const root = join(this.#folder, 'site');
    cpSync(SCRIPTS, root, { recursive: true, preserveTimestamps: true });
    for (const extension of EXTENSIONS) mkdirSync(this.dataOf(extension));
    // As in the php.ini that PHP comes with.
    const fpm = await openPhpFpm({}, [
      'php_admin_value[output_buffering] = 4096',
      'php_admin_value[request_order] = GP',
    ]);
    this.#programs.push(fpm.program);
    const sockets = { php: fpm.socket, jhtml: join(this.#folder, 'pages.sock') };
    const pages = startPages(root, sockets.jhtml);
    this.#programs.push(pages);
    await listens(pages);
    const { port, program } = await startNginx(
      { path: sockets.jhtml },
      { keepAlive: true, edit: (site) => withBoth(site, sockets, root, (extension) => this.dataOf(extension)) },
    );
    this.#port = port;
    this.#programs.unshift(program);
  }

  /** Where the scripts of that kind keep what they keep. */
  dataOf(extension: Extension): string {
    return join(this.#folder, extension);
  }

  /** What nginx has logged until now. */
  get log(): string {
    return this.#programs[0]!.output;
  }

  /** Asks one after the other. */
  async both(path: string, request: Omit<Ask, 'path'> = {}): Promise<Record<Extension, Answer>> {
    const ask = (extension: Extension) =>
      exchange(this.#port, { ...request, path: path.replace(/^\/\w+/, `$&.${extension}`) });
    return { php: await ask('php'), jhtml: await ask('jhtml') };
  }

  async stop(): Promise<void> {
    for (const program of this.#programs) await program.stop();
    rmSync(this.#folder, { recursive: true });
  }
}

function startPages(root: string, socket: string): Program {
  const args = [join(PROJECT, 'dist/cli/main.js'), 'pages', root, '--fastcgi', socket];
  return new Program(process.execPath, args, temporaryFolder(), { env: { ...process.env, NODE_ENV: 'production' } });
}

async function listens(pages: Program): Promise<void> {
  await eventually(() => {
    if (pages.child.exitCode === null && !pages.output.includes('Listening on')) throw new Error('not yet');
  });
  if (pages.child.exitCode !== null) throw new Error(`fcgi pages ended:\n${pages.output}`);
}

/** What `fcgi config nginx` prints, with a place for each kind of file instead of that for everything. */
function withBoth(
  site: string,
  sockets: Record<Extension, string>,
  root: string,
  dataOf: (extension: Extension) => string,
): string {
  const [all, pass] = /location \/ \{\n(.*?)\n {2}\}/s.exec(site)!;
  const places = EXTENSIONS.map((extension) => {
    // A worker of PHP-FPM serves one connection at a time: of those, none is kept.
    const to = extension === 'php' ? `unix:${sockets.php}` : 'app';
    return `location ~ \\.${extension}(/|$) {
    fastcgi_split_path_info ^(.+?\\.${extension})(/.*)?$;
    fastcgi_param PATH_INFO $fastcgi_path_info;
    fastcgi_param DATA_DIR ${dataOf(extension)};
${replaceOnce(pass!, 'fastcgi_pass app;', `fastcgi_pass ${to};`)}
  }`;
  });
  return replaceOnce(site, all, `root ${root};\n\n  ${places.join('\n\n  ')}`);
}

/**
 * What PHP and the page answered, in the terms in which that is to be the same: what means the same is written the same, and
 * what only one of them adds is left out, here and nowhere else.
 */
export function comparable(php: Answer, page: Answer): Record<Extension, unknown> {
  // Pages tell how long they are; PHP leaves that to nginx, unless the script says so.
  if (php.headers['content-length'] === undefined) delete page.headers['content-length'];
  // PHP's advertisement.
  delete php.headers['x-powered-by'];
  return { php: inCommonTerms(php, 'php'), jhtml: inCommonTerms(page, 'jhtml') };
}

function inCommonTerms(answer: Answer, extension: Extension): unknown {
  // Each names itself.
  const { status, headers, body } = JSON.parse(
    JSON.stringify(answer).replaceAll(`.${extension}`, '.(itself)'),
  ) as Answer;
  const { 'content-type': type, 'set-cookie': cookies, location, ...rest } = headers;
  return {
    status,
    // The names of charsets have no case, and a blank before a parameter no meaning (RFC 9110, sections 8.3.1 and 8.3.2).
    // PHP gives also a 204 a type.
    type: status === 204 ? undefined : type?.map((one) => one.toLowerCase().replace(/;\s*/, '; ')),
    cookies: cookies?.map(meaningOf),
    // As a browser does with what is no URL's.
    location: location?.map((one) => encodeURI(Buffer.from(one, 'latin1').toString()).replaceAll('%25', '%')),
    headers: rest,
    body,
  };
}

/** A cookie as the browser keeps it: for how many minutes, in whatever way that is said. */
function meaningOf(line: string): unknown {
  const { expires, maxAge, ...cookie } = parseSetCookie(line);
  const seconds = maxAge ?? (expires && (expires.getTime() - Date.now()) / 1000);
  const minutes = seconds === undefined ? 'until the browser is closed' : Math.max(0, Math.ceil(seconds / 60));
  // Of one that is taken away nobody reads the rest.
  return minutes === 0 ? { name: cookie.name, path: cookie.path, minutes } : { ...cookie, minutes };
}
