import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  FCGI_BEGIN_REQUEST,
  FCGI_GET_VALUES,
  FCGI_PARAMS,
  FCGI_RESPONDER,
  FCGI_STDIN,
  FCGI_STDOUT,
} from '../../../src/adapters/fastcgi/constants.ts';
import { RecordParser } from '../../../src/adapters/fastcgi/parser.ts';
import { encodeAbortRequest, encodeBeginRequest, encodeRecord } from '../../../src/adapters/fastcgi/records.ts';
import { FcgiError } from '../../../src/core/errors.ts';
import { seeded } from './random.ts';
import { Recorder } from './recorder.ts';
import { readVectors } from './vector.ts';

/** A handler that counts, and can be told what to do at the nth event. */
class Counter {
  events = 0;
  at = 0;
  action: () => void = () => {};

  onRecord = () => this.#count();
  onData = () => this.#count();
  onDataEnd = () => this.#count();
  onUnknown = () => this.#count();

  #count(): void {
    this.events++;
    if (this.events === this.at) this.action();
  }
}

/** A request of each kind of record, 12 events. */
const REQUEST = Buffer.concat([
  encodeBeginRequest(1, FCGI_RESPONDER, 0),
  encodeRecord(FCGI_PARAMS, 1, Buffer.from('\x01\x01ab')),
  encodeRecord(FCGI_PARAMS, 1),
  encodeRecord(99, 0, Buffer.from('unknown')),
  encodeRecord(FCGI_GET_VALUES, 0),
  encodeRecord(FCGI_GET_VALUES, 0, Buffer.from('\x01\x00a')),
  encodeRecord(FCGI_STDIN, 1, Buffer.from('body')),
  encodeRecord(FCGI_STDIN, 1),
  encodeAbortRequest(1),
  encodeBeginRequest(2, FCGI_RESPONDER, 0),
  encodeRecord(FCGI_STDOUT, 2, Buffer.from('x')),
  encodeRecord(FCGI_STDOUT, 2),
]);
const EVENTS = 12;

function writeBytewise(parser: RecordParser, bytes: Buffer): void {
  for (let i = 0; i < bytes.length; i++) parser.write(bytes.subarray(i, i + 1));
}

function codeOf(run: () => void): string | undefined {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(FcgiError);
    return (error as FcgiError).code;
  }
  return undefined;
}

describe('where the bytes are', () => {
  test('content lies in the very chunk that was written', () => {
    const chunk = Buffer.concat([
      encodeBeginRequest(1, FCGI_RESPONDER, 0),
      encodeRecord(FCGI_STDIN, 1, Buffer.from('hello')),
    ]);
    const told: unknown[] = [];
    const parser = new RecordParser({
      onRecord: (_type, _id, bytes, start, end) => told.push([bytes === chunk, start, end]),
      onData: (_type, _id, bytes, start, end) => told.push([bytes === chunk, start, end]),
      onDataEnd: () => told.push('end'),
      onUnknown: () => told.push('unknown'),
    });
    parser.write(chunk);
    expect(told).toEqual([
      [true, 8, 16],
      [true, 24, 29],
    ]);
  });

  test('a piece of a stream is told at once, not when its record is whole', () => {
    const recorder = new Recorder();
    const parser = new RecordParser(recorder);
    parser.write(encodeRecord(FCGI_STDIN, 1, Buffer.from('hello')).subarray(0, 10));
    expect(recorder.events).toEqual(['STDIN id=1 he']);
  });

  test('an end is told with the last byte of its header, before its padding', () => {
    const recorder = new Recorder();
    const parser = new RecordParser(recorder);
    parser.write(Buffer.from([1, 5, 0, 1, 0, 0, 200, 0]));
    expect(recorder.events).toEqual(['STDIN id=1 end']);
  });

  test('a record that was gathered is not written over by the next', () => {
    const kept: Buffer[] = [];
    const parser = new RecordParser({
      onRecord: (_type, _id, bytes, start, end) => kept.push(bytes.subarray(start, end)),
      onData: () => {},
      onDataEnd: () => {},
      onUnknown: () => {},
    });
    writeBytewise(parser, encodeBeginRequest(1, 1, 0));
    writeBytewise(parser, encodeBeginRequest(2, 2, 1));
    expect(kept.map((bytes) => [...bytes])).toEqual([
      [0, 1, 0, 0, 0, 0, 0, 0],
      [0, 2, 1, 0, 0, 0, 0, 0],
    ]);
  });

  test('an empty chunk changes nothing, wherever it comes', () => {
    const recorder = new Recorder();
    const parser = new RecordParser(recorder);
    for (let i = 0; i < REQUEST.length; i++) {
      parser.write(Buffer.alloc(0));
      parser.write(REQUEST.subarray(i, i + 1));
    }
    const whole = new Recorder();
    new RecordParser(whole).write(REQUEST);
    expect(recorder.events).toEqual(whole.events);
  });
});

describe('what is held', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test('whole records allocate nothing', () => {
    const parser = new RecordParser(new Counter());
    const allocations = [vi.spyOn(Buffer, 'alloc'), vi.spyOn(Buffer, 'allocUnsafe'), vi.spyOn(Buffer, 'from')];
    parser.write(REQUEST);
    for (const allocation of allocations) expect(allocation).not.toHaveBeenCalled();
  });

  test('a stream allocates nothing, however it is cut', () => {
    const record = encodeRecord(FCGI_STDIN, 1, Buffer.alloc(300));
    const parser = new RecordParser(new Counter());
    const pieces = Array.from(record, (_byte, i) => record.subarray(i, i + 1));
    const allocations = [vi.spyOn(Buffer, 'alloc'), vi.spyOn(Buffer, 'allocUnsafe')];
    for (const piece of pieces) parser.write(piece);
    for (const allocation of allocations) expect(allocation).not.toHaveBeenCalled();
  });

  test('an unknown record allocates nothing, however it is cut', () => {
    const record = encodeRecord(99, 0, Buffer.alloc(300));
    const parser = new RecordParser(new Counter());
    const allocate = vi.spyOn(Buffer, 'allocUnsafe');
    writeBytewise(parser, record);
    expect(allocate).not.toHaveBeenCalled();
  });

  test('a record that is no stream allocates its content once, when it is cut', () => {
    const record = encodeRecord(FCGI_GET_VALUES, 0, Buffer.alloc(300));
    const parser = new RecordParser(new Counter());
    const allocate = vi.spyOn(Buffer, 'allocUnsafe');
    writeBytewise(parser, record);
    expect(allocate.mock.calls).toEqual([[300]]);
  });

  test('a record that is no stream may have maxRecordBytes, and not one more', () => {
    const counter = new Counter();
    const parser = new RecordParser(counter, 100);
    parser.write(encodeRecord(FCGI_GET_VALUES, 0, Buffer.alloc(100)));
    parser.write(encodeRecord(FCGI_STDIN, 1, Buffer.alloc(1000)));
    expect(counter.events).toBe(2);
    expect(codeOf(() => parser.write(encodeRecord(FCGI_GET_VALUES, 0, Buffer.alloc(101))))).toBe('FCGI_ERR_RECORD');
    expect(counter.events).toBe(2);
  });
});

describe('errors', () => {
  test('the message says which record it was', () => {
    const parser = new RecordParser(new Counter());
    expect(() => parser.write(encodeRecord(FCGI_BEGIN_REQUEST, 7, Buffer.alloc(9)))).toThrow(
      /8 content bytes.*type 1, request id 7, 9 content bytes/,
    );
  });

  test('a wrong version is known by the first byte of the header that has it, in any chunk', () => {
    for (let version = 0; version < 256; version++) {
      if (version === 1) continue;
      const parser = new RecordParser(new Counter());
      const bytes = Buffer.from([version, 5, 0, 1, 0, 0, 0, 0]);
      expect(codeOf(() => writeBytewise(parser, bytes))).toBe('FCGI_ERR_VERSION');
    }
  });

  test('after an error what comes is ignored, and so is the end', () => {
    const counter = new Counter();
    const parser = new RecordParser(counter);
    expect(codeOf(() => parser.write(Buffer.from('HTTP/1.1')))).toBe('FCGI_ERR_VERSION');
    parser.write(REQUEST);
    parser.write(REQUEST.subarray(0, 5));
    parser.end();
    expect(counter.events).toBe(0);
  });

  test('an error that the handler throws comes out of write, and is the end', () => {
    for (let at = 1; at <= EVENTS; at++) {
      const counter = new Counter();
      const parser = new RecordParser(counter);
      counter.at = at;
      counter.action = () => {
        throw new RangeError('from the handler');
      };
      expect(() => parser.write(REQUEST)).toThrow(RangeError);
      parser.write(REQUEST);
      parser.end();
      expect(counter.events).toBe(at);
    }
  });

  test('within a record it says so, and closing is an error: at every byte that is not between two', () => {
    const boundaries = new Set([0]);
    for (let offset = 0; offset < REQUEST.length; ) {
      offset += 8 + REQUEST.readUInt16BE(offset + 4) + REQUEST[offset + 6]!;
      boundaries.add(offset);
    }
    for (let cut = 0; cut <= REQUEST.length; cut++) {
      const parser = new RecordParser(new Counter());
      parser.write(REQUEST.subarray(0, cut));
      expect(parser.isWithinRecord).toBe(!boundaries.has(cut));
      expect(codeOf(() => parser.end())).toBe(boundaries.has(cut) ? undefined : 'FCGI_ERR_TRUNCATED');
    }
  });
});

describe('stop', () => {
  test('called from inside any event, no other event follows', () => {
    for (const feed of [
      (parser: RecordParser) => parser.write(REQUEST),
      (parser: RecordParser) => writeBytewise(parser, REQUEST),
    ]) {
      for (let at = 1; at <= EVENTS; at++) {
        const counter = new Counter();
        const parser = new RecordParser(counter);
        counter.at = at;
        counter.action = () => parser.stop();
        feed(parser);
        feed(parser);
        parser.end();
        expect(counter.events).toBe(at);
      }
    }
  });

  test('called between two writes, nothing more is told', () => {
    for (let cut = 0; cut < REQUEST.length; cut++) {
      const counter = new Counter();
      const parser = new RecordParser(counter);
      parser.write(REQUEST.subarray(0, cut));
      const before = counter.events;
      parser.stop();
      parser.write(REQUEST.subarray(cut));
      parser.end();
      expect(counter.events).toBe(before);
    }
  });
});

describe('any bytes', () => {
  test('noise is told or refused with a code, and never held beyond the bound', () => {
    const random = seeded(1);
    for (let run = 0; run < 2000; run++) {
      const bytes = Buffer.from(
        Array.from({ length: random(200) }, () => (random(3) === 0 ? random(256) : random(12))),
      );
      feedCut(bytes, random);
    }
  });

  test('records with a bit turned over are told or refused with a code', () => {
    const random = seeded(2);
    const vectors = readVectors().filter(({ bytes }) => bytes.length > 0 && bytes.length < 5000);
    for (let run = 0; run < 4000; run++) {
      const bytes = Buffer.from(vectors[run % vectors.length]!.bytes);
      for (let flips = 1 + random(4); flips > 0; flips--) bytes[random(bytes.length)]! ^= 1 << random(8);
      feedCut(bytes, random);
    }
  });

  function feedCut(bytes: Buffer, random: (below: number) => number): void {
    const recorder = new Recorder();
    const parser = new RecordParser(recorder, 64);
    const code = codeOf(() => {
      for (let start = 0, size = 0; start < bytes.length; start += size) {
        size = 1 + random(30);
        parser.write(bytes.subarray(start, start + size));
      }
      parser.end();
    });
    expect(recorder.largestRecord).toBeLessThanOrEqual(64);
    expect([undefined, 'FCGI_ERR_VERSION', 'FCGI_ERR_RECORD', 'FCGI_ERR_TRUNCATED', 'FCGI_ERR_PARAMS']).toContain(code);
  }
});
