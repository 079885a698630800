import { EventEmitter, once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { type Door, type Options, overFastcgi, overHttp, overSharedFastcgi } from './doors.ts';
import { BESIDE, SharingVisitor } from './fastcgi-visitor.ts';
import { Scene } from './scene.ts';
import type { Ask, Visitor } from './visitor.ts';

export type { Scene };

/** What is told through one door: to the application, in its notes, and to the client. */
export interface Told {
  notes: unknown[];
  answer: unknown;
}

/** What it gives is the answer, or whatever else the client was told. */
export type Play = (scene: Scene) => Promise<unknown>;

export type Act = (req: IncomingMessage, res: ServerResponse, scene: Scene) => unknown;

/** What the client does; without it, it asks and waits for the answer. */
export type Script = (visitor: Visitor, scene: Scene, ask: Ask) => Promise<unknown>;

export type RowOptions = Options & { captureRejections?: boolean };

/** Whatever is under way without a wait for the other side. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}

/**
 * In a turn of its own. What a listener writes in the very turn in which its request has come leaves when all that came
 * with it has been looked at.
 */
export function later(act: Act): Act {
  return (req, res, scene) => setImmediate(() => act(req, res, scene));
}

async function run(door: Door, play: Play, options: Options): Promise<Told> {
  const server = door.make(options);
  const end = async () => {
    if (!server.listening) return;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  // Should it never come to its end.
  onTestFinished(end);
  await new Promise<void>((resolve) => {
    server.once('listening', resolve);
    server.listen(door.at ?? 0);
  });
  const scene = new Scene(server, door);
  const answer = await scene.within(play(scene), () => 'stands still');
  await settled();
  const notes = [...scene.notes];
  await end();
  return { notes, answer };
}

async function runAll(doors: Door[], play: Play, { captureRejections, ...options }: RowOptions): Promise<Told[]> {
  if (captureRejections) {
    EventEmitter.captureRejections = true;
    onTestFinished(() => {
      EventEmitter.captureRejections = false;
    });
  }
  const told: Told[] = [];
  for (const door of doors) told.push(await run(door, play, options));
  return told;
}

export function playOf(ask: Ask, act: Act, script: Script = (visitor) => visitor.ask(ask).answer()): Play {
  return async (scene) => {
    let beside: ServerResponse | undefined;
    scene.server.on('request', (req, res) => {
      if (req.url === BESIDE) {
        beside = res;
        return undefined;
      }
      // Only then does a web server hear of an answer that has broken off.
      if (beside) res.on('close', () => setImmediate(() => beside?.end('unharmed')));
      return act(req, res, scene);
    });
    const visitor = await scene.visit();
    const answer = await script(visitor, scene, ask);
    beside?.end('unharmed');
    if (visitor instanceof SharingVisitor) await visitor.unharmed();
    return answer;
  };
}

// Each test is a row of docs/node-contract.md, by its name.

/** As `same`, for what has more to do with the server than with one request. */
export function sameServer(name: string, play: Play, options: RowOptions = {}): void {
  test(name, async () => {
    const [expected, ...others] = await runAll([overHttp, ...overFastcgi], play, options);
    for (const [at, told] of others.entries()) expect(told, overFastcgi[at]!.name).toEqual(expected);
  });
}

/** A listener and its client are told the same through every door. */
export function same(name: string, ask: Ask, act: Act, script?: Script, options?: RowOptions): void {
  const play = playOf(ask, act, script);
  sameServer(name, play, options);
  test(`${name}; multiplexed`, async () => {
    const [expected, told] = await runAll([overHttp, overSharedFastcgi], play, options ?? {});
    expect(told!.notes).toEqual(expected!.notes);
    const { whole } = { ...(expected!.answer as { whole?: boolean } | undefined) };
    if (whole !== false) expect(told!.answer).toEqual(expected!.answer);
  });
}

/** What is told, in part, where FastCGI cannot carry it, or it is better done otherwise. */
export interface Difference {
  http: Partial<Told>;
  fastcgi: Partial<Told>;
}

export function differsServer(name: string, { http, fastcgi }: Difference, play: Play, options: RowOptions = {}): void {
  test(name, async () => {
    const [plain, ...others] = await runAll([overHttp, ...overFastcgi], play, options);
    expect(plain, overHttp.name).toMatchObject(http);
    for (const [at, told] of others.entries()) expect(told, overFastcgi[at]!.name).toMatchObject(fastcgi);
  });
}

export function differs(
  name: string,
  difference: Difference,
  ask: Ask,
  act: Act,
  script?: Script,
  options?: RowOptions,
): void {
  differsServer(name, difference, playOf(ask, act, script), options);
}

/** What both tell behind a web server, whose answers have its own headers, and in its order. */
export async function tellBehind(door: Door, play: Play): Promise<{ plain: Told; behind: Told }> {
  const [plain, behind] = await runAll([overHttp, door], play, {});
  return { plain: withoutOrder(plain!), behind: withoutOrder(behind!) };
}

function withoutOrder({ notes, answer }: Told): Told {
  const { headers, ...rest } = { ...(answer as { headers?: string[] } | undefined) };
  if (headers === undefined) return { notes, answer };
  const lines = headers.map((line) => line.toLowerCase()).filter((line) => !line.startsWith('server:'));
  return { notes, answer: { ...rest, headers: lines.sort() } };
}
