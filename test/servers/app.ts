import { EventEmitter, once } from 'node:events';
import { chmodSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build, PROJECT } from './build.ts';
import { Program, temporaryFolder } from './program.ts';

type Say = (message: object) => void;

/** test/servers/app.js in a process of its own, and in those that a web server starts. */
export class App {
  readonly program: Program;
  /** Where its doors are. */
  readonly socket: string;
  http = 0;
  tcp = 0;
  /** Where the processes that a web server starts talk. */
  readonly talk: string;

  private readonly messages = new EventEmitter();
  /** By what each process says, how to talk to it. */
  private readonly processes = new Map<EventEmitter, Say>();
  private readonly seen = new Set<string>();

  static async start(): Promise<App> {
    build();
    const app = new App();
    const ended = once(app.program.child, 'exit').then(() => {
      throw new Error(`the app ended:\n${app.program.output}`);
    });
    const [ports] = await Promise.race([once(app.messages, 'ready'), ended]);
    ended.catch(() => {});
    Object.assign(app, ports);
    return app;
  }

  private constructor() {
    this.messages.setMaxListeners(0);
    const folder = temporaryFolder();
    // Where the tests are root's, Apache is somebody else: it refuses to serve as root.
    chmodSync(folder, 0o711);
    this.socket = join(folder, 'the app.sock');
    const args = ['--expose-gc', join(PROJECT, 'test/servers/app.js'), this.socket];
    this.program = new Program(process.execPath, args, folder, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    const { child } = this.program;
    const hear = this.meet((message) => child.send(message)).hear;
    child.on('message', hear);

    this.talk = join(folder, 'talk.sock');
    // Neither keeps the tests from ending.
    const server = createServer((socket) => {
      const { hear, leave } = this.meet((message) => socket.write(`${JSON.stringify(message)}\n`));
      createInterface(socket).on('line', (line) => hear(JSON.parse(line)));
      socket.unref().on('error', leave).on('close', leave);
    });
    server.listen({ path: this.talk, readableAll: true, writableAll: true }).unref();
  }

  /** One more process of the app. */
  private meet(say: Say) {
    const voice = new EventEmitter();
    this.processes.set(voice, say);
    return {
      hear: ({ name, value }: { name: string; value?: unknown }) => {
        this.seen.add(name);
        voice.emit(name, value);
        this.messages.emit(name, value);
      },
      leave: () => {
        this.processes.delete(voice);
        // Who asks it waits no longer.
        for (const asked of voice.eventNames()) voice.emit(asked, 0);
      },
    };
  }

  /** Waits for an event of the request with this id, if it has not been already. */
  async event(id: string, event: string): Promise<void> {
    if (!this.has(id, event)) await once(this.messages, `${id} ${event}`);
  }

  /** Whether this event has been. */
  has(id: string, event: string): boolean {
    return this.seen.has(`${id} ${event}`);
  }

  /** Lets the request with this id go on. */
  go(id: string, data = ''): void {
    for (const say of this.processes.values()) say({ id, data });
  }

  /** What it holds in memory, in bytes. */
  async memory(): Promise<number> {
    return this.ask('memory');
  }

  /** Open connections to its doors, all together. */
  async connections(): Promise<number> {
    return this.ask('connections');
  }

  private async ask(ask: string): Promise<number> {
    const answers = Array.from(this.processes, ([voice, say]) => {
      const answer = once(voice, ask);
      say({ ask });
      return answer;
    });
    return (await Promise.all(answers)).reduce((sum, [value]) => sum + value, 0);
  }
}
