import { readFileSync } from 'node:fs';
import type { Address } from '../../src/adapters/address.ts';
import { startApache } from './apache.ts';
import type { App } from './app.ts';
import { caddyVersion, startCaddy } from './caddy.ts';
import { startH2o } from './h2o.ts';
import { startHaproxy } from './haproxy.ts';
import { installPackage, installProgram } from './installed.ts';
import { startLighttpd } from './lighttpd.ts';
import { startModFcgid } from './mod-fcgid.ts';
import { startNginx } from './nginx.ts';
import type { Program, Server } from './program.ts';

/** A way from a client to the app, and what is different on it; docs/web-servers.md says the same in its table. */
export interface Door {
  name: string;
  /** The web server on the way, if any. */
  server?: Server | Server[];
  /** Whether it keeps its connections to the app for further requests. */
  keepsConnections?: boolean;
  /** Whether it answers 411 itself to more than 8 KB without a length. */
  needsLength?: boolean;
  /** Whether it closes the connection at once with an answer of its own, so that who still sends may not get it. */
  closesEarly?: boolean;
  /** Whether it answers 400 itself to a request target that should have been percent-encoded. */
  refusesTarget?: boolean;
  /** Whether it percent-encodes the bytes of a request target that should have been. */
  encodesTarget?: boolean;
  /** Whether it decodes in QUERY_STRING what needs no encoding; the app reads REQUEST_URI. */
  decodesQuery?: boolean;
  /** What it tells as SERVER_NAME, if not the host that the client asked for: the site's name in its configuration. */
  serverName?: string;
  /** Whether it drops a request's headers that have no value. */
  dropsEmptyHeaders?: boolean;
  /** Whether it gives a 304 a Content-Length, of 0. */
  measures304?: boolean;
  /** Whether it joins an answer's headers of the same name, but for Set-Cookie. */
  joinsHeaders?: boolean;
  /** Whether it adds Content-Language where the path ends as files in that language do. */
  namesLanguage?: boolean;
  /** Whether it waits for the whole of a body before it passes the request on. */
  spoolsBodies?: boolean;
  /** Whether its configuration has it answer 413 to a body of more than 32 MB. */
  limitsBodies?: boolean;
  /** Whether it holds the head of an answer back until there is some body. */
  holdsHead?: boolean;
  /** Whether it answers 500 itself to some of many requests that begin at once. */
  dropsSome?: boolean;
  /** Whether it only notices that the client has left when it has something to write to it. */
  noticesByWriting?: boolean;
  /** What it logs where it ends an answer without a length as if it were whole, though the app has broken it off. */
  endsBroken?: string;
  open(app: App): Promise<{ port: number; program?: Program }>;
}

/** Where the app can be had. */
const ways: { over: string; socket(app: App): Address }[] = [
  { over: 'unix', socket: (app) => ({ path: app.socket }) },
  { over: 'TCP', socket: (app) => ({ host: '127.0.0.1', port: app.tcp }) },
];

const direct: Door = {
  name: 'straight over HTTP',
  refusesTarget: true,
  open: async (app) => ({ port: app.http }),
};

const nginxDoors: Door[] = ways.flatMap(({ over, socket }) =>
  [true, false].map((keepAlive) => ({
    name: `nginx, ${keepAlive ? 'kept-alive' : 'new'} connections over ${over}`,
    server: 'nginx',
    keepsConnections: keepAlive,
    spoolsBodies: true,
    limitsBodies: true,
    open: (app) => startNginx(socket(app), { keepAlive }),
  })),
);

const [, major = 0, minor = 0] = /^v(\d+)\.(\d+)/.exec(caddyVersion()) ?? [];

const caddyDoors: Door[] = ways.map(({ over, socket }) => ({
  name: `Caddy over ${over}`,
  server: 'caddy',
  encodesTarget: true,
  noticesByWriting: true,
  // caddyserver/caddy#5951: before 2.8 it writes a line into its log and no more.
  endsBroken: Number(major) === 2 && Number(minor) < 8 ? 'aborting with incomplete response' : undefined,
  // caddyserver/caddy#6661
  needsLength: Number(major) > 2 || Number(minor) >= 9,
  open: (app) => startCaddy(socket(app)),
}));

const apacheDoors: Door[] = ways.flatMap(({ over, socket }) =>
  [true, false].map((keepAlive) => ({
    name: `Apache, ${keepAlive ? 'kept-alive' : 'new'} connections over ${over}`,
    server: 'apache',
    keepsConnections: keepAlive,
    joinsHeaders: true,
    namesLanguage: true,
    holdsHead: true,
    noticesByWriting: true,
    open: (app) => startApache(socket(app), { keepAlive }),
  })),
);

const lighttpdDoors: Door[] = ways.map(({ over, socket }) => ({
  name: `lighttpd over ${over}`,
  server: 'lighttpd',
  decodesQuery: true,
  dropsEmptyHeaders: true,
  spoolsBodies: true,
  limitsBodies: true,
  open: (app) => startLighttpd(socket(app)),
}));

const haproxyDoors: Door[] = [
  ...ways.map((way) => ({ ...way, multiplex: false })),
  { ...ways[0]!, multiplex: true },
].map(({ over, socket, multiplex }) => ({
  name: `HAProxy, ${multiplex ? 'multiplexed' : 'kept-alive'} connections over ${over}`,
  server: 'haproxy',
  keepsConnections: true,
  needsLength: true,
  closesEarly: true,
  refusesTarget: true,
  measures304: true,
  noticesByWriting: true,
  // haproxy/haproxy#3346
  dropsSome: multiplex,
  // So that the requests that the tests make, each a client of its own, share a connection.
  open: (app) =>
    startHaproxy(socket(app), { multiplex, edit: (config) => config.replace('reuse safe', 'reuse always') }),
}));

const h2oDoors: Door[] = ways.map(({ over, socket }) => ({
  name: `h2o over ${over}`,
  server: 'h2o',
  serverName: 'default',
  closesEarly: true,
  holdsHead: true,
  noticesByWriting: true,
  // Not a word of its own: what is there is what the app has sent to the log.
  endsBroken: 'after the head',
  spoolsBodies: true,
  limitsBodies: true,
  open: (app) => startH2o({ socket: socket(app) }),
}));

const modFcgid: Door = {
  name: 'Apache mod_fcgid',
  server: ['apache', 'mod_fcgid'],
  joinsHeaders: true,
  holdsHead: true,
  noticesByWriting: true,
  endsBroken: 'error reading data, FastCGI server closed connection',
  spoolsBodies: true,
  limitsBodies: true,
  open(app) {
    const folder = installPackage();
    const file = installProgram(folder, 'app.mjs', readFileSync(new URL('app.js', import.meta.url), 'utf8'));
    return startModFcgid(`${folder}/node --expose-gc ${file} talk=${app.talk}`, { folder });
  },
};

/** All of them. */
export const doors: Door[] = [
  direct,
  ...nginxDoors,
  ...caddyDoors,
  ...apacheDoors,
  modFcgid,
  ...lighttpdDoors,
  ...haproxyDoors,
  ...h2oDoors,
];
