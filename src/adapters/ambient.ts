import { AsyncLocalStorage } from 'node:async_hooks';
import type { EventEmitter } from 'node:events';
import type { Writable } from 'node:stream';
import type { Request } from '../core/request.ts';
import { replaceFiles } from './ambient-files.ts';

/** What a CGI program finds around it, by `process`'s names. */
export interface Surroundings {
  readonly env: Record<string, string>;
  readonly stdin: Request;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/** One request's surroundings, and what its program has put in the place of them. */
interface Scope {
  readonly surroundings: Surroundings;
  readonly assigned: Partial<Record<Name, unknown>>;
}

type Name = keyof Surroundings;

const storage = new AsyncLocalStorage<Scope>();

/**
 * Calls a function for which, and for whatever it awaits or calls back, `process.env`, `process.stdin`, `process.stdout`,
 * `process.stderr`, `console` and the file descriptors 0, 1 and 2 of `fs`'s synchronous functions are the request's.
 * Outside of it they are the process's own.
 */
export function surround<T>(surroundings: Surroundings, fn: () => T): T {
  install();
  const scope: Scope = { surroundings, assigned: {} };
  const { stdin, stdout, stderr } = surroundings;
  // Programs read from `process.stdin.fd`; over HTTP, stderr is the process's own.
  Object.assign(stdin, { fd: 0 });
  if (!('fd' in stderr)) Object.assign(stderr, { fd: 2 });
  for (const emitter of [stdin, stdin.res, stdout]) adopt(emitter, scope);
  return storage.run(scope, fn);
}

/** Calls a function for which they are the process's own, also where a request's program has led to it. */
export function outside<T>(fn: () => T): T {
  return storage.exit(fn);
}

/** What a request's streams tell comes from its connection, or even from another request's turn on it. */
function adopt(emitter: EventEmitter, scope: Scope): void {
  const { emit } = emitter;
  emitter.emit = (...args) => storage.run(scope, () => emit.apply(emitter, args));
}

let installed: Promise<unknown> | undefined;

/**
 * Has `process`, `console` and `fs` look whether a request is running, from now on. Resolves when requests may come; before
 * the process listens on file descriptor 0, which Node could not make `process.stdin` of any more.
 */
export function install(): Promise<unknown> {
  installed ??= replace();
  return installed;
}

function replace(): Promise<unknown> {
  for (const name of ['env', 'stdin', 'stdout', 'stderr'] as const) replaceProperty(name);
  // By now the console may have taken hold of the process's own.
  Object.defineProperties(console, {
    _stdout: { configurable: true, get: () => process.stdout },
    _stderr: { configurable: true, get: () => process.stderr },
  });
  replaceFiles(() => storage.getStore()?.surroundings);
  // What anybody imports from it by name is taken when it is first imported: now, and not within a request.
  return import('node:process').catch(() => {});
}

function replaceProperty(name: Name): void {
  const own = Object.getOwnPropertyDescriptor(process, name)!;
  let ownValue = () => (own.get === undefined ? own.value : own.get.call(process));
  Object.defineProperty(process, name, {
    configurable: true,
    enumerable: own.enumerable,
    get() {
      const scope = storage.getStore();
      if (scope === undefined) return ownValue();
      const { surroundings, assigned } = scope;
      if (name in assigned) return assigned[name];
      if (name === 'env') assigned.env = over(surroundings.env, ownValue());
      // Not kept as assigned: over HTTP a request's stderr is the process's own, which has to be asked for outside.
      return assigned[name] ?? outside(() => surroundings[name]);
    },
    set(value: unknown) {
      const scope = storage.getStore();
      if (scope !== undefined) scope.assigned[name] = value;
      else ownValue = () => value;
    },
  });
}

/** The variables that tell of a request (RFC 3875, section 4.1); to libraries, HTTP_PROXY is a setting (httpoxy). */
const OF_A_REQUEST =
  /^(?:HTTP_.*|AUTH_TYPE|CONTENT_(?:LENGTH|TYPE)|GATEWAY_INTERFACE|HTTPS|PATH_(?:INFO|TRANSLATED)|QUERY_STRING|REMOTE_(?:ADDR|HOST|IDENT|PORT|USER)|REQUEST_(?:METHOD|SCHEME|URI)|SCRIPT_(?:FILENAME|NAME)|SERVER_(?:ADDR|NAME|PORT|PROTOCOL|SOFTWARE))$/;

/**
 * A request's variables, and below them the process's own, where libraries look for their settings. The latter are not
 * enumerated: a program that prints its environment, as CGI's examples do, gives no secrets away.
 */
function over(env: Record<string, string>, own: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const below = (name: string | symbol) => !OF_A_REQUEST.test(String(name)) && name in own;
  return new Proxy(env, {
    get: (target, name) => (name in target || !below(name) ? Reflect.get(target, name) : Reflect.get(own, name)),
    has: (target, name) => name in target || below(name),
    set: (target, name, value) => Reflect.set(target, name, String(value)),
  });
}
