import { once } from 'node:events';
import { rmSync } from 'node:fs';
import http, { type RequestListener } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import { createServer } from '../../src/adapters/create-server.ts';
import { startNginx } from '../servers/nginx.ts';
import { describeWith, type Program, temporaryFolder } from '../servers/program.ts';
import { Client } from './client.ts';

type ClosableServer = Server & { closeAllConnections(): void };

/** What a test is given to build its server with: node:http's, or ours behind nginx. */
export interface Door {
  createServer(listener: RequestListener): ClosableServer;
  /** Where to listen, for frameworks that do so themselves. */
  readonly address: { host: string; port: number } | { path: string };
  /** What a logger writes; compared as the answers are. */
  readonly log: string[];
}

/** A listener; or a server, which may listen already. */
export type Made = RequestListener | ClosableServer;
type Make = (door: Door) => Made | Promise<Made>;

export interface Options {
  /** What is different each time by its nature, and left out of the comparison. */
  except?: RegExp[];
}

/** Serves what is made through either door, has the same conversation with both, and compares all that was said. */
export type Through = (make: Make, talk: (client: Client) => Promise<void>, options?: Options) => Promise<void>;

/** A `describe` of tests that go through both doors; one nginx is for all of them. */
export function describeThrough(name: string, body: (through: Through) => void): void {
  describeWith('nginx', name, () => {
    let folder: string;
    let nginx: { port: number; program: Program };
    beforeAll(async () => {
      folder = temporaryFolder();
      nginx = await startNginx({ path: join(folder, 'app.sock') }, { keepAlive: true });
    });
    afterAll(async () => {
      await nginx?.program.stop();
      rmSync(folder, { recursive: true });
    });

    body(async (make, talk, { except = [] } = {}) => {
      const plain = await converse(make, talk, {
        name: 'node:http',
        createServer: (listener) => http.createServer(listener),
        address: { host: '127.0.0.1', port: 0 },
      });
      const fastcgi = await converse(make, talk, {
        name: 'FastCGI',
        createServer: (listener) => createServer(listener),
        address: { path: join(folder, 'app.sock') },
        port: nginx.port,
      });
      expect(masked(fastcgi, except)).toEqual(masked(plain, except));
    });
  });
}

async function converse(
  make: Make,
  talk: (client: Client) => Promise<void>,
  { name, port, ...own }: Omit<Door, 'log'> & { name: string; port?: number },
): Promise<unknown[]> {
  const door: Door = { ...own, log: [] };
  const made = await make(door);
  const server = typeof made === 'function' ? door.createServer(made) : made;
  if (!server.listening) await once(server.listen(door.address), 'listening');
  const close = async () => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
  let givenUp = false;
  // Should the conversation not end in time.
  onTestFinished(() => {
    givenUp = true;
    return close();
  });
  const client = new Client(port ?? (server.address() as AddressInfo).port, door.log);
  try {
    await talk(client);
    if (givenUp) throw new Error('took too long');
  } catch (error) {
    if (error instanceof Error) error.message = `Through ${name}: ${error.message}`;
    throw error;
  } finally {
    await close();
  }
  return [...client.heard, door.log];
}

function masked(heard: unknown[], except: RegExp[]): unknown {
  return JSON.parse(JSON.stringify(heard), (_key, value) => {
    if (typeof value !== 'string') return value;
    return except.reduce((text, pattern) => text.replace(pattern, ''), value);
  });
}
