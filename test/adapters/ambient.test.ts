import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Decorated, paramsOf } from './decorated.ts';
import { eventually } from './fastcgi/client.ts';

let scripts: Decorated;

beforeAll(async () => {
  scripts = await Decorated.start('', {
    SETTING: 'own',
    REMOTE_USER: 'root',
    HTTP_COOKIE: 'own',
    HTTP_PROXY: 'http://own.test',
  });
});

afterAll(async () => {
  await scripts.stop();
});

const COUNT = 500;
const ids = Array.from({ length: COUNT }, (_, index) => `${index}`);

/** What `mixed` answers: it found its own query and body, and no other, before and after each of its turns. */
const unmixed = (id: string) => `${id} ${id} body ${id} /mixed?${id}\n`;

describe('500 requests at once to a function that awaits between what it reads and what it writes never mix', () => {
  const params = (id: string) => paramsOf(`/mixed?${id}`, { HTTP_X_TOGETHER: `${COUNT}` });

  it.each([
    ['one connection each', COUNT],
    ['ten connections', 10],
    ['one connection', 1],
  ])('over FastCGI on %s', async (_how, connections) => {
    const clients = await Promise.all(ids.slice(0, connections).map(() => scripts.dial()));
    const answers = ids.map((id, index) => {
      const request = { id: 1 + Math.floor(index / connections), params: params(id), body: `body ${id}` };
      return clients[index % connections]!.get(request);
    });
    expect((await Promise.all(answers)).map(({ text }) => text)).toEqual(ids.map(unmixed));
  });

  it('over HTTP', async () => {
    const headers = { 'X-Together': COUNT };
    const answers = await Promise.all(ids.map((id) => scripts.ask(`/mixed?${id}`, headers, `body ${id}`)));
    expect(answers).toEqual(ids.map((id) => `200 ${unmixed(id)}`));
  });
});

describe('requests at once never mix', () => {
  const some = Array.from({ length: 40 }, (_, index) => `${index + 1}`);
  const kept = 'x'.repeat(2_000_000);
  const long = 'line\n'.repeat(400_000);
  const fetched = http.createServer((_req, res) => res.end('fetched'));
  let target: string;
  let headers: http.OutgoingHttpHeaders;

  beforeAll(async () => {
    await once(fetched.listen(0, '127.0.0.1'), 'listening');
    target = `http://127.0.0.1:${(fetched.address() as AddressInfo).port}`;
    headers = { 'X-Together': some.length, 'X-Target': target };
  });

  afterAll(() => {
    fetched.closeAllConnections();
    fetched.close();
  });

  it.each<[what: string, script: string, body: string | undefined, answer: (id: string) => unknown]>([
    ['through console', 'console', undefined, (id) => expect.stringMatching(`^${id}\n┌[^]*${id}[^]*┘\n'${id}'\n$`)],
    ['through setTimeout, setImmediate, nextTick and queueMicrotask', 'timers', undefined, (id) => id],
    ['through an EventEmitter of their own', 'emitter', undefined, (id) => `${id} ${id}`],
    ["through what they are handed, in each other's turn", 'shared', undefined, (id) => id],
    ["through what is bound to their turn, in each other's", 'bound', undefined, (id) => id],
    ["through what comes on each other's connections", 'fetched', undefined, (id) => `${id} fetched`],
    ['through callbacks of fs', 'files', undefined, (id) => id],
    ['through the end of stdin', 'events', 'body', (id) => `${id} 4`],
    ['through the end of a long stdin', 'events', long, (id) => `${id} ${long.length}`],
    ['writing first, and then whenever something is read', 'classic', 'body', (id) => `${id} ${id} 4\n`],
    ['reading what comes late', 'classic', long, (id) => expect.stringMatching(`^(${id} )+${id} ${long.length}\n$`)],
    ['through the lines of stdin', 'readline', 'body', (id) => `${id} body\n`],
    ['through readline in a loop', 'lines', 'one\ntwo', (id) => `${id} one\n${id} two\n`],
    ['piping into stdout', 'piped', undefined, (id) => `${kept}\n${id}`],
    ['piping one behind the other', 'pipedTwice', undefined, (id) => `${id} first ${id} second`],
    ['through a pipeline', 'pipeline', 'body', (id) => `${id} 4 ${id} done`],
    ['through a long pipeline', 'pipeline', long, (id) => expect.stringMatching(`^(${id} \\d+ )+${id} done$`)],
    ['writing more than the connection takes', 'drain', undefined, (id) => `${kept}\n${id}`],
    [
      'whatever they put in the place of what they find',
      'assigned',
      undefined,
      (id) => `${id},1,${id},false,${id},printed ${id}\n replaced`,
    ],
  ])('%s', async (_what, script, body, answer) => {
    const client = await scripts.dial();
    const expected = some.map(answer);
    const params = (id: string) => {
      return paramsOf(`/${script}?${id}`, { HTTP_X_TOGETHER: `${some.length}`, HTTP_X_TARGET: target });
    };
    const answers = some.map((id) => client.get({ id: Number(id), params: params(id), body }));
    for (const [index, { text }] of (await Promise.all(answers)).entries()) expect(text).toEqual(expected[index]);
    client.destroy();

    const asked = await Promise.all(some.map((id) => scripts.ask(`/${script}?${id}`, headers, body)));
    for (const [index, text] of asked.entries()) expect(text.replace(/^200 /, '')).toEqual(expected[index]);
  });
});

/** What an expression gives within a request. */
async function evaluate(expression: string, params: Record<string, string> = {}, body?: string): Promise<string> {
  const answer = await scripts.get('/evaluated?q', { EXPRESSION: expression, ...params }, body);
  return answer.text;
}

describe('within a request', () => {
  it.each([
    ['process.env.QUERY_STRING', 'q'],
    ['context.env === context.params && process.env.QUERY_STRING === context.env.QUERY_STRING', 'true'],
    ['process.env === process.env && process.stdin === process.stdin && process.stdout === process.stdout', 'true'],
    ['process.stdin === context.stdin && process.stdout === context.stdout', 'true'],
    ['process.stderr === context.stderr', 'true'],
    ['[process.stdin.fd, process.stdout.fd, process.stderr.fd]', '[0,1,2]'],
    ['[process.stdin.isTTY, process.stdout.isTTY]', '[null,null]'],
    ["'QUERY_STRING' in process.env", 'true'],
    ["Object.hasOwn(process.env, 'QUERY_STRING')", 'true'],
  ])('%s is %s', async (expression, value) => {
    expect(await evaluate(expression)).toBe(value);
  });

  it.each([
    ['Object.keys(process.env)'],
    ['Object.keys({ ...process.env })'],
    ['Object.keys(JSON.parse(JSON.stringify(process.env)))'],
    ['Object.entries(process.env).map(([name]) => name)'],
    ['(() => { const names = []; for (const name in process.env) names.push(name); return names; })()'],
  ])("%s has the request's variables, and none of the process's", async (expression) => {
    const client = await scripts.dial();
    const { REQUEST_METHOD, REQUEST_URI } = { REQUEST_METHOD: 'GET', REQUEST_URI: '/evaluated' };
    const params = { REQUEST_METHOD, REQUEST_URI, SERVER_PROTOCOL: 'HTTP/1.1', EXPRESSION: expression };
    const { text } = await client.get({ params: Object.entries(params) });
    expect(JSON.parse(text)).toEqual(Object.keys(params));
    client.destroy();
  });

  it("process.env has the process's own settings below the request's, but nothing that would tell of a request", async () => {
    expect(await evaluate('[process.env.SETTING, process.env.PATH]')).toBe(JSON.stringify(['own', process.env.PATH]));
    expect(await evaluate('process.env.SETTING', { SETTING: 'sent' })).toBe('sent');
    expect(await evaluate("[process.env.REMOTE_USER, 'HTTP_COOKIE' in process.env]")).toBe('[null,false]');
    expect(await evaluate('process.env.REMOTE_USER', { REMOTE_USER: 'ann' })).toBe('ann');
  });

  it("never has HTTP_PROXY: neither a client's `Proxy` header, nor the process's own", async () => {
    const expression = "[process.env.HTTP_PROXY, 'HTTP_PROXY' in process.env, context.env.HTTP_PROXY]";
    expect(await evaluate(expression, { HTTP_PROXY: 'http://evil.test' })).toBe('[null,false,null]');
    expect(await evaluate(expression)).toBe('[null,false,null]');
    expect(await scripts.ask('/assigned?1', { Proxy: 'http://evil.test', 'X-Together': 1 })).toMatch(/^200 /);
    expect(await scripts.ask('/names', { Proxy: 'http://evil.test' })).not.toMatch(/PROXY/);
  });

  it('what is assigned stays there: the next request, the process and whoever imported `env` do not have it', async () => {
    expect(await evaluate("(process.env.ASSIGNED = 'x', process.env.SETTING = 'y', process.env.ASSIGNED)")).toBe('x');
    expect(await evaluate('[process.env.ASSIGNED, process.env.SETTING]')).toBe('[null,"own"]');
    expect(await evaluate('[own.env.ASSIGNED, own.env.SETTING]')).toBe('[null,"own"]');
    const imported = "(await import('./imports-env.js')).look()";
    for (let i = 0; i < 2; i++) expect(await evaluate(imported)).toBe('{"own":true}');
  });

  it('a child process has its variables alone, and is fed and heard through pipes', async () => {
    const names =
      "String(require('child_process').execFileSync(process.execPath, ['-p', 'Object.keys(process.env).join()']))";
    const listed = await evaluate(names, { ONLY: 'sent' });
    expect(listed.trim().split(',')).toEqual(expect.arrayContaining(['ONLY', 'REQUEST_URI']));
    expect(listed).not.toMatch(/PATH|SETTING/);
    const code = `
      const child = require('child_process').spawn('cat', { env: { PATH: process.env.PATH } });
      process.stdout.write('Content-Type: text/plain\\n\\n');
      process.stdin.pipe(child.stdin);
      child.stdout.pipe(process.stdout);`;
    expect((await scripts.get('/coded', { CODE: code }, 'through')).text).toBe('through');
  });

  it('a console of its own writes to its stdout', async () => {
    expect(await evaluate("void new console.Console(process.stdout).log(HEAD + 'written')")).toBe('written\n');
  });

  it('what is written to stderr is in the error log of the web server, or after the answer in its own', async () => {
    expect((await scripts.get('/console?7', { HTTP_X_TOGETHER: '1' })).stderr).toBe('log 7\n');
    await evaluate("void (context.send('sent'), context.res.on('close', () => console.error('late')))");
    await eventually(() => expect(scripts.program.output.match(/late/g)).toHaveLength(1));
    expect(await evaluate("'still there'")).toBe('still there');
  });

  it('events of the request and of its streams are still within it after the answer', async () => {
    await scripts.get('/after?8');
    await eventually(() => {
      for (const told of ['finished 8\n', 'closed 8\n']) expect(scripts.program.output).toContain(told);
    });
    const client = await scripts.dial();
    client.request({ params: paramsOf('/after?held9') });
    await client.until(() => client.exchange().stdout.length > 0);
    client.destroy();
    await eventually(() => {
      for (const told of ['aborted held9\n', 'closed held9\n']) expect(scripts.program.output).toContain(told);
    });
  });

  it('a client that leaves ends what writes to it', async () => {
    for (const [script, told] of [
      ['never', 'source closed'],
      ['waits', 'cleaned up'],
    ]) {
      const client = await scripts.dial();
      client.request({ params: paramsOf(`/${script}`) });
      await client.until(() => client.exchange().stdout.length > 100_000);
      client.destroy();
      await eventually(() => expect(scripts.program.output).toContain(told));
    }
  });
});

describe('outside of a request', () => {
  it('all is as it was: at module level, in timers, in another server of the process', async () => {
    const others = await Decorated.start(`
      import http from 'node:http';
      const before = { ...process };
      const { env, stdin, stdout, stderr } = process;
      let mixed = 0;
      const same = () =>
        process.env === env && process.stdin === stdin && process.stdout === stdout && process.stderr === stderr &&
        console._stdout === stdout && console._stderr === stderr && process.env.QUERY_STRING === undefined;
      setInterval(() => { if (!same()) mixed++; });
      const other = http.createServer((req, res) => {
        req.resume().on('end', () => setImmediate(() => res.end(JSON.stringify({ same: same(), mixed }))));
      });
      await once(other.listen(0, '127.0.0.1'), 'listening');
      console.log('other', other.address().port);`);
    const port = Number(/other (\d+)/.exec(others.program.output)![1]);
    const requests = ids.map((id) => others.ask(`/mixed?${id}`, { 'X-Together': COUNT }, `body ${id}`));
    const asked = ids.map(async () => (await fetch(`http://127.0.0.1:${port}`, { method: 'POST', body: 'x' })).json());
    expect(await Promise.all(requests)).toEqual(ids.map((id) => `200 ${unmixed(id)}`));
    expect(await Promise.all(asked)).toEqual(ids.map(() => ({ same: true, mixed: 0 })));
    await others.stop();
  });

  it('what is assigned to process.env is there for all, and requests still have their own', async () => {
    const others = await Decorated.start(`
      fastcgi({ http: 0 }, run);
      process.env = { ...process.env, LATER: 'assigned' };
      console.log(process.env.LATER);`);
    expect(others.program.output).toContain('assigned\n');
    const answer = await others.get('/evaluated?1', { EXPRESSION: '[process.env.LATER, process.env.QUERY_STRING]' });
    expect(answer.text).toBe('["assigned","1"]');
    await others.stop();
  });
});
