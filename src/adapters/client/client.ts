import { FcgiError, fcgiError } from '../../core/errors.ts';
import type { AddressLike } from '../address.ts';
import { FCGI_MAX_CONNS, FCGI_MAX_REQS, FCGI_MPXS_CONNS } from '../fastcgi/constants.ts';
import { Backend, choose } from './backend.ts';
import type { Body } from './body.ts';
import { Exchange, type ExchangeOwner } from './exchange.ts';
import { type FetchInit, fetchOver } from './fetch.ts';
import { type ClientOptions, type ClientSettings, settingsFrom } from './options.ts';
import { Pool } from './pool.ts';
import { makeRequest, type Params, type RequestOptions } from './request.ts';
import type { FcgiResponse } from './response.ts';
import { Upstream } from './upstream.ts';
import { getValues, type Values } from './values.ts';

/** What FastCGI has variables for (section 4.1). */
const VALUES = [FCGI_MAX_CONNS, FCGI_MAX_REQS, FCGI_MPXS_CONNS];

/** Failures that tell something about a backend. */
const BACKENDS_FAULT: ReadonlySet<string> = new Set([
  'FCGI_ERR_CLIENT_CONNECT',
  'FCGI_ERR_CLIENT_CLOSED',
  'FCGI_ERR_CLIENT_TIMEOUT',
  'FCGI_ERR_CLIENT_PROTOCOL',
  'FCGI_ERR_CLIENT_OVERLOADED',
]);

/** The application has not begun to work on it. */
const NOT_BEGUN: ReadonlySet<string> = new Set(['FCGI_ERR_CLIENT_CONNECT', 'FCGI_ERR_CLIENT_OVERLOADED']);

/**
 * Sends requests to a FastCGI application, such as PHP-FPM.
 *
 * @example
 * const client = new FcgiClient('unix:/run/php/php-fpm.sock');
 * const response = await client.fetch('/index.php?page=1', { root: '/srv/www' });
 * console.log(response.status, await response.text());
 */
export class FcgiClient implements AsyncDisposable {
  readonly #settings: ClientSettings;
  readonly #backends: readonly Backend[];
  readonly #owner: ExchangeOwner;
  /** Those that wait for a connection. */
  readonly #queue: Exchange[] = [];
  /** Those that are not over. */
  readonly #exchanges = new Set<Exchange>();
  readonly #questions = new Set<AbortController>();
  #closed: Promise<void> | undefined;
  #destroyed = false;
  #onIdle = () => {};

  /**
   * @param address As `parseAddress` reads it, or an `upstream` of several.
   * @throws FcgiError FCGI_ERR_ADDRESS, FCGI_ERR_OPTION
   */
  constructor(address: AddressLike | Upstream, options: ClientOptions = {}) {
    const settings = settingsFrom(options);
    const upstream = address instanceof Upstream ? address : new Upstream([address]);
    this.#settings = settings;
    this.#backends = upstream.addresses.map((each) => {
      return new Backend(new Pool(each, settings, () => this.#pump()), upstream);
    });
    this.#owner = {
      settings,
      onAnswered: (exchange) => exchange.backend!.succeeded(),
      onFailed: (exchange, error) => this.#onFailed(exchange, error),
      onOver: (exchange) => this.#onOver(exchange),
    };
  }

  /**
   * Sends a request with just these parameters, beside the CONTENT_LENGTH of its body, and resolves when the head of the
   * answer has come.
   *
   * @param body A stream of which `params` has no CONTENT_LENGTH is counted first, in memory or a temporary file.
   *
   * Rejects with FCGI_ERR_CLIENT_CONNECT, FCGI_ERR_CLIENT_CLOSED, FCGI_ERR_CLIENT_TIMEOUT, FCGI_ERR_CLIENT_PROTOCOL,
   * FCGI_ERR_CLIENT_OVERLOADED, FCGI_ERR_CLIENT_UNKNOWN_ROLE, FCGI_ERR_CLIENT_DESTROYED, FCGI_ERR_ARGUMENT,
   * FCGI_ERR_PARAMS_TOO_LARGE, FCGI_ERR_BODY_TOO_LARGE, FCGI_ERR_BODY_OVERRUN, FCGI_ERR_BODY_UNDERRUN, with the
   * signal's reason or what the body fails with.
   */
  async request(params: Params, body?: Body, options: RequestOptions = {}): Promise<FcgiResponse> {
    const request = await makeRequest(params, body, options, this.#settings);
    return new Promise((resolve, reject) => {
      const exchange = new Exchange(this.#owner, request, resolve, reject);
      this.#exchanges.add(exchange);
      if (request.signal?.aborted) exchange.handleEvent();
      else if (this.#closed !== undefined) exchange.fail(destroyed());
      else if (this.#queue.length >= this.#settings.maxQueued) exchange.fail(overloaded());
      else if (this.#queue.length > 0 || !this.#send(exchange)) this.#enqueue(exchange, this.#queue.length);
    });
  }

  /**
   * Sends a request made of a URL and of what the web's `fetch` takes, and resolves when the head of the answer has come.
   * Redirects are not followed.
   *
   * Rejects as `request`.
   */
  fetch(url: string | URL, init: FetchInit = {}): Promise<Response> {
    return fetchOver(this, url, init);
  }

  /**
   * Asks what the application says of itself (FCGI_GET_VALUES): FCGI_MAX_CONNS, FCGI_MAX_REQS and FCGI_MPXS_CONNS. Of an
   * upstream, the first.
   *
   * Rejects with FCGI_ERR_CLIENT_CONNECT, FCGI_ERR_CLIENT_CLOSED, FCGI_ERR_CLIENT_TIMEOUT, FCGI_ERR_CLIENT_PROTOCOL,
   * FCGI_ERR_CLIENT_DESTROYED.
   */
  async values(names: Iterable<string> = VALUES): Promise<Values> {
    if (this.#closed !== undefined) throw destroyed();
    const question = new AbortController();
    this.#questions.add(question);
    try {
      return await getValues(this.#backends[0]!.pool.address, names, this.#settings, question.signal);
    } finally {
      this.#questions.delete(question);
      if (this.#idle) this.#onIdle();
    }
  }

  /** Takes no more requests, and resolves when those under way are over and all connections are closed. */
  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      this.#onIdle = resolve;
      if (this.#idle) resolve();
      for (const { pool } of this.#backends) pool.close();
    });
    return this.#closed;
  }

  /** Gives up the requests under way, with FCGI_ERR_CLIENT_DESTROYED unless told otherwise, and closes all connections. */
  destroy(error: Error = destroyed()): void {
    this.close();
    this.#destroyed = true;
    // Those that wait first: they would take the places of the others.
    for (const exchange of [...this.#queue, ...this.#exchanges]) exchange.fail(error);
    for (const question of this.#questions) question.abort(error);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #enqueue(exchange: Exchange, at: number): void {
    this.#queue.splice(at, 0, exchange);
    exchange.cancel = () => {
      this.#queue.splice(this.#queue.indexOf(exchange), 1);
    };
  }

  /** False if it has to wait. */
  #send(exchange: Exchange): boolean {
    const backend = choose(this.#backends, exchange.tried);
    if (backend === undefined) return false;
    exchange.backend = backend;
    exchange.failuresBefore = backend.failures;
    backend.pool.send(exchange);
    return true;
  }

  /** There may be room for those that wait. */
  #pump(): void {
    while (this.#queue.length > 0) {
      const exchange = this.#queue.shift()!;
      exchange.cancel = undefined;
      if (this.#send(exchange)) continue;
      this.#enqueue(exchange, 0);
      return;
    }
  }

  /** Nothing came back. True if it is sent again. */
  #onFailed(exchange: Exchange, error: unknown): boolean {
    const { backend } = exchange;
    if (backend === undefined || !(error instanceof FcgiError)) return false;
    // A kept connection may close at any time, as on a reload, before a request has reached the application.
    const stale = error.code === 'FCGI_ERR_CLIENT_CLOSED' && exchange.onKept && !exchange.retried;
    const alone = error.code === 'FCGI_ERR_CLIENT_CANT_MPX_CONN';
    if (alone) backend.pool.stopMultiplexing();
    if (!stale && BACKENDS_FAULT.has(error.code)) backend.failed(exchange.failuresBefore);
    if (!exchange.repeatable || this.#destroyed) return false;
    const closed = error.code === 'FCGI_ERR_CLIENT_CLOSED' && exchange.request.idempotent;
    if (!closed && !alone && !NOT_BEGUN.has(error.code)) return false;
    if (stale || (alone && !exchange.retried)) exchange.retried = true;
    else exchange.tried.push(backend);
    if (exchange.tried.length === this.#backends.length) return false;
    exchange.backend = undefined;
    if (!this.#send(exchange)) this.#enqueue(exchange, 0);
    return true;
  }

  #onOver(exchange: Exchange): void {
    this.#exchanges.delete(exchange);
    if (this.#idle) this.#onIdle();
  }

  get #idle(): boolean {
    return this.#exchanges.size + this.#questions.size === 0;
  }
}

function destroyed(): FcgiError {
  return fcgiError('FCGI_ERR_CLIENT_DESTROYED', 'The client has been closed');
}

function overloaded(): FcgiError {
  return fcgiError('FCGI_ERR_CLIENT_OVERLOADED', 'Too many requests wait for a connection');
}
