import { AsyncLocalStorage } from 'node:async_hooks';
import type { Writable } from 'node:stream';
import type { Request } from '../core/request.ts';
import { installFiles } from './ambient-files.ts';

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
  return storage.run({ surroundings, assigned: {} }, fn);
}

let installed = false;

function install(): void {
  if (installed) return;
  installed = true;
  for (const name of ['env', 'stdin', 'stdout', 'stderr'] as const) installProperty(name);
  // By now the console may have taken hold of the process's own.
  Object.defineProperties(console, {
    _stdout: { configurable: true, get: () => process.stdout },
    _stderr: { configurable: true, get: () => process.stderr },
  });
  installFiles(() => storage.getStore()?.surroundings);
}

function installProperty(name: Name): void {
  const own = Object.getOwnPropertyDescriptor(process, name)!;
  const ownValue = () => (own.get === undefined ? own.value : own.get.call(process));
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
      return assigned[name] ?? storage.exit(() => surroundings[name]);
    },
    set(value: unknown) {
      const scope = storage.getStore();
      if (scope !== undefined) scope.assigned[name] = value;
      else
        Object.defineProperty(process, name, { configurable: true, enumerable: own.enumerable, writable: true, value });
    },
  });
}

/**
 * A request's variables, and below them the process's own, where libraries look for their settings. The latter are not
 * enumerated: a program that prints its environment, as CGI's examples do, gives no secrets away.
 */
function over(env: Record<string, string>, own: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return new Proxy(env, {
    get: (target, name) => Reflect.get(name in target ? target : own, name),
    has: (target, name) => name in target || name in own,
    set: (target, name, value) => Reflect.set(target, name, String(value)),
  });
}
