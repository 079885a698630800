import type { RequestListener } from 'node:http';
import type { Door, Made } from './doors.ts';
import { connect } from './frameworks/connect.ts';
import { express, express4 } from './frameworks/express.ts';
import { fastifyRouting, fastifyServer } from './frameworks/fastify.ts';
import { h3 } from './frameworks/h3.ts';
import { hono } from './frameworks/hono.ts';
import { koa } from './frameworks/koa.ts';
import { nest } from './frameworks/nest.ts';

interface Framework {
  name: string;
  make(door: Door): Made | Promise<Made>;
  /** What of it is mounted; not where it makes its server itself. */
  mounted?: (door: Door) => RequestListener | Promise<RequestListener>;
}

const alike: [name: string, make: (door: Door) => RequestListener | Promise<RequestListener>][] = [
  ['Express', express],
  ['Express 4', express4],
  ['Connect', connect],
  ['Koa', koa],
  ['Fastify by its routing', fastifyRouting],
  ['h3', h3],
  ['NestJS', nest],
];

export const frameworks: Framework[] = [
  ...alike.map(([name, make]) => ({ name, make, mounted: make })),
  { name: 'Fastify by its serverFactory', make: fastifyServer },
  // The last one: it puts its own Request and Response in the place of the global ones, which h3 does not survive.
  { name: "Hono by @hono/node-server's listener", make: hono, mounted: hono },
];
