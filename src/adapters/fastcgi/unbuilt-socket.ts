import { EventEmitter } from 'node:events';
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** What of net.Socket needs neither a handle nor the state of its streams. */
type Inherited = EventEmitter & Pick<Socket, 'setTimeout' | 'timeout'>;

const Unbuilt = function Unbuilt() {} as unknown as new () => Inherited;
Unbuilt.prototype = Socket.prototype;

/**
 * A `net.Socket` whose constructor has not run. To build the state of two streams costs more than everything else that
 * is done for a request, and hardly any code looks at it. So what extends this is a Socket by its prototype, does itself
 * what is asked of it, and has Duplex's constructor run on it when somebody looks at the state of its streams, as
 * `stream.finished()` and `stream.pipeline()` do.
 */
export class UnbuiltSocket extends Unbuilt {
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

function build(socket: UnbuiltSocket): StreamState {
  for (const name of ['_readableState', '_writableState']) {
    Object.defineProperty(socket, name, { value: undefined, writable: true, configurable: true });
  }
  Duplex.call(socket as unknown as Duplex, { autoDestroy: false });
  return socket as unknown as StreamState;
}

class Corking {
  readonly #socket: UnbuiltSocket;

  constructor(socket: UnbuiltSocket) {
    this.#socket = socket;
  }

  set corked(corked: number) {
    this.#socket.writableCorked = corked;
  }
}
