import { fcgiError } from '../../core/errors.ts';
import { positiveFrom } from '../fastcgi/limits.ts';

/** What a client takes at most. Bytes, counts and milliseconds; `Infinity` for no limit. */
export interface ClientLimits {
  /** Connections to one address that take requests: not those that wait for their last ones to end. Default 100. */
  connections: number;
  /** Requests that wait for a connection. Over it: FCGI_ERR_CLIENT_OVERLOADED. Default 10000. */
  maxQueued: number;
  /** From the first try to connect. Over it: FCGI_ERR_CLIENT_CONNECT. Default 10000. */
  connectTimeout: number;
  /** In which neither could any of the body be sent nor did the head come. Over it: FCGI_ERR_CLIENT_TIMEOUT. Default 60000. */
  headersTimeout: number;
  /** Between two pieces of an answer that is being read. Over it: FCGI_ERR_CLIENT_TIMEOUT. Default 60000. */
  bodyTimeout: number;
  /** Of a kept connection without a request. Then it is closed. Default 4000. */
  keepAliveTimeout: number;
  /** Bytes of an answer's head. Over it: FCGI_ERR_CLIENT_PROTOCOL. Default 65536. */
  maxHeadBytes: number;
  /** Bytes of stderr that wait for whoever reads it. What is over it is dropped. Default 65536. */
  maxStderrBytes: number;
  /**
   * Bytes that wait in memory: of a body whose length has to be counted first, or of an answer with a slow reader on a
   * shared connection. More go to a temporary file. Default 262144.
   */
  maxBufferedBytes: number;
  /** Bytes of a body whose length has to be counted first. Over it: FCGI_ERR_BODY_TOO_LARGE. Default 1073741824. */
  maxSpooledBytes: number;
}

export interface ClientOptions extends Partial<ClientLimits> {
  /**
   * Keep connections for further requests. Default false: a kept connection holds one of PHP-FPM's workers, which serves
   * nobody else meanwhile.
   */
  keepAlive?: boolean;
  /**
   * Several requests at a time on one connection, if the application says that it can (FCGI_MPXS_CONNS, asked for once).
   * Such connections are kept. Default false.
   */
  multiplex?: boolean;
}

export type ClientSettings = ClientLimits & { readonly keepAlive: boolean; readonly multiplex: boolean };

const DEFAULTS: Readonly<ClientLimits> = {
  connections: 100,
  maxQueued: 10_000,
  connectTimeout: 10_000,
  headersTimeout: 60_000,
  bodyTimeout: 60_000,
  keepAliveTimeout: 4000,
  maxHeadBytes: 64 * 1024,
  maxStderrBytes: 64 * 1024,
  maxBufferedBytes: 256 * 1024,
  maxSpooledBytes: 1024 ** 3,
};

/** @throws FcgiError FCGI_ERR_OPTION */
export function settingsFrom(options: ClientOptions): ClientSettings {
  const { keepAlive = false, multiplex = false } = options;
  for (const [name, value] of Object.entries({ keepAlive, multiplex })) {
    if (typeof value !== 'boolean') throw fcgiError('FCGI_ERR_OPTION', `${name} takes true or false, not ${value}`);
  }
  return { ...positiveFrom(DEFAULTS, options), keepAlive, multiplex };
}
