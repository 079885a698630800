import {
  FCGI_BEGIN_REQUEST,
  FCGI_END_REQUEST,
  FCGI_GET_VALUES,
  FCGI_GET_VALUES_RESULT,
  FCGI_PARAMS,
  FCGI_UNKNOWN_TYPE,
} from '../../../src/adapters/fastcgi/constants.ts';
import { PairReader, PairsCollector } from '../../../src/adapters/fastcgi/pairs.ts';
import type { RecordHandler } from '../../../src/adapters/fastcgi/parser.ts';
import { decodeBeginRequest, decodeEndRequest, decodeUnknownType } from '../../../src/adapters/fastcgi/records.ts';

export const TYPES = [
  '',
  'BEGIN_REQUEST',
  'ABORT_REQUEST',
  'END_REQUEST',
  'PARAMS',
  'STDIN',
  'STDOUT',
  'STDERR',
  'DATA',
  'GET_VALUES',
  'GET_VALUES_RESULT',
  'UNKNOWN_TYPE',
];

/** Notes what a parser tells, a line an event, so that it does not show where the bytes were cut. */
export class Recorder implements RecordHandler {
  readonly events: string[] = [];
  /** Bytes of the largest chunk that a record was told in. */
  largestRecord = 0;
  #params = new Map<number, PairsCollector>();
  #last = '';

  onRecord(type: number, requestId: number, chunk: Buffer, start: number, end: number): void {
    this.largestRecord = Math.max(this.largestRecord, end - start);
    this.#note(`${TYPES[type]} id=${requestId}`, describe(type, chunk, start, end));
  }

  onData(type: number, requestId: number, chunk: Buffer, start: number, end: number): void {
    if (start >= end || start < 0 || end > chunk.length)
      throw new Error(`An empty or impossible piece: ${start}-${end}`);
    if (type === FCGI_PARAMS) {
      const collector = this.#params.get(requestId) ?? new PairsCollector(1 << 20);
      this.#params.set(requestId, collector);
      collector.add(chunk, start, end);
      return;
    }
    const what = `${TYPES[type]} id=${requestId}`;
    const text = chunk.toString('latin1', start, end);
    if (this.#last === what) this.events.push(`${this.events.pop()}${text}`);
    else this.#note(what, ` ${text}`);
    this.#last = what;
  }

  onDataEnd(type: number, requestId: number): void {
    if (type !== FCGI_PARAMS) {
      this.#note(`${TYPES[type]} id=${requestId}`, ' end');
      return;
    }
    const { text } = this.#params.get(requestId) ?? new PairsCollector(0);
    this.#params.delete(requestId);
    this.#note(`PARAMS id=${requestId}`, describePairs(new PairReader(text)));
  }

  onUnknown(type: number, requestId: number): void {
    this.#note(`RECORD id=${requestId}`, ` type=${type}`);
  }

  onError(error: unknown): void {
    const { code } = error as { code?: string };
    if (code === undefined) throw error;
    this.#note('error', ` ${code}`);
  }

  #note(what: string, rest: string): void {
    this.#last = '';
    this.events.push(what + rest);
  }
}

function describe(type: number, chunk: Buffer, start: number, end: number): string {
  switch (type) {
    case FCGI_BEGIN_REQUEST: {
      const { role, flags } = decodeBeginRequest(chunk, start);
      return ` role=${role} flags=${flags}`;
    }
    case FCGI_END_REQUEST: {
      const { appStatus, protocolStatus } = decodeEndRequest(chunk, start);
      return ` app=${appStatus} status=${protocolStatus}`;
    }
    case FCGI_UNKNOWN_TYPE:
      return ` unknown=${decodeUnknownType(chunk, start)}`;
    case FCGI_GET_VALUES:
    case FCGI_GET_VALUES_RESULT:
      return describePairs(new PairReader(chunk.toString('latin1', start, end)));
    default:
      return '';
  }
}

function describePairs(pairs: PairReader): string {
  let text = '';
  while (pairs.next()) text += `\n  ${pairs.name()} = ${pairs.value()}`;
  return text;
}
