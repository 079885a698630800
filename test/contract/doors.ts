import { once } from 'node:events';
import http from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { onTestFinished } from 'vitest';
import { createServer } from '../../src/adapters/create-server.ts';
import type { ServerOptions } from '../../src/adapters/fastcgi/server.ts';
import { Client } from '../adapters/fastcgi/client.ts';
import { FastcgiVisitor, SharingVisitor } from './fastcgi-visitor.ts';
import { HttpVisitor, type Visitor } from './visitor.ts';

/** As much as a `http.Server` and an `FcgiServer` have in common. */
export type Server = Pick<http.Server, Exclude<keyof http.Server, 'listen'>> & { listen(at: unknown): unknown };

/** Those that both servers take. */
export type Options = http.ServerOptions & { rejectNonStandardBodyWrites?: boolean };

/** A server, and the way to it. */
export interface Door {
  name: string;
  overHttp?: boolean;
  make(options: Options): Server;
  /** Where it listens; a free port unless it says so. */
  at?: string;
  visit(server: Server): Promise<Visitor>;
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;

export const overHttp: Door = {
  name: 'node:http',
  overHttp: true,
  // Timeouts are to be noticed while a test lasts.
  make: (options) => http.createServer({ connectionsCheckingInterval: 10, ...options }),
  visit: (server) => HttpVisitor.connect(portOf(server)),
};

async function connectFastcgi(server: Server): Promise<Client> {
  const socket = connect(portOf(server), '127.0.0.1');
  const client = new Client(socket, Promise.resolve());
  await once(socket, 'connect');
  onTestFinished(() => client.destroy());
  return client;
}

const visitFastcgi = async (server: Server) => new FastcgiVisitor(await connectFastcgi(server));

const fastcgi = (options: object) => createServer(options) as unknown as Server;

const nodesOwn = { IncomingMessage: http.IncomingMessage, ServerResponse: http.ServerResponse } as ServerOptions;

export const overFastcgi: Door[] = [
  { name: 'FastCGI', make: fastcgi, visit: visitFastcgi },
  {
    name: "FastCGI with Node's own classes",
    make: (options) => fastcgi({ ...options, ...nodesOwn }),
    visit: visitFastcgi,
  },
];

/** On a connection that another request shares. */
export const overSharedFastcgi: Door = {
  name: 'FastCGI, multiplexed',
  make: fastcgi,
  visit: async (server) => new SharingVisitor(await connectFastcgi(server)),
};

/** With a web server in front of it, which listens on the port and finds it at the unix socket. */
export function behind(name: string, port: () => number, at: () => string): Door {
  return {
    name,
    make: fastcgi,
    get at() {
      return at();
    },
    visit: () => HttpVisitor.connect(port()),
  };
}
