import { EventEmitter, once } from 'node:events';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { build, PROJECT } from './build.ts';
import { Program, temporaryFolder } from './program.ts';

/** test/servers/app.js in a process of its own. */
export class App {
  readonly program: Program;
  /** Where its doors are. */
  readonly socket: string;
  http = 0;
  tcp = 0;

  private readonly messages = new EventEmitter();
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
    this.socket = join(folder, 'fcgi.sock');
    const args = ['--expose-gc', join(PROJECT, 'test/servers/app.js'), this.socket];
    this.program = new Program(process.execPath, args, folder, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    this.program.child.on('message', ({ name, value }: { name: string; value: unknown }) => {
      this.seen.add(name);
      this.messages.emit(name, value);
    });
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
    this.program.child.send({ id, data });
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
    const answer = once(this.messages, ask);
    this.program.child.send({ ask });
    const [value] = await answer;
    return value;
  }
}
