// @ts-check
/**
 * Scripts for a decorated function, which runs the one that REQUEST_URI names: `/timers?7` runs `timers`. Most of them
 * answer with what they find in QUERY_STRING at each of their turns, so that one answer for `7` must have nothing but
 * sevens in it.
 */
import { AsyncResource } from 'node:async_hooks';
import { EventEmitter, once } from 'node:events';
import fs, { readFileSync, writeSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { PassThrough, Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';

const require = createRequire(import.meta.url);

/** What was so before anything was decorated: this module has to be imported first. */
const own = {
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  read: fs.readFileSync,
};

const HEAD = 'Content-Type: text/plain\n\n';
const id = () => process.env.QUERY_STRING;

/** Who waits for the others. */
let waiting = 0;
const all = new EventEmitter().setMaxListeners(0);

/** Goes on when as many requests have come as HTTP_X_TOGETHER says. */
async function together() {
  const { HTTP_X_TOGETHER: count } = process.env;
  if (++waiting !== Number(count)) return once(all, 'come');
  waiting = 0;
  all.emit('come');
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 3 });

/** Emitted in the turn of whoever comes last. */
const shared = new EventEmitter().setMaxListeners(0);

/** @type {Record<string, (context: import('fcgi').SimpleContext) => unknown>} */
const scripts = {
  async mixed() {
    const first = id();
    await together();
    let body = '';
    for await (const chunk of process.stdin) {
      body += chunk;
      await turn();
    }
    process.stdout.write(HEAD);
    await turn();
    process.stdout.write(`${first} ${id()} ${body}`);
    await turn();
    console.log(` ${process.env.REQUEST_URI}`);
  },

  async console() {
    console.log(HEAD.trim());
    console.info();
    await together();
    console.log('%s', id());
    await turn();
    console.table([id()]);
    console.dir(id());
    console.error('log %s', id());
  },

  timers: () =>
    void setTimeout(async () => {
      await together();
      setImmediate(() => {
        process.nextTick(() => {
          queueMicrotask(() => process.stdout.end(HEAD + id()));
        });
      });
    }),

  async emitter() {
    const own = new EventEmitter();
    await together();
    setImmediate(() => own.emit('event', id()));
    own.on('event', (given) => process.stdout.write(`${HEAD}${given} ${id()}`));
    await once(own, 'event');
  },

  // Listeners are called in the turn of who emits: what is bound is the request's all the same.
  async shared({ stdout, env }) {
    shared.once('event', () => stdout.end(HEAD + env.QUERY_STRING));
    const ended = once(stdout, 'finish');
    await together();
    shared.emit('event');
    await ended;
  },

  async bound() {
    shared.once(
      'event',
      AsyncResource.bind(() => process.stdout.end(HEAD + id())),
    );
    const ended = once(process.stdout, 'finish');
    await together();
    shared.emit('event');
    await ended;
  },

  // Of each other's connections.
  fetched() {
    http.get(process.env.HTTP_X_TARGET ?? '', { agent }, (answer) => {
      answer.setEncoding('utf8').on('data', (text) => process.stdout.end(`${HEAD}${id()} ${text}`));
    });
  },

  files() {
    fs.readFile('package.json', () => {
      fs.stat('package.json', async () => {
        await together();
        process.stdout.end(HEAD + id());
      });
    });
  },

  // The classic: it writes at once, reads what comes, and never ends stdout.
  classic() {
    process.stdout.write(HEAD);
    let body = '';
    process.stdin.setEncoding('utf8');
    process.stdin.on('data', (chunk) => {
      body += chunk;
      process.stdout.write(`${id()} `);
    });
    process.stdin.on('end', () => console.log('%s %s', id(), body.length));
  },

  events() {
    let size = 0;
    process.stdin.on('data', (chunk) => {
      size += chunk.length;
    });
    process.stdin.on('end', async () => {
      await together();
      process.stdout.end(`${HEAD}${id()} ${size}`);
    });
  },

  readline() {
    const lines = createInterface({ input: process.stdin });
    lines.on('line', (line) => console.log('%s%s %s', HEAD, id(), line));
  },

  async lines() {
    console.log(HEAD.trim());
    console.log();
    for await (const line of createInterface({ input: process.stdin })) console.log('%s %s', id(), line);
  },

  piped() {
    const answer = Readable.from([HEAD, ...new Array(50).fill('x'.repeat(40_000)), '\n', `${id()}`]);
    answer.pipe(process.stdout);
  },

  // As the first ends, the second begins.
  async pipedTwice() {
    await together();
    const second = Readable.from([`${id()} second`]);
    Readable.from([HEAD, `${id()} first `])
      .on('end', () => second.pipe(process.stdout))
      .pipe(process.stdout);
  },

  async pipeline() {
    process.stdout.write(HEAD);
    const lengths = new Transform({
      transform: (chunk, _encoding, callback) => callback(null, `${id()} ${chunk.length} `),
      flush: (callback) => callback(null, `${id()} done`),
    });
    await together();
    await pipeline(process.stdin, lengths, process.stdout);
  },

  // More than the connection takes at once: each turn comes when it has room again, by whichever request.
  async drain() {
    const seen = new Set();
    process.stdout.write(HEAD);
    await together();
    await new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
      let left = 40;
      const write = () => {
        seen.add(id());
        while (left-- > 0) {
          if (!process.stdout.write('x'.repeat(50_000), () => seen.add(id()))) {
            process.stdout.once('drain', write);
            return;
          }
        }
        resolve();
      };
      write();
    });
    process.stdout.write(`\n${[...seen].join()}`);
  },

  async after({ req, res }) {
    const tell = (/** @type {string} */ what) => () => fs.writeSync(2, `${what} ${id()}\n`);
    process.stdout.on('finish', tell('finished'));
    res.on('close', tell('closed'));
    req.signal.addEventListener('abort', tell('aborted'));
    process.stdout.write(`${HEAD}begun`);
    if (id()?.startsWith('held')) await once(res, 'close');
  },

  async assigned({ send }) {
    process.env.ASSIGNED = id();
    // @ts-expect-error what is assigned becomes text, as ever
    process.env.NUMBER = 1;
    process.env.SETTING = id();
    delete process.env.REQUEST_URI;
    const printed = new PassThrough();
    // @ts-expect-error both are not to be assigned, to TypeScript
    process.stdout = printed;
    // @ts-expect-error
    process.stdin = id();
    await together();
    console.log('printed %s', id());
    const { ASSIGNED, NUMBER, SETTING } = process.env;
    const seen = [ASSIGNED, NUMBER, SETTING, 'REQUEST_URI' in process.env, process.stdin, printed.read()];
    process.env = { QUERY_STRING: 'replaced' };
    await turn();
    send(`${seen} ${id()}`);
  },

  // What is sent is the script.
  coded: (context) => new Function('context', 'fs', 'require', process.env.CODE ?? '')(context, fs, require),

  told() {
    own.stdout.write(`told ${readFileSync(0)}\n`);
    fs.writeSync(1, HEAD);
  },

  logs() {
    fs.writeSync(2, `log ${id()}\n`);
    fs.writeSync(1, `${HEAD}logged`);
  },

  names: ({ send }) => send(Object.keys(process.env)),

  // Answers what an expression gives, or the code of what it throws. What it needs is in reach.
  async evaluated(context) {
    const reach = { fs, require, own, readFileSync, writeSync, turn, HEAD };
    const evaluate = new Function('reach', 'context', `with (reach) return (async () => ${process.env.EXPRESSION})()`);
    /** @type {unknown} */
    let value;
    try {
      value = await evaluate(reach, context);
    } catch (error) {
      value = /** @type {NodeJS.ErrnoException} */ (error).code ?? String(error);
    }
    if (value !== undefined) process.stdout.write(HEAD + (typeof value === 'string' ? value : JSON.stringify(value)));
  },

  async never({ res }) {
    process.stdout.write(HEAD);
    own.stdout.write('begun\n');
    const endless = Readable.from(
      (function* () {
        for (;;) yield 'x'.repeat(10_000);
      })(),
    );
    endless.on('close', () => own.stdout.write('source closed\n'));
    endless.pipe(process.stdout);
    await once(res, 'close');
  },

  async waits() {
    process.stdout.write(HEAD);
    try {
      for (;;) if (!process.stdout.write('x'.repeat(100_000))) await once(process.stdout, 'drain');
    } finally {
      own.stdout.write('cleaned up\n');
    }
  },
};

/** @param {import('fcgi').SimpleContext} context */
export function run(context) {
  const [, name = ''] = /^\/(\w+)/.exec(process.env.REQUEST_URI ?? '') ?? [];
  return scripts[name]?.(context);
}
