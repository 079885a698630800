import { afterEach, describe, expect, test, vi } from 'vitest';
import { FCGI_KEEP_CONN, FCGI_OVERLOADED, FCGI_STDIN, FCGI_STDOUT } from '../../../src/adapters/fastcgi/constants.ts';
import { RecordParser } from '../../../src/adapters/fastcgi/parser.ts';
import {
  decodeBeginRequest,
  decodeEndRequest,
  decodeRecord,
  decodeUnknownType,
  encodeAbortRequest,
  encodeBeginRequest,
  encodeEndRequest,
  encodeGetValues,
  encodeGetValuesResult,
  encodeRecord,
  encodeStream,
  encodeUnknownType,
  writeEndRequest,
  writeHeader,
} from '../../../src/adapters/fastcgi/records.ts';
import { Recorder } from './recorder.ts';

function eventsOf(...buffers: Uint8Array[]): string[] {
  const recorder = new Recorder();
  const parser = new RecordParser(recorder);
  parser.write(Buffer.concat(buffers));
  parser.end();
  return recorder.events;
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('headers', () => {
  test('are as section 3.3 draws them', () => {
    const buffer = Buffer.alloc(10, 0xff);
    expect(writeHeader(buffer, 1, FCGI_STDIN, 0x1234, 0xabcd, 7)).toBe(9);
    expect(buffer).toEqual(Buffer.from([0xff, 1, 5, 0x12, 0x34, 0xab, 0xcd, 7, 0, 0xff]));
  });
});

describe('decodeRecord', () => {
  test('finds one record after another, and where each ends', () => {
    const contents = ['', 'x', 'y'.repeat(65535)];
    const bytes = Buffer.concat(contents.map((content) => encodeRecord(FCGI_STDIN, 0x1234, Buffer.from(content))));
    let end = 0;
    for (const content of contents) {
      const record = decodeRecord(bytes, end)!;
      expect(record).toMatchObject({ type: FCGI_STDIN, requestId: 0x1234 });
      expect(record.content.equals(Buffer.from(content))).toBe(true);
      end = record.end;
    }
    expect(end).toBe(bytes.length);
    expect(decodeRecord(bytes, end)).toBeUndefined();
  });

  test('has none until all of it is there, its padding too', () => {
    const bytes = encodeRecord(FCGI_STDOUT, 1, Buffer.from('hello'));
    for (let length = 0; length < bytes.length; length++)
      expect(decodeRecord(bytes.subarray(0, length))).toBeUndefined();
    expect(decodeRecord(bytes)?.end).toBe(bytes.length);
  });

  test('refuses what is no FastCGI', () => {
    expect(() => decodeRecord(Buffer.from('GET / HTTP/1.1'))).toThrow(
      expect.objectContaining({ code: 'FCGI_ERR_VERSION' }),
    );
  });
});

describe('encodeRecord', () => {
  test('pads with zeros to a multiple of 8 bytes, whatever the memory held before', () => {
    vi.spyOn(Buffer, 'allocUnsafe').mockImplementation((size) => Buffer.alloc(size, 0xff));
    for (let length = 0; length < 40; length++) {
      const record = encodeRecord(FCGI_STDOUT, 1, Buffer.alloc(length, 'x'));
      expect(record.length % 8).toBe(0);
      expect(record[6]).toBe(record.length - 8 - length);
      expect(record.subarray(8 + length).every((byte) => byte === 0)).toBe(true);
      expect(eventsOf(record)).toEqual([length === 0 ? 'STDOUT id=1 end' : `STDOUT id=1 ${'x'.repeat(length)}`]);
    }
  });

  test('without content it ends the stream', () => {
    expect(encodeRecord(FCGI_STDIN, 258)).toEqual(Buffer.from([1, 5, 1, 2, 0, 0, 0, 0]));
  });

  test('carries 65535 bytes, and refuses one more', () => {
    const content = Buffer.alloc(65535, 'x');
    expect(eventsOf(encodeRecord(FCGI_STDIN, 1, content))).toEqual([`STDIN id=1 ${content}`]);
    expect(() => encodeRecord(FCGI_STDIN, 1, Buffer.alloc(65536))).toThrow(
      expect.objectContaining({ code: 'FCGI_ERR_ARGUMENT' }),
    );
  });

  test('does not hold on to the content', () => {
    const content = Buffer.from('abc');
    const record = encodeRecord(FCGI_STDIN, 1, content);
    content.fill('x');
    expect(eventsOf(record)).toEqual(['STDIN id=1 abc']);
  });
});

describe('encodeStream', () => {
  test.each([1, 7, 8, 65527, 65528, 65529, 65535, 65536, 131056, 131057, 500_000])(
    '%i bytes come out as they went in',
    (length) => {
      const content = Buffer.alloc(length, 'abcdefghijk');
      const buffers = encodeStream(FCGI_STDOUT, 3, content);
      expect(eventsOf(...buffers)).toEqual([`STDOUT id=3 ${content}`]);
      expect(buffers.length).toBe(2 * Math.ceil(length / 65528));
    },
  );

  test('no content is no record', () => {
    expect(encodeStream(FCGI_STDOUT, 3, Buffer.alloc(0))).toEqual([]);
  });

  test('the content is not copied', () => {
    const content = new Uint8Array(100_000);
    const [, first, , second] = encodeStream(FCGI_STDOUT, 3, content);
    expect([first!.buffer, first!.byteOffset, first!.length]).toEqual([content.buffer, 0, 65528]);
    expect([second!.buffer, second!.byteOffset, second!.length]).toEqual([content.buffer, 65528, 34472]);
  });
});

describe('bodies', () => {
  test('BEGIN_REQUEST', () => {
    const record = encodeBeginRequest(258, 3, FCGI_KEEP_CONN);
    expect(record).toEqual(Buffer.from([1, 1, 1, 2, 0, 8, 0, 0, 0, 3, 1, 0, 0, 0, 0, 0]));
    expect(decodeBeginRequest(record, 8)).toEqual({ role: 3, flags: FCGI_KEEP_CONN });
    expect(decodeBeginRequest(encodeBeginRequest(1, 65535, 255).subarray(8))).toEqual({ role: 65535, flags: 255 });
  });

  test('ABORT_REQUEST', () => {
    expect(encodeAbortRequest(65535)).toEqual(Buffer.from([1, 2, 255, 255, 0, 0, 0, 0]));
  });

  test('END_REQUEST', () => {
    const record = encodeEndRequest(258, 0x01020304, FCGI_OVERLOADED);
    expect(record).toEqual(Buffer.from([1, 3, 1, 2, 0, 8, 0, 0, 1, 2, 3, 4, 2, 0, 0, 0]));
    expect(decodeEndRequest(record, 8)).toEqual({ appStatus: 0x01020304, protocolStatus: FCGI_OVERLOADED });
  });

  test('END_REQUEST with any status that a process can exit with', () => {
    for (const [given, decoded] of [
      [0, 0],
      [1, 1],
      [0xffffffff, 0xffffffff],
      [-1, 0xffffffff],
    ] as const) {
      expect(decodeEndRequest(encodeEndRequest(1, given, 0).subarray(8)).appStatus).toBe(decoded);
    }
  });

  test('END_REQUEST is written amid other bytes, and over whatever was there', () => {
    const buffer = Buffer.alloc(20, 0xff);
    expect(writeEndRequest(buffer, 2, 1, 0, 0)).toBe(18);
    expect(buffer).toEqual(Buffer.from([255, 255, 1, 3, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255]));
  });

  test('GET_VALUES and its result', () => {
    expect(eventsOf(encodeGetValues(['FCGI_MAX_CONNS', 'FCGI_MPXS_CONNS']))).toEqual([
      'GET_VALUES id=0\n  FCGI_MAX_CONNS = \n  FCGI_MPXS_CONNS = ',
    ]);
    expect(eventsOf(encodeGetValuesResult([['FCGI_MPXS_CONNS', '1']]))).toEqual([
      'GET_VALUES_RESULT id=0\n  FCGI_MPXS_CONNS = 1',
    ]);
    expect(eventsOf(encodeGetValuesResult([]))).toEqual(['GET_VALUES_RESULT id=0']);
  });

  test('UNKNOWN_TYPE', () => {
    const record = encodeUnknownType(200);
    expect(record).toEqual(Buffer.from([1, 11, 0, 0, 0, 8, 0, 0, 200, 0, 0, 0, 0, 0, 0, 0]));
    expect(decodeUnknownType(record, 8)).toBe(200);
  });

  test('a body that is cut off is never read beyond its end', () => {
    expect(() => decodeBeginRequest(Buffer.alloc(1))).toThrow(RangeError);
    expect(() => decodeEndRequest(Buffer.alloc(3))).toThrow(RangeError);
  });
});
