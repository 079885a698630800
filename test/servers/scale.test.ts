import { once } from 'node:events';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { hasRedis, startRedis } from '../foreign/redis.ts';
import { build, PROJECT } from './build.ts';
import { caddyEnv } from './caddy.ts';
import { type Answer, exchange, statusOf } from './client.ts';
import { describeWith, freePort, Program, replaceOnce, type Server, temporaryFolder } from './program.ts';

const EXAMPLE = join(PROJECT, 'examples/scale');
const VISITORS = 16;

/** What a person would type, and where the example has the web server listen. */
const fronts: { server: Server; file: string; listens: string; args(folder: string): string[] }[] = [
  {
    server: 'nginx',
    file: 'nginx.conf',
    listens: 'listen 127.0.0.1:8082',
    args: (folder) => [
      ...['-e', 'stderr', '-p', folder, '-c', join(folder, 'nginx.conf')],
      ...(process.getuid?.() === 0 ? ['-g', 'user root;'] : []),
    ],
  },
  { server: 'caddy', file: 'Caddyfile', listens: '\nhttp://:8081', args: () => ['run'] },
  { server: 'haproxy', file: 'haproxy.cfg', listens: 'bind 127.0.0.1:8083', args: () => ['-f', 'haproxy.cfg'] },
];

/** One of the example's workers, which may have to be started again. */
class Worker {
  readonly address: string;
  #program: Program | undefined;
  readonly #env: NodeJS.ProcessEnv;

  constructor(port: number, redis: string) {
    // Not 127.0.0.1: a connection that somebody makes while the worker is away could be given its port there.
    this.address = `127.0.0.2:${port}`;
    this.#env = { ...process.env, REDIS_URL: redis };
  }

  get program(): Program {
    return this.#program!;
  }

  get gone(): boolean {
    const { exitCode, signalCode } = this.program.child;
    return exitCode !== null || signalCode !== null;
  }

  async start(): Promise<void> {
    await this.#program?.stop();
    const folder = temporaryFolder();
    const args = [join(EXAMPLE, 'worker.js'), this.address];
    this.#program = new Program(process.execPath, args, folder, { cwd: folder, env: this.#env });
    await vi.waitFor(() => expect(this.program.output).toContain('Listening'), 20_000);
  }
}

/** Somebody with a session, who comes again and again. */
class Visitor {
  views = 0;
  #cookie = '';
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  /** Answers how often it was counted, and by whom. */
  async visit(): Promise<{ views: number; by: string | undefined }> {
    const answer = await exchange(this.#port, { path: '/', headers: this.#cookie ? [['Cookie', this.#cookie]] : [] });
    expect(answer).toMatchObject({ status: 200, body: expect.stringMatching(/^Visit \d+, /) });
    this.#cookie ||= answer.headers['set-cookie']![0]!.split(';')[0]!;
    const before = this.views;
    this.views = Number(/\d+/.exec(answer.body));
    return { views: this.views - before, by: answer.headers['x-worker']?.[0] };
  }
}

describe.skipIf(!hasRedis)('examples/scale', () => {
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let workers: [Worker, Worker, Worker];
  beforeAll(async () => {
    build();
    redis = await startRedis();
    const make = async () => new Worker(await freePort(), redis.url);
    workers = [await make(), await make(), await make()];
    await Promise.all(workers.map((worker) => worker.start()));
  }, 60_000);
  afterEach(async () => {
    await Promise.all(workers.filter((worker) => worker.gone).map((worker) => worker.start()));
  }, 60_000);
  afterAll(async () => {
    await Promise.all(workers.map(({ program }) => program.stop('SIGKILL')));
    await redis.stop();
  });

  for (const { server, file, listens, args } of fronts) {
    describeWith(server, `behind ${server}`, () => {
      /** Starts it on a copy of the example's configuration, as it is but for the addresses. */
      async function start(): Promise<{ port: number; program: Program }> {
        const folder = temporaryFolder();
        cpSync(EXAMPLE, folder, { recursive: true });
        const port = await freePort();
        let config = replaceOnce(readFileSync(join(folder, file), 'utf8'), listens, listens.replace(/\d+$/, `${port}`));
        for (const [index, { address }] of workers.entries()) {
          config = replaceOnce(config, `127.0.0.1:900${index + 1}`, address);
        }
        writeFileSync(join(folder, file), config);
        const program = new Program(server, args(folder), folder, { cwd: folder, env: caddyEnv(folder) });
        onTestFinished(async () => void (await program.stop()));
        await program.accepts(port);
        return { port, program };
      }

      it('answers every GET while a worker is stopped and another killed, keeps the sessions, and asks both again', async () => {
        const { port } = await start();
        const visitors = Array.from({ length: VISITORS }, () => new Visitor(port));
        const [stopped, killed] = workers;
        let answered = 0;

        /** All of them come, without a pause, until it is enough. */
        async function visitUntil(enough: () => boolean, counts: (views: number) => boolean): Promise<void> {
          const comeAgain = async (visitor: Visitor) => {
            do {
              const { views } = await visitor.visit();
              expect(views, 'times counted').toSatisfy(counts);
              answered++;
            } while (!enough());
          };
          await Promise.all(visitors.map(comeAgain));
        }
        const more = (count: number) => {
          const from = answered;
          return () => answered >= from + count;
        };

        const exactlyOnce = (views: number) => views === 1;
        await visitUntil(more(500), exactlyOnce);
        stopped.program.child.kill('SIGTERM');
        await visitUntil(() => stopped.program.child.exitCode !== null, exactlyOnce);
        expect(stopped.program.child.exitCode).toBe(0);
        await visitUntil(more(500), exactlyOnce);

        // What it had counted when it was killed is counted again by the next.
        const half = more(300);
        const whole = more(1000);
        const gone = once(killed.program.child, 'exit');
        await visitUntil(
          () => {
            if (half()) killed.program.child.kill('SIGKILL');
            return whole();
          },
          (views) => views >= 1,
        );
        await gone;

        await Promise.all([stopped.start(), killed.start()]);
        const missed = new Set<string | undefined>([stopped.address, killed.address]);
        const seen = async () => {
          missed.delete((await visitors[0]!.visit()).by);
          return missed.size;
        };
        await expect.poll(seen, { timeout: 30_000 }).toBe(0);
      }, 120_000);

      it('answers a GET also if its worker is killed while it saves the session', async () => {
        const { port } = await start();
        await redis.client.sendCommand(['CLIENT', 'PAUSE', '60000', 'WRITE']);
        const visits = Array.from({ length: VISITORS }, () => new Visitor(port).visit());
        const waiting = async () =>
          `${await redis.client.sendCommand(['CLIENT', 'LIST'])}`.match(/ flags=\w*b/g)?.length;
        await expect.poll(waiting, { timeout: 20_000 }).toBe(workers.length);
        const { child } = workers[0].program;
        child.kill('SIGKILL');
        await once(child, 'exit');
        await redis.client.sendCommand(['CLIENT', 'UNPAUSE']);
        await Promise.all(visits);
      }, 60_000);

      it('lets a POST finish on a worker that is stopped, and does not repeat one whose worker is killed', async () => {
        const { port } = await start();
        await redis.client.del('scale-work');
        /** Posts, and answers which worker has begun. */
        const post = async (path: string, work: string): Promise<{ worker: Worker; answer: Promise<Answer> }> => {
          const outputs = workers.map(({ program }) => program.output.length);
          const answer = exchange(port, { path, method: 'POST' });
          answer.catch(() => {});
          const begun = () =>
            workers.find(({ program }, index) => program.output.includes(`${work} begins`, outputs[index]));
          await expect.poll(begun, { timeout: 20_000 }).toBeDefined();
          return { worker: begun()!, answer };
        };

        const first = await post('/work/3', 'Work 1');
        const ended = once(first.worker.program.child, 'exit');
        first.worker.program.child.kill('SIGTERM');
        expect(await first.answer).toMatchObject({ status: 200, body: `Work 1, done by ${first.worker.address}\n` });
        expect(await ended).toEqual([0, null]);
        await first.worker.start();

        const second = await post('/work/10', 'Work 2');
        await second.worker.program.stop('SIGKILL');
        expect(await statusOf(second.answer)).toBe(502);
        expect(await redis.client.get('scale-work')).toBe('2');
      }, 60_000);

      // The others do not ask how a worker is: a POST may cross with the end of its connection.
      if (server === 'haproxy')
        it('loses no POST either when a worker is stopped', async () => {
          const { port } = await start();
          const [{ program }] = workers;
          const statuses = new Set<number | string | undefined>();
          const post = async () => {
            do statuses.add(await statusOf(exchange(port, { path: '/work/0', method: 'POST' })));
            while (program.child.exitCode === null);
          };
          const posts = Promise.all(Array.from({ length: VISITORS }, post));
          await expect.poll(() => program.output, { timeout: 20_000 }).toContain('begins');
          program.child.kill('SIGTERM');
          await posts;
          expect([...statuses]).toEqual([200]);
        }, 60_000);
    });
  }
});
