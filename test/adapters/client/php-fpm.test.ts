import { createHash } from 'node:crypto';
import { createReadStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { type ClientOptions, type FcgiClient, phpFpm } from '../../../src/adapters/client/index.ts';
import { type PhpFpm, startPhpFpm } from '../../servers/php-fpm.ts';
import { describeWith, temporaryFolder } from '../../servers/program.ts';
import { eventually } from '../fastcgi/client.ts';
import { application, clientOf, codeOf, HEAD } from './application.ts';

const SCRIPTS = {
  'hello.php': '<?php echo "Hello ", $_GET["name"] ?? "World";',
  'env.php':
    '<?php header("Content-Type: application/json"); echo json_encode($_SERVER, JSON_INVALID_UTF8_SUBSTITUTE);',
  'post.php': '<?php echo $_POST["name"], " ", $_SERVER["CONTENT_TYPE"];',
  'length.php': '<?php echo $_SERVER["CONTENT_LENGTH"] ?? "none", " ", hash_file("sha256", "php://input");',
  'upload.php':
    '<?php $f = $_FILES["file"]; echo $f["name"], " ", $f["size"], " ", hash_file("sha256", $f["tmp_name"]);',
  'cookies.php': '<?php setcookie("a", "1"); setcookie("b", "2"); http_response_code(201);',
  'warning.php': '<?php echo "before "; echo $undefined; error_log("logged"); echo "after";',
  'fatal.php': '<?php echo "half"; flush(); throw new Exception("no more");',
  'killed.php': '<?php echo "half"; flush(); exec("kill -9 " . getmypid()); sleep(60);',
  'killed-at-once.php': '<?php exec("kill -9 " . getmypid()); sleep(60);',
  'sleep.php': '<?php usleep((int) $_GET["ms"] * 1000); echo "slept";',
  'large.php': '<?php for ($i = 0; $i < 1000; $i++) echo str_repeat(chr(65 + $i % 26), 10000);',
  'pid.php': '<?php echo getmypid();',
};

async function start(
  options: ClientOptions = {},
  pool?: string[],
): Promise<{ fpm: PhpFpm; client: FcgiClient; root: string }> {
  const fpm = await startPhpFpm(SCRIPTS, pool);
  return { fpm, root: fpm.root, client: clientOf({ path: fpm.socket }, options) };
}

const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Bytes that are held once whatever nobody holds is gone. */
function memory(): number {
  gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

describeWith('php-fpm', 'PHP-FPM', () => {
  it('answers', async () => {
    const { client, root } = await start();
    const response = await client.fetch('/hello.php?name=you%20there', { root });
    expect([response.status, await response.text()]).toEqual([200, 'Hello you there']);
    expect(response.headers.get('content-type')).toBe('text/html; charset=UTF-8');

    const form = await client.fetch('/post.php', { root, method: 'POST', body: new URLSearchParams({ name: 'Zoë' }) });
    expect(await form.text()).toBe('Zoë application/x-www-form-urlencoded;charset=UTF-8');

    const cookies = await client.fetch('/cookies.php', { root });
    expect([cookies.status, cookies.headers.getSetCookie()]).toEqual([201, ['a=1', 'b=2']]);

    const head = await client.fetch('/hello.php', { root, method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  it('sees the request as a web server would show it', async () => {
    const { client, root } = await start();
    const response = await client.fetch('https://site.test:8443/env.php?a=%62', {
      root,
      headers: { 'X-Name': 'Zo\xeb', Proxy: 'http://evil.test' },
      params: { REMOTE_ADDR: '192.0.2.1', APP_ENV: 'test', LONG: 'x'.repeat(60_000), MORE: 'y'.repeat(60_000) },
    });
    const env = (await response.json()) as Record<string, string>;
    expect(env).toMatchObject({
      REQUEST_METHOD: 'GET',
      REQUEST_URI: '/env.php?a=%62',
      QUERY_STRING: 'a=%62',
      SCRIPT_NAME: '/env.php',
      SCRIPT_FILENAME: join(root, 'env.php'),
      DOCUMENT_ROOT: root,
      PHP_SELF: '/env.php',
      HTTPS: 'on',
      SERVER_NAME: 'site.test',
      SERVER_PORT: '8443',
      HTTP_HOST: 'site.test:8443',
      REMOTE_ADDR: '192.0.2.1',
      APP_ENV: 'test',
      // A byte, as it was given.
      HTTP_X_NAME: 'Zo\ufffd',
    });
    expect([env.LONG.length, env.MORE.length, env.HTTP_PROXY]).toEqual([60_000, 60_000, undefined]);
  });

  it('says what is missing, on stderr as well', async () => {
    const { client, root } = await start();
    const log: string[] = [];
    const response = await client.fetch('/none.php', { root, onStderr: (bytes) => log.push(String(bytes)) });
    expect([response.status, await response.text()]).toEqual([404, 'File not found.\n']);
    expect(log.join('')).toContain('Primary script unknown');
  });

  it('takes an upload of 100 MB as a stream, whose length nobody said', async () => {
    const { client, root } = await start();
    const size = 100 * 1024 ** 2;
    const piece = Buffer.alloc(1024 ** 2, 'upload ');
    const hash = createHash('sha256');
    const half = size / 2;
    let held = size;
    async function* pieces() {
      for (let sent = 0; sent < size; sent += piece.length) {
        const own = Buffer.from(piece);
        hash.update(own);
        yield own;
      }
      // Buffers go some turns after what held them.
      for (let tries = 0; tries < 100 && held >= half; tries++) {
        await new Promise((resolve) => setImmediate(resolve));
        held = memory() - before;
      }
    }
    const before = memory();
    const response = await client.fetch('/length.php', { root, method: 'POST', body: Readable.from(pieces()) });
    expect(await response.text()).toBe(`${size} ${hash.digest('hex')}`);
    expect(held).toBeLessThan(half);
  });

  it('takes an upload of a file of 100 MB, as it lies on the disk', async () => {
    const { client, root } = await start();
    const file = join(temporaryFolder(), 'large');
    const bytes = Buffer.alloc(100 * 1024 ** 2, 'upload ');
    writeFileSync(file, bytes);
    const response = await client.fetch('/length.php', {
      root,
      method: 'POST',
      headers: { 'Content-Length': String(bytes.length) },
      body: createReadStream(file),
    });
    expect(await response.text()).toBe(`${bytes.length} ${sha256(bytes)}`);
  });

  it('takes a form with files', async () => {
    const { client, root } = await start();
    const body = new FormData();
    const bytes = Buffer.alloc(3_000_000, 'file ');
    body.set('file', new Blob([bytes]), 'a file.bin');
    const response = await client.fetch('/upload.php', { root, method: 'POST', body });
    expect(await response.text()).toBe(`a file.bin ${bytes.length} ${sha256(bytes)}`);
  });

  it('gives a large answer whole', async () => {
    const { client, root } = await start();
    const response = await client.fetch('/large.php', { root });
    const all = Array.from({ length: 1000 }, (_, i) => String.fromCharCode(65 + (i % 26)).repeat(10_000)).join('');
    expect(sha256(await response.text())).toBe(sha256(all));
  });

  it.each<[string, ClientOptions]>([
    ['a connection each', {}],
    ['kept connections', { keepAlive: true, connections: 4 }],
    ['a client that would multiplex, which PHP-FPM cannot', { multiplex: true, connections: 50 }],
  ])('answers 10,000 requests, over %s', async (_, options) => {
    const { client, root } = await start(options);
    const pipes = () => process.getActiveResourcesInfo().filter((name) => name === 'PipeWrap').length;
    const before = pipes();
    let next = 0;
    const ask = async () => {
      for (let i = next++; i < 10_000; i = next++) {
        const response = await client.fetch(`/hello.php?name=${i}`, { root });
        const answer = await response.text();
        if (answer !== `Hello ${i}`) throw new Error(`${i}: ${response.status} ${answer}`);
      }
    };
    await Promise.all(Array.from({ length: 200 }, ask));
    await client.close();
    await eventually(() => expect(pipes()).toBe(before));
  });

  it('has a worker for each kept connection: those are given back', async () => {
    const { client, fpm, root } = await start({ keepAlive: true, keepAliveTimeout: 50 }, ['pm.max_children = 1']);
    const pid = await (await client.fetch('/pid.php', { root })).text();
    expect(await (await client.fetch('/pid.php', { root })).text()).toBe(pid);
    // Another client gets through once the connection has been idle long enough.
    const other = clientOf({ path: fpm.socket });
    expect(await (await other.fetch('/pid.php', { root })).text()).toBe(pid);
  });

  it('may end workers, and their connections, between requests', async () => {
    const { client, root } = await start({ keepAlive: true }, ['pm.max_requests = 3']);
    for (let i = 0; i < 50; i++) {
      expect(await (await client.fetch(`/hello.php?name=${i}`, { root })).text()).toBe(`Hello ${i}`);
    }
  });

  it('has its warnings on stderr', async () => {
    const { client, root } = await start();
    const params = { REQUEST_METHOD: 'GET', SCRIPT_NAME: '/warning.php', SCRIPT_FILENAME: join(root, 'warning.php') };
    const { stdout, stderr, appStatus } = await client.request(params);
    expect(await text(stdout)).toBe('before after');
    const log = await text(stderr);
    expect(log).toContain('PHP Warning:  Undefined variable $undefined');
    expect(log).toContain('logged');
    expect(await appStatus).toBe(0);
  });

  it('ends a script that fails half-way in order: only stderr tells', async () => {
    const { client, root } = await start();
    const params = { REQUEST_METHOD: 'GET', SCRIPT_NAME: '/fatal.php', SCRIPT_FILENAME: join(root, 'fatal.php') };
    const { stdout, stderr, appStatus } = await client.request(params);
    expect(await text(stdout)).toBe('half');
    expect(await text(stderr)).toContain('no more');
    // PHP-FPM says so of every script.
    expect(await appStatus).toBe(0);
  });

  it.each(['killed.php', 'killed-at-once.php'])(
    'has a worker killed: %s is an error, and the next request no longer',
    async (name) => {
      const { client, root } = await start({ keepAlive: true });
      const answer = client.fetch(`/${name}`, { root, method: 'POST' }).then((response) => response.text());
      expect(await codeOf(answer)).toBe('FCGI_ERR_CLIENT_CLOSED');
      expect(await (await client.fetch('/hello.php', { root })).text()).toBe('Hello World');
    },
  );

  it('is waited for no longer than told, and then given up', async () => {
    const { client, root } = await start({ headersTimeout: 100 }, ['pm.max_children = 1']);
    expect(await codeOf(client.fetch('/sleep.php?ms=700', { root }))).toBe('FCGI_ERR_CLIENT_TIMEOUT');
    await expect(client.fetch('/sleep.php?ms=700', { root, signal: AbortSignal.timeout(20) })).rejects.toThrow(
      'timeout',
    );
  });

  it('with a full backlog answers all the same', async () => {
    const { client, root } = await start({ connections: 100 }, ['pm.max_children = 1', 'listen.backlog = 1']);
    const answers = await Promise.all(
      Array.from({ length: 100 }, async () => (await client.fetch('/sleep.php?ms=5', { root })).text()),
    );
    expect(new Set(answers)).toEqual(new Set(['slept']));
  });

  it('with a full backlog is an error with a code where that takes too long', async () => {
    const pool = ['pm.max_children = 1', 'listen.backlog = 1'];
    const { client, root } = await start({ connections: 100, connectTimeout: 100 }, pool);
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () => codeOf(client.fetch('/sleep.php?ms=200', { root }).then((r) => r.text()))),
    );
    expect(new Set(outcomes)).toEqual(new Set(['slept', 'FCGI_ERR_CLIENT_CONNECT']));
  });

  it('tells its values', async () => {
    const { client } = await start();
    expect(await client.values()).toEqual({ FCGI_MPXS_CONNS: '0' });
  });

  it('tells its status, with all processes where they are asked for', async () => {
    const { client, root } = await start();
    await (await client.fetch('/hello.php', { root })).text();
    const status = await phpFpm.status(client);
    expect(status).toMatchObject({ pool: 'test', processManager: 'static', acceptedConn: 2, totalProcesses: 4 });
    expect(status.processes).toBeUndefined();
    const { processes } = await phpFpm.status(client, { full: true });
    expect(processes).toHaveLength(4);
    expect(processes!.find(({ state }) => state === 'Running')).toEqual({
      pid: expect.any(Number),
      state: 'Running',
      startTime: expect.any(Number),
      startSince: expect.any(Number),
      requests: expect.any(Number),
      requestDuration: expect.any(Number),
      requestMethod: 'GET',
      requestUri: '/status?json&full',
      contentLength: 0,
      user: '-',
      script: '-',
      lastRequestCpu: expect.any(Number),
      lastRequestMemory: expect.any(Number),
    });
  });

  it('answers a ping', async () => {
    const { client } = await start();
    expect(await phpFpm.ping(client)).toBe('pong');
  });

  it('may have these pages elsewhere', async () => {
    const { client } = await start({}, [
      'pm.status_path = /fpm/status',
      'ping.path = /fpm/ping',
      'ping.response = here',
    ]);
    expect((await phpFpm.status(client, { path: '/fpm/status' })).pool).toBe('test');
    expect(await phpFpm.ping(client, { path: '/fpm/ping' })).toBe('here');
    for (const ask of [phpFpm.status, phpFpm.ping]) {
      await expect(ask(client)).rejects.toMatchObject({
        code: 'FCGI_ERR_CLIENT_PROTOCOL',
        message: expect.stringMatching(/has no page \/\w+: it answers 404 File not found\./),
      });
    }
  });
});

describe('phpFpm.status', () => {
  it('takes no other page for it', async () => {
    const app = await application((request) => request.stdout(`${HEAD}<h1>Status</h1>`).end());
    expect(await codeOf(phpFpm.status(clientOf(app.address)))).toBe('FCGI_ERR_CLIENT_PROTOCOL');
  });
});
