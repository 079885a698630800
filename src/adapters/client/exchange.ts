import { setMaxListeners } from 'node:events';
import type { Role } from '../../core/env.ts';
import { FcgiError, fcgiError } from '../../core/errors.ts';
import { after } from '../../core/timer.ts';
import {
  FCGI_AUTHORIZER,
  FCGI_BEGIN_REQUEST,
  FCGI_CANT_MPX_CONN,
  FCGI_DATA,
  FCGI_FILTER,
  FCGI_OVERLOADED,
  FCGI_PARAMS,
  FCGI_REQUEST_COMPLETE,
  FCGI_RESPONDER,
  FCGI_STDIN,
  FCGI_UNKNOWN_ROLE,
} from '../fastcgi/constants.ts';
import type { Part } from '../fastcgi/output.ts';
import { type EndRequest, headerText } from '../fastcgi/records.ts';
import { Answer } from './answer.ts';
import type { Backend } from './backend.ts';
import type { Outgoing } from './body.ts';
import type { ClientConnection } from './connection.ts';
import type { ClientSettings } from './options.ts';
import { Outflow, type OutflowTarget } from './outflow.ts';
import type { BodySource, FcgiResponse } from './response.ts';

/** What is to be sent. */
export interface ExchangeRequest {
  readonly role: Role;
  /** FCGI_PARAMS, a record each; latin1. */
  readonly params: readonly string[];
  /** FCGI_STDIN; and FCGI_DATA, of a Filter. */
  readonly body: Outgoing;
  readonly data: Outgoing;
  /** The answer has no body, whatever it says: the method is HEAD. */
  readonly bodiless: boolean;
  /** To have it answered twice does no harm. */
  readonly idempotent: boolean;
  readonly signal: AbortSignal | undefined;
  readonly onStderr: ((bytes: Buffer) => void) | undefined;
}

/** Whoever has requests sent. */
export interface ExchangeOwner {
  readonly settings: ClientSettings;
  /** The first of its answer has come. */
  onAnswered(exchange: Exchange): void;
  /** It failed, and nothing came back. True if it will be sent again. */
  onFailed(exchange: Exchange, error: unknown): boolean;
  onOver(exchange: Exchange): void;
}

const ROLES: Readonly<Record<Role, number>> = {
  responder: FCGI_RESPONDER,
  authorizer: FCGI_AUTHORIZER,
  filter: FCGI_FILTER,
};

/** One request and its answer, wherever it is: waiting, on a connection, on another one after that has failed, over. */
export class Exchange implements OutflowTarget, BodySource {
  readonly request: ExchangeRequest;
  /** Takes it out of wherever it waits. */
  cancel: (() => void) | undefined;
  /** Where it was sent last, and where it failed before. */
  backend: Backend | undefined;
  readonly tried: Backend[] = [];
  /** Of that backend, when it was sent. */
  failuresBefore = 0;
  /** It was sent on a connection that had served others. */
  onKept = false;
  /** It found such a connection closed, and takes a new one now. */
  retried = false;
  over = false;

  readonly #owner: ExchangeOwner;
  readonly #resolve: (response: FcgiResponse) => void;
  readonly #reject: (error: unknown) => void;
  readonly #answer: Answer;
  #connection: ClientConnection | undefined;
  #id = 0;
  /** What is being sent, and what is to be sent behind it. */
  #outflow: Outflow | undefined;
  #inputs: [type: number, body: Outgoing][] = [];
  #started = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    owner: ExchangeOwner,
    request: ExchangeRequest,
    resolve: (response: FcgiResponse) => void,
    reject: (error: unknown) => void,
  ) {
    this.request = request;
    this.#owner = owner;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#answer = new Answer(owner.settings, request.bodiless, this, request.onStderr);
    if (request.signal !== undefined) this.#listen(request.signal);
  }

  /** Nothing has come back, and all that was sent is still there. */
  get repeatable(): boolean {
    const { body, data } = this.request;
    return !this.answered && (!this.#started || (body.bytes !== undefined && data.bytes !== undefined));
  }

  /** Something has come back. */
  get answered(): boolean {
    return this.#answer.begun;
  }

  /** The reader of the answer has enough for now. */
  get paused(): boolean {
    return this.#answer.paused;
  }

  // ---- What is sent ------------------------------------------------------------------------------

  start(connection: ClientConnection, id: number): void {
    const { role, params, body, data } = this.request;
    this.cancel = undefined;
    this.#connection = connection;
    this.#id = id;
    this.#started = true;
    this.onKept = connection.served > 1;
    this.#watch(this.#owner.settings.headersTimeout);
    let head =
      headerText(FCGI_BEGIN_REQUEST, id, 8) + String.fromCharCode(0, ROLES[role], connection.flags, 0, 0, 0, 0, 0);
    for (const packed of params) head += headerText(FCGI_PARAMS, id, packed.length) + packed;
    connection.write(head + headerText(FCGI_PARAMS, id, 0));
    if (role !== 'authorizer') this.#inputs.push([FCGI_STDIN, body]);
    if (role === 'filter') this.#inputs.push([FCGI_DATA, data]);
    this.onSent();
  }

  write(...parts: Part[]): boolean {
    return this.#connection!.write(...parts);
  }

  /** The application takes more. */
  onDrain(): void {
    this.#outflow?.resume();
  }

  onProgress(): void {
    if (this.#answer.response === undefined) this.#timer?.refresh();
  }

  onSent(): void {
    const next = this.#inputs.shift();
    this.#outflow = next && new Outflow(next[0], this.#id, next[1], this);
    this.#outflow?.start();
  }

  onSendError(error: Error): void {
    this.fail(error);
  }

  // ---- What comes back ---------------------------------------------------------------------------

  onStdout(bytes: Buffer): void {
    const { response } = this.#answer;
    if (!this.answered) this.#owner.onAnswered(this);
    try {
      this.#answer.onStdout(bytes);
    } catch (error) {
      this.fail(asProtocolError(error));
      return;
    }
    if (this.#answer.paused) {
      // A reader who takes his time is not the application's fault.
      clearTimeout(this.#timer);
      this.#connection!.regulate();
    } else if (response !== undefined) this.#timer?.refresh();
    else if (this.#answer.response !== undefined) this.#watch(this.#owner.settings.bodyTimeout);
    if (response === undefined && this.#answer.response !== undefined) this.#resolve(this.#answer.response);
  }

  onStderr(bytes: Buffer): void {
    if (!this.answered) this.#owner.onAnswered(this);
    this.#answer.onStderr(bytes);
    if (this.#answer.response !== undefined) this.#timer?.refresh();
  }

  onEnd({ appStatus, protocolStatus }: EndRequest): void {
    try {
      if (protocolStatus !== FCGI_REQUEST_COMPLETE) throw refusal(protocolStatus);
      if (!this.answered) this.#owner.onAnswered(this);
      this.#answer.end(appStatus);
    } catch (error) {
      this.fail(asProtocolError(error), true);
      return;
    }
    this.over = true;
    this.#leave(true);
    this.#close();
  }

  onRead(): void {
    if (!this.#answer.paused) return;
    this.#answer.resume();
    if (this.#answer.paused || this.over) return;
    this.#watch(this.#owner.settings.bodyTimeout);
    this.#connection!.regulate();
  }

  onClosed(): void {
    this.#answer.close();
    if (!this.over) this.fail(fcgiError('FCGI_ERR_CLIENT_DESTROYED', 'The answer was destroyed before its end'));
  }

  // ---- How it ends -------------------------------------------------------------------------------

  /** @param ended By the application. */
  fail(error: unknown, ended = false): void {
    if (this.over) return;
    this.#leave(ended);
    if (!this.answered && this.#owner.onFailed(this, error)) return;
    this.over = true;
    this.#answer.fail(error);
    if (this.#answer.response === undefined) this.#reject(error);
    this.#close();
  }

  #listen(signal: AbortSignal): void {
    // One signal may stop any number of requests: Node takes eleven for a leak.
    setMaxListeners(0, signal);
    signal.addEventListener('abort', this);
  }

  /** The signal's 'abort'. */
  handleEvent(): void {
    this.fail(this.request.signal!.reason);
  }

  #leave(ended: boolean): void {
    clearTimeout(this.#timer);
    this.cancel?.();
    this.cancel = undefined;
    const sent = this.#outflow === undefined;
    this.#outflow?.stop();
    this.#outflow = undefined;
    this.#inputs = [];
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.release(this.#id, ended, sent);
  }

  #close(): void {
    const { body, data, signal } = this.request;
    body.drop();
    data.drop();
    signal?.removeEventListener('abort', this);
    this.#owner.onOver(this);
  }

  #watch(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = after(ms, () => this.#onTimeout(ms)).unref();
  }

  #onTimeout(ms: number): void {
    const awaited = this.#answer.response === undefined ? 'The head of the answer' : 'More of the answer';
    this.fail(fcgiError('FCGI_ERR_CLIENT_TIMEOUT', `${awaited} did not come within ${ms} ms`));
  }
}

/** What FCGI_END_REQUEST says in the place of an answer (section 5.5). */
function refusal(protocolStatus: number): FcgiError {
  switch (protocolStatus) {
    case FCGI_CANT_MPX_CONN:
      return fcgiError('FCGI_ERR_CLIENT_CANT_MPX_CONN', 'The application takes one request at a time on a connection');
    case FCGI_OVERLOADED:
      return fcgiError('FCGI_ERR_CLIENT_OVERLOADED', 'The application says that it is overloaded');
    case FCGI_UNKNOWN_ROLE:
      return fcgiError('FCGI_ERR_CLIENT_UNKNOWN_ROLE', 'The application does not know the role');
    default:
      return fcgiError('FCGI_ERR_CLIENT_PROTOCOL', `The request was ended with protocol status ${protocolStatus}`);
  }
}

/** A CGI program's bad output is a 500; a gateway's application that has it is a 502. */
function asProtocolError(error: unknown): unknown {
  if (!(error instanceof FcgiError) || error.code !== 'FCGI_ERR_CGI_OUTPUT') return error;
  return fcgiError('FCGI_ERR_CLIENT_PROTOCOL', `The answer cannot be read: ${error.message}`, error);
}
