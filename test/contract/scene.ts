import { EventEmitter } from 'node:events';
import { onTestFinished } from 'vitest';
import type { Door, Server } from './doors.ts';
import type { Visitor } from './visitor.ts';

/** One run of a row, through one door. */
export class Scene {
  /** What the application was told, in the order in which it was told. */
  readonly notes: unknown[] = [];
  readonly server: Server;
  readonly overHttp: boolean;
  readonly #door: Door;
  #wake = () => {};

  constructor(server: Server, door: Door) {
    this.server = server;
    this.overHttp = door.overHttp === true;
    this.#door = door;
  }

  // Functions of their own, so that a row can take those that it needs.

  note = (...what: unknown[]): void => {
    this.notes.push(what.length === 1 ? plain(what[0]) : what.map(plain));
    this.#wake();
  };

  /** Notes each of these events when it comes. */
  watch = (name: string, emitter: NodeJS.EventEmitter, ...events: string[]): void => {
    for (const event of events) {
      emitter.on(event, (error) => this.note(`${name} ${event}${error instanceof Error ? ` ${plain(error)}` : ''}`));
    }
  };

  /** Notes what the function gives or throws. */
  attempt = (act: () => unknown): void => {
    try {
      this.note(act());
    } catch (error) {
      this.note(error);
    }
  };

  /** Waits until this has been noted. */
  noted = (what: unknown): Promise<void> => {
    const come = new Promise<void>((resolve) => {
      this.#wake = () => {
        if (this.notes.some((note) => JSON.stringify(note) === JSON.stringify(what))) resolve();
      };
      this.#wake();
    });
    return this.within(come, () => `has not told ${JSON.stringify(what)}`);
  };

  /** A client, which leaves when the test is over. */
  visit = async (): Promise<Visitor> => {
    const visitor = await this.#door.visit(this.server);
    onTestFinished(() => visitor.leave());
    return visitor;
  };

  /** Says where it stands still, rather than that the test took too long. */
  within<T>(promise: Promise<T>, why: () => string): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const told = () => `${this.#door.name} ${why()}, only ${JSON.stringify(this.notes, null, 1)}`;
      timer = setTimeout(() => reject(new Error(told())), 10_000);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
  }
}

/** Errors by what code looks at, and by what they are what cannot be compared. */
function plain(what: unknown): unknown {
  if (what instanceof Error) {
    const { name, code, message } = what as NodeJS.ErrnoException;
    return `${name} ${code}: ${message}`;
  }
  if (what === undefined) return 'undefined';
  if (typeof what === 'function') return 'a function';
  if (what instanceof EventEmitter) return 'an emitter';
  return what;
}
