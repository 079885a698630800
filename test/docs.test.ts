import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import mime from 'mime-types';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { Client } from './adapters/fastcgi/client.ts';
import { served } from './core/served.ts';
import { form, part, TYPE } from './middleware/multipart/forms.ts';
import { build } from './servers/build.ts';
import { exchange } from './servers/client.ts';
import { freePort, Program } from './servers/program.ts';

const root = join(import.meta.dirname, '..');
const programs = mkdtempSync(join(tmpdir(), 'fcgi-docs-'));
afterAll(() => rmSync(programs, { recursive: true }));
afterEach(() => {
  vi.restoreAllMocks();
});

/** `// GET /users/7 → 200 {"id":"7"}`, or with a body `// POST /users Ann → 200 {"id":"8"}` */
const ANSWER = /^\/\/ ([A-Z]+) (\S+)(?: (\S.*?))? → (.*)$/m;

/** The programs of a document that say what they answer, by where they stand. */
function programsOf(name: string): { where: string; code: string }[] {
  const document = readFileSync(join(root, 'docs', name), 'utf8');
  return [...document.matchAll(/^```js\n(.*?)^```$/gms)]
    .filter(([, code]) => ANSWER.test(code))
    .map(({ 1: code, index }) => ({ where: `docs/${name}:${document.slice(0, index).split('\n').length}`, code }));
}

const names = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
const isApp = ({ code }: { code: string }) => /^export default /m.test(code);
const all = names.flatMap(programsOf);

test.each(all.filter(isApp))('the app in $where answers as it says', async ({ where, code }) => {
  const file = join(programs, `${where.replaceAll(/\W/g, '-')}.mjs`);
  const source = (...path: string[]) => `'${join(root, 'src', ...path)}'`;
  writeFileSync(
    file,
    code
      .replaceAll("'fcgi'", source('index.ts'))
      .replaceAll("'fcgi/client'", source('adapters', 'client', 'index.ts'))
      .replaceAll("'fcgi/middleware'", source('middleware', 'index.ts')),
  );
  const { default: app } = await import(pathToFileURL(file).href);
  const origin = await served(app);
  vi.spyOn(process.stderr, 'write').mockReturnValue(true); // Errors are logged: some programs make them.
  const cookies = new Map<string, string>();
  for (const [, method, target, body, answer] of code.matchAll(new RegExp(ANSWER, 'gm'))) {
    const given = await browse(origin, cookies, method, target, body);
    // A status alone says nothing of the body.
    expect(/^\d+$/.test(answer) ? given.slice(0, 3) : given, `${method} ${target}`).toBe(answer);
  }
});

test.each(all.filter((program) => !isApp(program)))('the program in $where serves what it says', async ({ code }) => {
  build();
  const folder = mkdtempSync(join(programs, 'program-'));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules/fcgi'));
  // A port that is free here, in the place of the document's.
  const port = await freePort();
  writeFileSync(join(folder, 'program.mjs'), code.replace(/(listen\(|http: |fastcgi: '[\d.]+:)\d+/, `$1${port}`));
  const program = new Program(process.execPath, ['program.mjs'], folder, { cwd: folder });
  try {
    const socket = join(folder, 'fcgi.sock');
    const isHttp = /MinimalHttpHandler|http: \d|node:http/.test(code);
    if (/listen\(\d|http: \d|fastcgi: '\d/.test(code)) await program.accepts(port);
    else await expect.poll(() => existsSync(socket) || program.output, { timeout: 20_000 }).toBe(true);
    if (existsSync(socket)) await program.accepts(socket);
    for (const [, method, path, body, answer] of code.matchAll(new RegExp(ANSWER, 'gm'))) {
      const bytes = body === undefined ? undefined : Buffer.from(body);
      const given = isHttp
        ? await exchange(port, { method, path, body: bytes })
        : await overFastCgi(existsSync(socket) ? socket : port, method, path, bytes);
      expect(`${given.status} ${given.body}`.trimEnd().replaceAll('\r\n', '\n'), `${method} ${path}`).toBe(answer);
    }
  } finally {
    await program.stop();
  }
});

/**
 * Asks as a browser that keeps its cookies does; posts what is in braces as JSON, what begins with `-F` as a form of parts, as
 * curl has it, anything else as a form.
 */
async function browse(origin: string, cookies: Map<string, string>, method: string, path: string, body?: string) {
  const headers: [string, string][] = [];
  if (cookies.size > 0) headers.push(['Cookie', [...cookies].map((pair) => pair.join('=')).join('; ')]);
  const bytes = body?.startsWith('-F ') ? partsOf(body) : body === undefined ? undefined : Buffer.from(body);
  const type = body?.startsWith('{') ? 'application/json' : 'application/x-www-form-urlencoded';
  if (body !== undefined) headers.push(['Content-Type', body.startsWith('-F ') ? TYPE : type]);
  const given = await exchange(Number(new URL(origin).port), { method, path, headers, body: bytes });
  for (const line of given.headers['set-cookie'] ?? []) {
    const [, name = '', value = ''] = /^([^=]*)=([^;]*)/.exec(line) ?? [];
    if (value === '') cookies.delete(name);
    else cookies.set(name, value);
  }
  return `${given.status} ${Buffer.from(given.body, 'latin1')}`.trimEnd();
}

/** `-F name=value` is a field, `-F name=@filename` a file whose content is its name. */
function partsOf(body: string): Buffer {
  const parts = body
    .split(/(?:^| )-F /)
    .slice(1)
    .map((pair) => {
      const [, name = '', at, value = ''] = /^([^=]*)=(@?)(.*)$/.exec(pair) ?? [];
      if (!at) return part(name, value);
      return part(name, value, { filename: value, type: mime.lookup(value) || 'text/plain' });
    });
  return form(...parts);
}

async function overFastCgi(at: string | number, method: string, uri: string, body: Buffer | undefined) {
  const socket = typeof at === 'string' ? connect(at) : connect(at, '127.0.0.1');
  const client = new Client(socket, once(socket, 'close'));
  const params = { REQUEST_METHOD: method, REQUEST_URI: uri, QUERY_STRING: uri.split('?')[1] ?? '' };
  const { status, text } = await client.get({ params, body });
  client.destroy();
  return { status, body: text };
}
