import { existsSync, readFileSync } from 'node:fs';
import inspector from 'node:inspector';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs, parseEnv } from 'node:util';
import { type Application, createApp } from '../core/app.ts';
import { fcgiError } from '../core/errors.ts';
import { pages as middleware } from '../middleware/index.ts';
import { checkPages } from '../middleware/pages/check.ts';
import { frameOf } from '../middleware/pages/page-error.ts';
import { DOORS, DOORS_USAGE, ENV, folder, variables } from './arguments.ts';
import { serveApp } from './serve-app.ts';
import { watch } from './watchdog.ts';

/** `fcgi pages DIR`: serves a folder of pages. */
export const pages = {
  usage: `fcgi pages DIR [--fastcgi ADDRESS] [--http ADDRESS] [--dev] [--env NAME=VALUE]… [--env-from FILE] [--ext .EXT]… [--max-time SECONDS]
  Serves a folder of pages. Without an address: as what it was started, by a person over HTTP on port 8080. If there is a
  module _app.js in it, its default export is given the app first, to mount sessions and the like.
${DOORS_USAGE}
  --dev            shows errors in the browser, with the page's lines
  --env            a variable for the pages' $_ENV; may come several times
  --env-from       a file of such variables
  --ext            what the names of pages end with (default .jhtml); may come several times
  --max-time       seconds for which a page may keep the process from everything else (default 30, 0 for any time): then
                   it ends, for whatever started it to start it again
  --check          compiles every page and reports errors with their lines, and serves nothing`,

  async run(args: string[]): Promise<void> {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        ...DOORS,
        ...ENV,
        dev: { type: 'boolean', default: false },
        'env-from': { type: 'string' },
        ext: { type: 'string', multiple: true, default: ['.jhtml'] },
        'max-time': { type: 'string', default: '30' },
        check: { type: 'boolean', default: false },
      },
    });
    const dir = folder(positionals);
    if (values.check) {
      check(dir, values.ext);
      return;
    }
    const { fastcgi, http, dev } = values;
    const app = createApp({ env: dev ? 'development' : process.env.NODE_ENV || 'production' });
    const env = { ...readEnv(values['env-from']), ...variables(values.env) };
    const maxTime = Number(values['max-time']);
    if (!(maxTime >= 0)) {
      throw fcgiError('FCGI_ERR_ARGUMENT', `--max-time takes a number, 0 or more, not ${values['max-time']}`);
    }
    await prepare(app, dir);
    app.use(middleware(dir, { extensions: values.ext, env }));

    // One request's mistake must not end those of the others; what awaits has its error told to the page.
    process.on('uncaughtException', (error) => console.error(error));

    // Who holds a page in a debugger has all the time he wants.
    if (maxTime > 0 && inspector.url() === undefined) watch(maxTime);
    await serveApp(app, { fastcgi, http });
  },
};

/** For what pages cannot do themselves: it comes before them. */
async function prepare(app: Application, dir: string): Promise<void> {
  const file = ['_app.js', '_app.mjs'].map((name) => resolve(dir, name)).find((path) => existsSync(path));
  if (file === undefined) return;
  const { default: mount } = await import(pathToFileURL(file).href);
  if (typeof mount !== 'function')
    throw fcgiError('FCGI_ERR_ARGUMENT', `${file} has no function as its default export`);
  await mount(app);
}

function check(dir: string, extensions: string[]): void {
  const { pages, errors } = checkPages(resolve(dir), extensions);
  for (const { message, place, source } of errors) {
    console.error(`${place.file}:${place.line}:${place.column}: ${message}\n${frameOf(source, place)}\n`);
  }
  const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? '' : 's'}`;
  console.log(`${count(pages, 'page')}, ${count(errors.length, 'error')}`);
  if (errors.length > 0) process.exitCode = 1;
}

function readEnv(file: string | undefined): Record<string, string> {
  if (file === undefined) return {};
  try {
    return parseEnv(readFileSync(file, 'utf8')) as Record<string, string>;
  } catch (cause) {
    throw fcgiError('FCGI_ERR_ARGUMENT', `--env-from: ${(cause as Error).message}`, cause);
  }
}
