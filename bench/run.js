// @ts-check
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { CONTESTANTS, Contestant } from './contestant.js';
import { CONNECTIONS, load } from './load.js';
import { startNginx } from './nginx.js';
import { orderOf, pins, tableOf, writeSection } from './report.js';

const HELP = `CPU time per request, relative to bare node:http, behind one nginx with kept-alive upstream connections; then that of
pages and clients, see pages.js and client.js.

node bench/run.js [--short] [--only LIST] [--rounds N] [--seconds N] [--write]

  --short      fewer and shorter rounds: under 90 seconds in all
  --only       comma-separated, the first is what the others are relative to: ${Object.keys(CONTESTANTS).join(', ')},
               or fastcgi:MODULE or http:MODULE, whose default export takes a unix socket's path and answers
               when it listens
  --rounds     how often each is measured (default 20, short 10)
  --seconds    how long each time (default 2, short 1)
  --write      puts the table into bench/RESULTS.md

A single pair, quickly: node bench/run.js --only http,fcgi --rounds 3 --seconds 2
The package under test is what 'npm run build' left in dist/.`;

const WARM_UP_SECONDS = 2;
const BODY = 'Hello World';

const everybody = Object.keys(CONTESTANTS).join(',');

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h' },
    short: { type: 'boolean', default: false },
    only: { type: 'string', default: everybody },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds ?? (values.short ? 10 : 20));
const seconds = Number(values.seconds ?? (values.short ? 1 : 2));

if (values.help) {
  console.log(HELP);
} else {
  const missing = unready();
  if (missing) {
    console.error(missing);
    process.exitCode = 1;
  } else {
    await main();
    // These have more to be compared with.
    if (values.only === everybody) {
      await import('./pages.js');
      await import('./client.js');
    }
  }
}

async function main() {
  const folder = mkdtempSync(join(tmpdir(), 'fcgi-bench-'));
  /** @type {{ stop(): Promise<void> }[]} */
  const running = [];
  try {
    const [serverCore, loadCore] = pins();
    const contestants = values.only.split(',').map((spec, index) => new Contestant(spec, folder, index));
    for (const contestant of contestants) {
      running.push(contestant);
      await contestant.start(serverCore);
    }
    const nginx = await startNginx(contestants, folder, loadCore);
    running.push(nginx);

    for (const contestant of contestants) {
      await check(contestant, nginx.port);
      await cost(contestant, nginx.port, loadCore, WARM_UP_SECONDS);
    }
    /** @type {Map<Contestant, number[]>} µs per request, one for each round */
    const costs = new Map(contestants.map((contestant) => [contestant, []]));
    for (let round = 0; round < rounds; round++) {
      for (const contestant of orderOf(contestants, round)) {
        costs.get(contestant)?.push(await cost(contestant, nginx.port, loadCore, seconds));
      }
      process.stderr.write(`\rround ${round + 1} of ${rounds}${round + 1 === rounds ? '\n' : ''}`);
    }
    report(costs);
  } finally {
    await Promise.all(running.map((program) => program.stop()));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Why it cannot run, in words. */
function unready() {
  if (!(Number.isInteger(rounds) && rounds > 0 && Number.isInteger(seconds) && seconds > 0)) {
    return '--rounds and --seconds take whole numbers from 1';
  }
  if (!existsSync(new URL('../dist/index.js', import.meta.url)) && /(^|,)fcgi/.test(values.only)) {
    return 'dist/ is missing: npm run build';
  }
  for (const [program, flag, install] of [
    ['nginx', '-v', 'apt-get install nginx-light'],
    ['wrk', '-v', 'apt-get install wrk'],
  ]) {
    if (spawnSync(program, [flag]).error) return `the benchmark needs ${program}: ${install}`;
  }
}

/** @param {Contestant} contestant @param {number} port */
async function check(contestant, port) {
  const answer = get({ port, path: '/hello?name=world', headers: { Host: contestant.host } });
  const [res] = await once(answer, 'response');
  const body = await text(res);
  if (body !== BODY) throw new Error(`${contestant.title} answers ${res.statusCode} ${JSON.stringify(body)}`);
}

/**
 * CPU time of the server's process for each request of one burst of load, in µs.
 *
 * @param {Contestant} contestant @param {number} port @param {string[]} pin @param {number} seconds
 */
async function cost(contestant, port, pin, seconds) {
  const before = await contestant.cpuTime();
  const requests = await load({ host: contestant.host, port, path: '/hello?name=world', pin }, seconds);
  return ((await contestant.cpuTime()) - before) / requests;
}

/** @param {Map<Contestant, number[]>} costs */
function report(costs) {
  const table = `${tableOf(costs)}

Node ${process.version}, ${rounds} rounds of ${seconds} s each, ${CONNECTIONS} connections.`;
  console.log(table);
  if (!values.write) return;
  writeSection(
    'Servers',
    `User and system time of the server's process, behind one nginx over unix sockets with kept-alive upstream
connections, relative to bare \`node:http\` in the same round. Every server answers the same body to the same
browser's request, each as it comes: this package and Express with an ETag, the others without. Written by
\`npm run bench -- --write\`; the ratios are what to compare, not the times.

${table}`,
  );
}
