import type { Response } from '../../core/response.ts';
import type { Writer } from './compile.ts';
import { htmlspecialchars } from './escape.ts';

/** Thrown through a page that is to end: by `exit()`, or since nobody is there any more to read it. */
export const EXIT = Symbol('exit');

/**
 * HOT: what a page writes, on its way to the response. It is held back until it is more than `size` characters or the page
 * ends, so that headers can be set meanwhile.
 */
export class Output implements Writer {
  readonly #res: Response;
  readonly #size: number;
  #text = '';
  /** What `obStart` has put aside, innermost last. */
  readonly #outer: string[] = [];
  /** What has to be written first: promises that the page may not have waited for. */
  #before: Promise<void> | undefined;

  constructor(res: Response, size: number) {
    this.#res = res;
    this.#size = size;
  }

  text(text: string): Promise<void> | undefined {
    return this.#before === undefined ? this.#append(text) : this.#after(() => this.#append(text));
  }

  /** Escaped; `undefined`, `null` and `false` are nothing, promises are awaited. */
  echo(value?: unknown, ...more: unknown[]): Promise<void> | undefined {
    return more.length === 0 ? this.#add(value, htmlspecialchars) : this.#addAll([value, ...more], htmlspecialchars);
  }

  /** As it is. */
  print(value?: unknown, ...more: unknown[]): Promise<void> | undefined {
    return more.length === 0 ? this.#add(value, String) : this.#addAll([value, ...more], String);
  }

  /** Sends what there is, and the head before it. */
  flush(): Promise<void> | undefined {
    return this.#before === undefined ? this.#send() : this.#after(() => this.#send());
  }

  /** Sends the rest, unless the page has answered otherwise. */
  async end(): Promise<void> {
    while (this.#before !== undefined) await this.#before;
    while (this.#outer.length > 0) this.#text = this.obTake() + this.#text;
    const res = this.#res;
    if (res.writableEnded || res.destroyed) return;
    if (!res.headersSent) res.send(this.#text);
    else res.end(this.#text);
    this.#text = '';
  }

  /** Drops what has not been sent yet. */
  drop(): void {
    this.#outer.length = 0;
    this.#text = '';
  }

  obStart(): void {
    this.#outer.push(this.#text);
    this.#text = '';
  }

  get obLevel(): number {
    return this.#outer.length;
  }

  get obContents(): string {
    return this.#text;
  }

  /** Ends the innermost `obStart`, and gives what was written since. */
  obTake(): string {
    const text = this.#text;
    this.#text = this.#outer.pop() ?? '';
    return text;
  }

  #append(text: string): Promise<void> | undefined {
    this.#text += text;
    return this.#text.length > this.#size && this.#outer.length === 0 ? this.#send() : undefined;
  }

  #add(value: unknown, toText: (value: unknown) => string): Promise<void> | undefined {
    if (typeof value === 'string') return this.text(toText(value));
    if (value === undefined || value === null || value === false) return undefined;
    if (typeof (value as PromiseLike<unknown>).then !== 'function') return this.text(toText(value));
    return this.#after(async () => {
      const settled = await value;
      if (settled !== undefined && settled !== null && settled !== false) await this.#append(toText(settled));
    });
  }

  #addAll(values: unknown[], toText: (value: unknown) => string): Promise<void> | undefined {
    let last: Promise<void> | undefined;
    for (const value of values) last = this.#add(value, toText) ?? last;
    return last;
  }

  #after(write: () => Promise<void> | undefined): Promise<void> {
    const before = (this.#before ?? Promise.resolve()).then(write).finally(() => {
      if (this.#before === before) this.#before = undefined;
    });
    // Whoever waits for it is told, and `end` waits.
    before.catch(() => {});
    this.#before = before;
    return before;
  }

  #send(): Promise<void> | undefined {
    const res = this.#res;
    if (res.destroyed || res.writableEnded) throw EXIT;
    if (!res.headersSent && !res.hasHeader('content-type')) res.type('html');
    const text = this.#text;
    this.#text = '';
    if (text === '') res.flushHeaders();
    const taken = text === '' || res.write(text);
    // What compresses the answer holds it back as well.
    (res as { flush?: () => void }).flush?.();
    return taken ? undefined : drained(res);
  }
}

async function drained(res: Response): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      res.off('drain', done).off('close', done);
      resolve();
    };
    res.on('drain', done).on('close', done);
  });
  if (res.destroyed) throw EXIT;
}
