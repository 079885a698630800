import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { createApp } from '../../src/core/app.ts';

/** As a program has it that is not TypeScript: most of these packages bring no types. */
export const require = createRequire(import.meta.url);
type Untyped = ReturnType<typeof require>;

export interface ForeignRequest extends IncomingMessage {
  [name: string]: Untyped;
}
export interface ForeignResponse extends ServerResponse {
  [name: string]: Untyped;
}
export type Next = (error?: unknown) => void;
/** What error handlers look at. */
export interface Failure extends Error {
  status: number;
  code: string;
  type: string;
}
type Handler = (req: ForeignRequest, res: ForeignResponse, next: Next) => unknown;
type ErrorHandler = (error: Failure, req: ForeignRequest, res: ForeignResponse, next: Next) => unknown;

/** As much as is the same of Express, of Connect and of this package. */
export interface Host extends RequestListener {
  use(path: string, ...handlers: Handler[]): this;
  use(...handlers: Handler[]): this;
  use(handler: ErrorHandler): this;
}

/** With routes: not Connect. */
export interface RoutingHost extends Host {
  get(path: string, ...handlers: Handler[]): this;
  post(path: string, ...handlers: Handler[]): this;
  all(path: string, ...handlers: Handler[]): this;
  set(name: string, value: unknown): this;
}

const routing: [name: string, make: () => RoutingHost][] = [
  ['Express', () => require('express')()],
  ['createApp', () => createApp() as unknown as RoutingHost],
];

/** What middleware is used in: itself behind either door. */
export const routingHosts = routing;
export const hosts: [name: string, make: () => Host][] = [...routing, ['Connect', () => require('connect')()]];
