import { createReadStream } from 'node:fs';
import { onDrain } from '../../core/drain.ts';
import type { Response } from '../../core/response.ts';
import { ANSWERING, sendWhole } from '../../core/send.ts';
import type { Background } from './background.ts';
import type { Writer } from './compile.ts';
import { type ConstantText, constantsOf } from './constant-text.ts';
import { TextBuffer } from './text-buffer.ts';

/** Thrown through a page that is to end: by `exit()`, or since nobody is there any more to read it. */
export const EXIT = Symbol('exit');

const HTML = 'text/html; charset=utf-8';

/** Bytes above which what a page writes is sent also in the middle of a turn. */
const MAX_HELD = 65536;

/** Bytes up to which an answer is sent as a string: with its head it is one write of Node's then. */
const MAX_STRING = 4096;

/**
 * HOT: what a page writes, on its way to the response. Up to `size` bytes it is held back, so that headers can be set
 * meanwhile. More is sent when the page next waits for something: until then the whole process does nothing else, and an
 * answer that is complete by then goes in one piece.
 */
export class Output implements Writer {
  readonly #res: Response;
  /** Bytes up to which what is written is held back. */
  readonly #size: number;
  /** Bytes up to which there is nothing to do: more than that once it is to be sent anyway, and -1 once it is closed. */
  #limit: number;
  readonly #text: TextBuffer;
  /** Where in the text each `obStart` was, innermost last. */
  readonly #marks: number[] = [];
  readonly #background: Background;
  /** What has to be written first: promises that the page may not have waited for. */
  #before: Promise<void> | undefined;
  #turn: NodeJS.Immediate | undefined;
  /** Whether there are bytes of who knows what in it. */
  #isBinary = false;

  /** @param expected Bytes that there will be, by and large. */
  constructor(res: Response, size: number, background: Background, expected = 0) {
    this.#res = res;
    this.#text = new TextBuffer(expected);
    this.#background = background;
    this.#size = size;
    this.#limit = size;
  }

  text(text: ConstantText): Promise<void> | undefined {
    if (this.#before !== undefined) return this.#after(() => this.#appendConstant(text));
    return this.#appendConstant(text);
  }

  /** Escaped; `undefined`, `null` and `false` are nothing. Promises are awaited before what comes after is written. */
  echo(...values: unknown[]): Promise<void> | undefined;
  echo(value?: unknown): Promise<void> | undefined {
    // Not as rest parameters, which would be an array for each call.
    // biome-ignore lint/complexity/noArguments: see above
    if (arguments.length > 1) return this.#addAll(arguments, true);
    if (typeof value !== 'string' || this.#before !== undefined) return this.#add(value, true);
    this.#text.addEscaped(value);
    return this.#added();
  }

  /** The same as `<?= … ?>`, whose promises may write as well. */
  escaped(...values: unknown[]): Promise<void> | undefined;
  escaped(value?: unknown): Promise<void> | undefined {
    // biome-ignore lint/complexity/noArguments: see echo
    if (arguments.length > 1) return this.#addAllOfTag(arguments, true);
    return isThenable(value) ? this.#addAwaited([value], true) : this.echo(value);
  }

  template(strings: TemplateStringsArray, ...values: unknown[]): Promise<void> | undefined {
    for (let i = 0; i < values.length; i++) values[i] = `${values[i]}`;
    if (this.#before !== undefined) return this.#add(String.raw({ raw: strings }, ...values), true);
    const constants = constantsOf(strings);
    this.#text.addConstant(constants[0]!);
    for (let i = 0; i < values.length; i++) {
      this.#text.addEscaped(values[i] as string);
      this.#text.addConstant(constants[i + 1]!);
    }
    return this.#added();
  }

  /** As it is, also bytes. */
  print(...values: unknown[]): Promise<void> | undefined;
  print(value?: unknown): Promise<void> | undefined {
    // biome-ignore lint/complexity/noArguments: see echo
    return arguments.length > 1 ? this.#addAll(arguments, false) : this.#add(value, false);
  }

  /** The same as `<?- … ?>`. */
  raw(...values: unknown[]): Promise<void> | undefined;
  raw(value?: unknown): Promise<void> | undefined {
    // biome-ignore lint/complexity/noArguments: see echo
    if (arguments.length > 1) return this.#addAllOfTag(arguments, false);
    return isThenable(value) ? this.#addAwaited([value], false) : this.#add(value, false);
  }

  /** A file as it is; resolves to its size in bytes. */
  file(path: string): Promise<number> {
    return this.#after(async () => {
      let size = 0;
      for await (const chunk of createReadStream(path)) {
        size += chunk.length;
        await this.#appendBinary(chunk);
      }
      return size;
    });
  }

  /** Sends what there is, and the head before it; not what an `obStart` holds. */
  flush(): Promise<void> | undefined {
    return this.#before === undefined ? this.#send() : this.#after(() => this.#send());
  }

  /** Bytes that wait. */
  get length(): number {
    return this.#text.length;
  }

  /** Sends the rest, unless the page has answered otherwise. */
  end(): void {
    const res = this.#res;
    if (this.#isAnswered()) {
      this.close();
      return;
    }
    const isText = this.#text.length <= MAX_STRING && !this.#isBinary;
    const text = isText ? this.#text.end() : this.#text.take();
    this.close();
    if (res.headersSent) res.end(text);
    else sendWhole(res, text, res.hasHeader('content-type') ? undefined : HTML, false);
  }

  /** Drops what has not been sent yet, and whatever is still written: from now on, the answer is somebody else's. */
  close(): void {
    if (this.#turn !== undefined) clearImmediate(this.#turn);
    this.#turn = undefined;
    this.drop();
    // All that is written comes by #overflow then.
    this.#limit = -1;
  }

  /** Drops what has not been sent yet. */
  drop(): void {
    if (this.#marks.length > 0) this.#marks.length = 0;
    this.#text.cut(0);
  }

  /** How many `obStart` there are. */
  get obLevel(): number {
    return this.#marks.length;
  }

  obStart(): true {
    this.#marks.push(this.#text.length);
    return true;
  }

  /** In bytes. */
  obLength(): number | undefined {
    const mark = this.#marks.at(-1);
    return mark === undefined ? undefined : this.#text.length - mark;
  }

  /** What was written since the innermost `obStart`; undefined if there is none. */
  obContents(): string | undefined {
    const mark = this.#marks.at(-1);
    return mark === undefined ? undefined : this.#text.toString(mark);
  }

  /** Ends the innermost `obStart`; with `drop` nothing of what was written since is left. False if there is none. */
  obEnd(drop: boolean): boolean {
    const mark = this.#marks.pop();
    if (mark !== undefined && drop) this.#text.cut(mark);
    return mark !== undefined;
  }

  /** The two together. */
  obTake(drop: boolean): string | undefined {
    const contents = this.obContents();
    this.obEnd(drop);
    return contents;
  }

  #add(value: unknown, escaped: boolean): Promise<void> | undefined {
    if (typeof value === 'string' && this.#before === undefined) return this.#append(value, escaped);
    if (value === undefined || value === null || value === false) return undefined;
    if (this.#before === undefined && !isThenable(value)) return this.#append(value, escaped);
    return this.#after(async () => this.#append(await value, escaped));
  }

  #append(value: unknown, escaped: boolean): Promise<void> | undefined {
    if (value === undefined || value === null || value === false) return undefined;
    if (value instanceof Uint8Array && !escaped) return this.#appendBinary(value);
    const text = typeof value === 'string' ? value : String(value);
    if (escaped) this.#text.addEscaped(text);
    else this.#text.add(text);
    return this.#added();
  }

  #appendConstant(text: ConstantText): Promise<void> | undefined {
    this.#text.addConstant(text);
    return this.#added();
  }

  #appendBinary(bytes: Uint8Array): Promise<void> | undefined {
    this.#isBinary = true;
    this.#text.addBytes(bytes);
    return this.#added();
  }

  #addAll(values: Iterable<unknown>, escaped: boolean): Promise<void> | undefined {
    let last: Promise<void> | undefined;
    for (const value of values) last = this.#add(value, escaped) ?? last;
    return last;
  }

  #addAllOfTag(values: Iterable<unknown>, escaped: boolean): Promise<void> | undefined {
    for (const value of values) if (isThenable(value)) return this.#addAwaited(values, escaped);
    return this.#addAll(values, escaped);
  }

  /**
   * What is awaited may write as well, as a function with tags in it: that stands before its value, as in PHP. In the queue,
   * it would wait for that value itself.
   */
  #addAwaited(values: Iterable<unknown>, escaped: boolean): Promise<void> {
    return this.#background.add(Promise.all(values).then((all) => this.#addAll(all, escaped)));
  }

  #added(): Promise<void> | undefined {
    return this.#text.length > this.#limit ? this.#overflow() : undefined;
  }

  /** There is more than is held back. */
  #overflow(): Promise<void> | undefined {
    if (this.#limit < 0) {
      this.#text.cut(0);
      return undefined;
    }
    // Its client has left.
    if (this.#res.destroyed) throw EXIT;
    if (this.#marks.length > 0) return undefined;
    if (this.#text.length > MAX_HELD) return this.#send();
    this.#turn ??= setImmediate(this.#endTurn);
    this.#limit = MAX_HELD;
    return undefined;
  }

  readonly #endTurn = (): void => {
    this.#turn = undefined;
    this.#limit = this.#size;
    if (this.#isAnswered()) return;
    // Nobody stands around here whom an error could tell that the answer cannot begin.
    void this.#background.add((async () => this.flush())());
  };

  /** Whether there is nothing to send any more: the page has answered otherwise, or its client has left. */
  #isAnswered(): boolean {
    const res = this.#res;
    return res.writableEnded || res.destroyed || res[ANSWERING] === true;
  }

  /** Keeps what is written in its order, also where a page does not wait. */
  #after<T>(write: () => T | Promise<T>): Promise<T> {
    const written = (this.#before ?? Promise.resolve()).then(write);
    const done = () => {
      if (this.#before === before) this.#before = undefined;
    };
    // That one has failed is no reason for the others not to be written.
    const before = written.then(done, done);
    this.#before = before;
    return this.#background.add(written);
  }

  #send(): Promise<void> | undefined {
    if (this.#limit < 0) return undefined;
    if (this.#isAnswered()) throw EXIT;
    const res = this.#res;
    if (!res.headersSent && !res.hasHeader('content-type')) res.setHeader('Content-Type', HTML);
    const held = this.#marks[0] ?? this.#text.length;
    for (let i = 0; i < this.#marks.length; i++) this.#marks[i]! -= held;
    let taken = true;
    if (held === 0) res.flushHeaders();
    else taken = res.write(this.#text.take(held));
    // What compresses an answer holds it back as well.
    (res as { flush?: () => void }).flush?.();
    return taken ? undefined : drained(res);
  }
}

function isThenable(value: unknown): boolean {
  if (typeof value !== 'object' && typeof value !== 'function') return false;
  return typeof (value as PromiseLike<unknown> | null)?.then === 'function';
}

async function drained(res: Response): Promise<void> {
  await new Promise<void>((resolve) => onDrain(res, resolve));
  if (res.destroyed) throw EXIT;
}
