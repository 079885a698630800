import { EventEmitter } from 'node:events';
import { Duplex } from 'node:stream';

const Unbuilt = function Unbuilt() {} as unknown as new () => EventEmitter;
Unbuilt.prototype = Duplex.prototype;

/**
 * A `Duplex` whose constructor has not run. To build the state of two streams costs more than everything else that is
 * done for a request, and hardly any code looks at it. So what extends this is a Duplex by its prototype, does itself
 * what is asked of it, and has Duplex's constructor run on it when somebody looks at the state of its streams, as
 * `stream.finished()` and `stream.pipeline()` do.
 */
export class UnbuiltDuplex extends Unbuilt {
  writableCorked = 0;

  override on(event: string | symbol, listener: Listener): this {
    return concerned(event).on.call(this, event, listener) as this;
  }

  override removeListener(event: string | symbol, listener: Listener): this {
    return concerned(event).removeListener.call(this, event, listener) as this;
  }

  get _readableState(): object {
    return build(this)._readableState;
  }

  get _writableState(): object {
    // A response uncorks its socket fully by `_writableState.corked = 1`, then `uncork()`: that needs no state built.
    return this.writableCorked > 0 ? new Corking(this) : build(this)._writableState;
  }
}

// biome-ignore lint/suspicious/noExplicitAny: as EventEmitter declares it
type Listener = (...args: any[]) => void;

/** Readable's own `on` and `removeListener` look at its state, but only these two events concern it. */
function concerned(event: string | symbol): EventEmitter {
  return event === 'data' || event === 'readable' ? Duplex.prototype : EventEmitter.prototype;
}

interface StreamState {
  _readableState: object;
  _writableState: object;
}

function build(duplex: UnbuiltDuplex): StreamState {
  for (const name of ['_readableState', '_writableState']) {
    Object.defineProperty(duplex, name, { value: undefined, writable: true, configurable: true });
  }
  Duplex.call(duplex as unknown as Duplex, { autoDestroy: false });
  return duplex as unknown as StreamState;
}

class Corking {
  readonly #duplex: UnbuiltDuplex;

  constructor(duplex: UnbuiltDuplex) {
    this.#duplex = duplex;
  }

  set corked(corked: number) {
    this.#duplex.writableCorked = corked;
  }
}
