import * as nodeModule from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { Import } from './compile.ts';
import { readSettled, stampOf } from './stamp.ts';

// When one of the modules that pages import changes, those that are not of a package are all loaded afresh at the next
// import, as by a start of the program, so that each is there once for all pages. What makes Node load a module again is
// another URL: the generation is its query, and whatever it imports inherits that.

let generation = 0;
/** Of the modules that were loaded since, by their paths. */
const stamps = new Map<string, string | undefined>();
let isStale = false;
let checkedAt = Number.NEGATIVE_INFINITY;
let isHooked = false;
/** Where Node runs hooks in a thread of their own, what they have seen. */
let told: MessagePort | undefined;

/**
 * `import()` for a page.
 *
 * @param revalidate Milliseconds for which no module is looked at again.
 * @param settle Milliseconds that must have passed since a module was written to.
 */
export function importOf(file: string, revalidate: number, settle: number): Import {
  const parent = pathToFileURL(file).href;
  const load = async (specifier: string, options?: ImportCallOptions): Promise<unknown> => {
    hook();
    await refresh(revalidate, settle);
    try {
      return await import(`fcgi-page:${JSON.stringify({ specifier: String(specifier), parent, generation })}`, options);
    } catch (error) {
      // Node remembers that it failed, and nothing tells when what was missing is there.
      if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') isStale = true;
      throw error;
    }
  };
  return Object.assign(load, { meta: { url: parent, filename: file, dirname: dirname(file) } });
}

/** Begins a generation if a module has changed. */
async function refresh(revalidate: number, settle: number): Promise<void> {
  const now = performance.now();
  if (now - checkedAt < revalidate) return;
  checkedAt = now;
  for (let message = receive(); message !== undefined; message = receive()) loaded(...message);
  const changed = [...stamps].filter(([file, stamp]) => stampOf(file) !== stamp).map(([file]) => file);
  for (const file of changed) await readSettled(file, settle, async () => null).catch(() => {});
  // While it was waited for, another import may have done it.
  if (!isStale && !changed.some((file) => stamps.has(file))) return;
  isStale = false;
  generation += 1;
  stamps.clear();
}

function loaded(file: string, stamp: string | undefined): void {
  if (!stamps.has(file)) stamps.set(file, stamp);
}

function receive(): [file: string, stamp: string] | undefined {
  return told && receiveMessageOnPort(told)?.message;
}

interface Resolved {
  url: string;
}
type Next = (specifier: string, context: { parentURL?: string }) => Resolved | Promise<Resolved>;
type Resolve = (specifier: string, context: { parentURL?: string }, next: Next) => Resolved | Promise<Resolved>;

/** For `import()` of pages, and what it leads to. Where Node runs hooks in a thread of their own, it goes there as text. */
function makeResolve(report: (url: string) => void): Resolve {
  const ours = new Set<string | undefined>();
  return (specifier, context, next) => {
    let { parentURL } = context;
    let query = '';
    if (specifier.startsWith('fcgi-page:')) {
      const page = JSON.parse(specifier.slice('fcgi-page:'.length));
      specifier = page.specifier;
      parentURL = page.parent;
      if (page.generation > 0) query = `?fcgi=${page.generation}`;
    } else if (ours.has(parentURL)) {
      query = /\?fcgi=\d+$/.exec(parentURL!)?.[0] ?? '';
    } else {
      return next(specifier, context);
    }
    const mark = (resolved: Resolved): Resolved => {
      const { url } = resolved;
      if (!url.startsWith('file:') || url.includes('/node_modules/') || url.includes('?')) return resolved;
      report(url);
      ours.add(url + query);
      return { ...resolved, url: url + query };
    };
    const resolved = next(specifier, { ...context, parentURL });
    return 'then' in resolved ? resolved.then(mark) : mark(resolved);
  };
}

function hook(): void {
  if (isHooked) return;
  isHooked = true;
  const { registerHooks } = nodeModule as { registerHooks?: (hooks: { resolve: Resolve }) => void };
  if (registerHooks !== undefined) {
    registerHooks({ resolve: makeResolve((url) => loaded(fileURLToPath(url), stampOf(fileURLToPath(url)))) });
    return;
  }
  // Node 20 has none in this thread. What they see has to be told with the stamp: it may be read after a change.
  const { port1, port2 } = new MessageChannel();
  told = port1;
  const code = `
    import { statSync } from 'node:fs';
    import { fileURLToPath } from 'node:url';
    let own;
    export const resolve = (...args) => own(...args);
    export const initialize = (port) => {
      own = (${makeResolve})((url) => {
        const file = fileURLToPath(url);
        const stat = statSync(file, { throwIfNoEntry: false });
        port.postMessage([file, stat && stat.mtimeMs + ' ' + stat.size + ' ' + stat.ino]);
      });
    };`;
  nodeModule.register(`data:text/javascript,${encodeURIComponent(code)}`, { data: port2, transferList: [port2] });
}
