import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { ForeignRequest, ForeignResponse } from '../hosts.ts';

// What the small site does that is written in each framework, as its documentation would have it.

/** 'go' lets a stream that waits send its next piece. */
export const gate = new EventEmitter();

/** Pieces of a stream, each when it is told to go. */
export async function* events(): AsyncGenerator<string> {
  for (const word of ['one', 'two', 'three']) {
    yield `data: ${word}\n\n`;
    await once(gate, 'go');
  }
}

export const EVENT_STREAM = { 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' };

export async function digest(body: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of body) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return `${bytes} ${hash.digest('hex')}`;
}

/** What a framework makes of a request. The order of its headers is not CGI's, `Connection` the web server's. */
export function describe({
  method,
  url,
  headers,
}: {
  method: string;
  url: string;
  headers: Iterable<[string, unknown]>;
}) {
  const sent = [...headers].filter(([name]) => name !== 'connection').sort();
  return { method, url, headers: Object.fromEntries(sent) };
}

export const byName = (message: ForeignRequest): [string, unknown][] => Object.entries(message.headers);

/** Tells the log that the client has left. */
export function watch(res: ForeignResponse, log: string[]): void {
  res.on('close', () => log.push(`close, ${res.writableFinished ? 'finished' : 'left'}`));
}

/** The same events, as the Fetch API has streams. */
export function textStream(): ReadableStream {
  return Readable.toWeb(Readable.from(events(), { objectMode: false })) as ReadableStream;
}
