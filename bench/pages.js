// @ts-check
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { Contestant } from './contestant.js';
import { CONNECTIONS, cpuTimeOfChildren, load } from './load.js';
import { startNginx } from './nginx.js';
import { readOptions } from './options.js';
import { orderOf, pins, tableOf, writeSection } from './report.js';

const HELP = `CPU time per request of pages, relative to PHP-FPM with opcache behind the same nginx.

node bench/pages.js [--short] [--rounds N] [--seconds N] [--write]

  --short      fewer and shorter rounds
  --rounds     how often each is measured (default 10, short 4)
  --seconds    how long each time (default 2, short 1)
  --write      puts the tables into bench/RESULTS.md`;

const PAGES = join(import.meta.dirname, 'pages');
const WARM_UP_SECONDS = 2;

const options = readOptions(HELP);
const { rounds, seconds, write } = options ?? { rounds: 0, seconds: 0, write: false };

/** @typedef {{ title: string, host: string, extension: string, cpuTime(): number | Promise<number> }} Server */

if (options !== null) await main();

async function main() {
  const folder = mkdtempSync(join(tmpdir(), 'fcgi-bench-'));
  const [serverCore, loadCore] = pins();
  /** @type {{ stop(): unknown }[]} */
  const running = [];
  try {
    const php = await startPhp(folder, serverCore);
    running.push(php);
    const own = new Contestant('pages', folder, 0);
    running.push(own);
    await own.start(serverCore);
    const nginx = await startNginx(
      [
        { host: php.host, socket: php.socket, protocol: 'fastcgi', root: PAGES },
        { host: own.host, socket: own.socket, protocol: 'fastcgi', root: PAGES },
      ],
      folder,
      loadCore,
    );
    running.push(nginx);

    /** @type {Server[]} */
    const servers = [
      { title: 'PHP-FPM, opcache', host: php.host, extension: 'php', cpuTime: () => cpuTimeOfChildren(php.pid) },
      { title: 'pages', host: own.host, extension: 'jhtml', cpuTime: () => own.cpuTime() },
    ];
    for (const [page, query, title] of [
      ['hello', 'name=world', 'a page that says hello'],
      ['table', 'from=0', 'a page with 1,000 escaped cells'],
    ]) {
      const pathOf = (/** @type {Server} */ server) => `/${page}.${server.extension}?${query}`;
      const [expected, given] = await Promise.all(
        servers.map((server) => ask(server.host, nginx.port, pathOf(server))),
      );
      if (given !== expected) throw new Error(`PHP and pages differ:\n${expected}\n${given}`);

      const cost = async (/** @type {Server} */ server, /** @type {number} */ seconds) => {
        const before = await server.cpuTime();
        const requests = await load(
          { host: server.host, port: nginx.port, path: pathOf(server), pin: loadCore },
          seconds,
        );
        return ((await server.cpuTime()) - before) / requests;
      };
      /** @type {Map<Server, number[]>} */
      const costs = new Map(servers.map((server) => [server, []]));
      for (const server of servers) await cost(server, WARM_UP_SECONDS);
      for (let round = 0; round < rounds; round++) {
        for (const server of orderOf(servers, round)) costs.get(server)?.push(await cost(server, seconds));
        process.stderr.write(`\r${title}: round ${round + 1} of ${rounds}${round + 1 === rounds ? '\n' : ''}`);
      }
      report(title, costs);
    }
  } finally {
    await Promise.all(running.map((program) => program.stop()));
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * A worker for each connection of nginx, which keeps them: PHP at its best.
 *
 * @param {string} folder @param {string[]} pin
 */
async function startPhp(folder, pin) {
  const program = readdirSync('/usr/sbin').find((name) => /^php-fpm[\d.]+$/.test(name));
  if (!program) throw new Error('the benchmark of pages needs PHP-FPM: apt-get install php-fpm');
  const opcache = ['-n', '-d', 'zend_extension=opcache', '-d', 'opcache.enable=1'];
  const modules = spawnSync(`/usr/sbin/${program}`, [...opcache, '-m'], { encoding: 'utf8' }).stdout;
  if (!modules.includes('Zend OPcache')) throw new Error('PHP-FPM has no opcache');
  const socket = join(folder, 'php.sock');
  const config = join(folder, 'fpm.conf');
  const user = process.getuid?.() === 0 ? 'user = root\ngroup = root\n' : '';
  writeFileSync(
    config,
    `[global]
error_log = ${join(folder, 'fpm.log')}
[www]
${user}listen = ${socket}
pm = static
pm.max_children = ${CONNECTIONS}
`,
  );
  const [command, ...args] = [...pin, `/usr/sbin/${program}`, ...opcache, '-F', '-R', '-y', config];
  const child = spawn(command, args, { stdio: 'ignore' });
  await once(child, 'spawn');
  while (!existsSync(socket)) {
    if (child.exitCode !== null) throw new Error('PHP-FPM ended');
    await sleep(20);
  }
  return { host: 'php', socket, pid: /** @type {number} */ (child.pid), stop: () => child.kill() };
}

/** @param {string} host @param {number} port @param {string} path */
async function ask(host, port, path) {
  const [res] = await once(get({ port, path, headers: { Host: host } }), 'response');
  return `${res.statusCode} ${await text(res)}`;
}

/** @param {string} title @param {Map<Server, number[]>} costs */
function report(title, costs) {
  const table = `${tableOf(costs)}

Node ${process.version}, ${rounds} rounds of ${seconds} s each, ${CONNECTIONS} connections.`;
  console.log(`\n${title}\n\n${table}`);
  if (!write) return;
  writeSection(
    `Pages: ${title}`,
    `User and system time of the server's processes behind one nginx over unix sockets, which keeps its connections, relative
to PHP-FPM with opcache and as many workers as connections. Both answer the same bytes. Written by
\`npm run bench -- --write\`.

${table}`,
  );
}
