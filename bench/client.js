// @ts-check
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CONNECTIONS, cpuTimeOfChildren, load } from './load.js';
import { startNginx } from './nginx.js';
import { readOptions } from './options.js';
import { orderOf, pins, tableOf, writeSection } from './report.js';

const HELP = `CPU time per request of FastCGI clients, relative to nginx, which asks the same application.

node bench/client.js [--short] [--rounds N] [--seconds N] [--write]

  --short      fewer and shorter rounds
  --rounds     how often each is measured (default 10, short 4)
  --seconds    how long each time (default 2, short 1)
  --write      puts the tables into bench/RESULTS.md`;

const WARM_UP_SECONDS = 2;

/** What is compared with what: the first of each is nginx. */
const GROUPS = {
  'kept connections': {
    nginx: 'nginx, HTTP included',
    fcgi: 'client.request',
    'fcgi-multiplex': 'client.request, multiplexed',
    'fcgi-fetch': 'client.fetch',
    'fastcgi-client-multiplex': 'fastcgi-client 0.2, multiplexed',
  },
  'a connection for each request': {
    'nginx-close': 'nginx, HTTP included',
    'fcgi-close': 'client.request',
    'fastcgi-client': 'fastcgi-client 0.2',
  },
};

const options = readOptions(HELP);
const { rounds, seconds, write } = options ?? { rounds: 0, seconds: 0, write: false };

/**
 * @typedef {{ title: string, cost(seconds: number): Promise<number>, stop(): Promise<void> }} Client
 *   cost: µs of CPU time for each request of a burst
 */

if (options !== null) await main();

async function main() {
  const folder = mkdtempSync(join(tmpdir(), 'fcgi-bench-'));
  const [clientCore, otherCore] = pins();
  /** @type {{ stop(): unknown }[]} */
  const running = [];
  try {
    const socket = join(folder, 'app.sock');
    const application = fork(otherCore, 'application.js', socket);
    running.push({ stop: () => application.kill() });
    await once(application, 'message');

    const upstreams = ['nginx', 'nginx-close'].map((host) => {
      return /** @type {const} */ ({ host, socket, protocol: 'fastcgi', close: host === 'nginx-close' });
    });
    const nginx = await startNginx([...upstreams], folder, clientCore);
    running.push(nginx);

    for (const [group, titles] of Object.entries(GROUPS)) {
      /** @type {Map<Client, number[]>} */
      const costs = new Map();
      for (const [name, title] of Object.entries(titles)) {
        const client = name.startsWith('nginx')
          ? nginxClient(title, name, nginx, otherCore)
          : await nodeClient(title, name, socket, clientCore);
        running.push(client);
        costs.set(client, []);
      }
      const clients = [...costs.keys()];
      for (const client of clients) await client.cost(WARM_UP_SECONDS);
      for (let round = 0; round < rounds; round++) {
        for (const client of orderOf(clients, round)) costs.get(client)?.push(await client.cost(seconds));
        process.stderr.write(`\r${group}: round ${round + 1} of ${rounds}${round + 1 === rounds ? '\n' : ''}`);
      }
      for (const client of clients) await client.stop();
      report(group, costs);
    }
  } finally {
    await Promise.all(running.map((program) => program.stop()));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {string[]} pin @param {string} file @param {string[]} args */
function fork(pin, file, ...args) {
  const [command, ...before] = [
    ...pin,
    process.execPath,
    '--no-deprecation',
    join(import.meta.dirname, 'clients', file),
  ];
  return spawn(command, [...before, ...args], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
}

/** @param {string} title @param {string} name @param {string} socket @param {string[]} pin @returns {Promise<Client>} */
async function nodeClient(title, name, socket, pin) {
  const child = fork(pin, 'host.js', join(import.meta.dirname, 'clients', `${name}.js`), socket, String(CONNECTIONS));
  const ended = once(child, 'exit').then(() => {
    throw new Error(`${title} ended`);
  });
  ended.catch(() => {});
  const told = () => Promise.race([once(child, 'message'), ended]);
  await told();
  return {
    title,
    async cost(seconds) {
      const answer = told();
      child.send(seconds * 1000);
      const [{ cpu, requests }] = await answer;
      return cpu / requests;
    },
    async stop() {
      child.kill();
    },
  };
}

/**
 * @param {string} title @param {string} host @param {{ port: number, pid: number }} nginx @param {string[]} pin
 * @returns {Client}
 */
function nginxClient(title, host, { port, pid }, pin) {
  return {
    title,
    async cost(seconds) {
      const before = cpuTimeOfChildren(pid);
      const requests = await load({ host, port, path: '/hello?name=world', pin }, seconds);
      return (cpuTimeOfChildren(pid) - before) / requests;
    },
    async stop() {},
  };
}

/** @param {string} group @param {Map<Client, number[]>} costs */
function report(group, costs) {
  const table = `${tableOf(costs)}

Node ${process.version}, ${rounds} rounds of ${seconds} s each, ${CONNECTIONS} requests at a time.`;
  console.log(`\n${group}\n\n${table}`);
  if (!write) return;
  writeSection(
    `Clients, ${group}`,
    `User and system time of the client's process, which asks a small application for the same page over a unix socket with
the parameters that nginx sends, relative to that of an nginx worker which does so for HTTP requests. Written by
\`npm run bench -- --write\`.

${table}`,
  );
}
