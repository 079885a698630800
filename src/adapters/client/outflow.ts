import { finished, type Readable } from 'node:stream';
import type { Part } from '../fastcgi/output.ts';
import { encodeStream, headerText } from '../fastcgi/records.ts';
import { type Outgoing, toBytes, wrongLength } from './body.ts';

/** Where an `Outflow` writes, and whom it tells. */
export interface OutflowTarget {
  /** False if the peer has enough for now; `Outflow.resume` is to be called then. */
  write(...parts: Part[]): boolean;
  /** Some of it has gone out. */
  onProgress(): void;
  onSent(): void;
  onSendError(error: Error): void;
}

/** As many as a record holds without padding. */
const PIECE_BYTES = 0xfff8;

/** A body on its way out, as FCGI_STDIN or FCGI_DATA of one request, as fast as the peer takes it. */
export class Outflow {
  readonly #type: number;
  readonly #id: number;
  readonly #body: Outgoing;
  readonly #target: OutflowTarget;
  #sent = 0;
  /** The peer has enough for now. */
  #waits = false;
  #stop: () => void = () => {};

  constructor(type: number, id: number, body: Outgoing, target: OutflowTarget) {
    this.#type = type;
    this.#id = id;
    this.#body = body;
    this.#target = target;
  }

  start(): void {
    const { stream } = this.#body;
    if (stream === undefined) {
      this.#sendBytes();
      return;
    }
    const onData = (chunk: unknown) => this.#send(stream, chunk);
    stream.on('data', onData);
    const forget = finished(stream, { writable: false }, (error) => {
      if (error) this.#target.onSendError(error);
      else this.#end();
    });
    this.#stop = () => {
      forget();
      stream.off('data', onData);
    };
  }

  /** There is room again; on a shared connection it may be another's that waited for it. */
  resume(): void {
    if (!this.#waits) return;
    this.#waits = false;
    this.#target.onProgress();
    if (this.#body.stream === undefined) this.#sendBytes();
    else this.#body.stream.resume();
  }

  /** Nobody wants the rest. */
  stop(): void {
    this.#stop();
    this.#body.drop();
  }

  #sendBytes(): void {
    const bytes = this.#body.bytes!;
    while (this.#sent < bytes.length) {
      const piece = bytes.subarray(this.#sent, this.#sent + PIECE_BYTES);
      this.#sent += piece.length;
      if (!this.#target.write(...encodeStream(this.#type, this.#id, piece)) && this.#sent < bytes.length) {
        this.#waits = true;
        return;
      }
    }
    this.#end();
  }

  #send(stream: Readable, chunk: unknown): void {
    try {
      const bytes = toBytes(chunk);
      this.#sent += bytes.length;
      if (this.#sent > this.#body.length) throw wrongLength(this.#sent, this.#body.length);
      if (!this.#target.write(...encodeStream(this.#type, this.#id, bytes))) {
        this.#waits = true;
        stream.pause();
      }
      this.#target.onProgress();
    } catch (error) {
      this.#target.onSendError(error as Error);
    }
  }

  #end(): void {
    if (this.#sent < this.#body.length) {
      this.#target.onSendError(wrongLength(this.#sent, this.#body.length));
      return;
    }
    this.#target.write(headerText(this.#type, this.#id, 0));
    this.#target.onSent();
  }
}
