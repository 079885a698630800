import { readFileSync } from 'node:fs';
import { format } from 'node:util';
import { expect, test, vi } from 'vitest';
import * as protocol from '../../../src/adapters/fastcgi/protocol.ts';

test('the constants have the numbers of the specification', () => {
  const constants = Object.entries(protocol).filter(([name]) => name.startsWith('FCGI_'));
  expect(Object.fromEntries(constants)).toEqual({
    FCGI_VERSION_1: 1,
    FCGI_HEADER_LEN: 8,
    FCGI_MAX_LENGTH: 65535,
    FCGI_NULL_REQUEST_ID: 0,
    FCGI_BEGIN_REQUEST: 1,
    FCGI_ABORT_REQUEST: 2,
    FCGI_END_REQUEST: 3,
    FCGI_PARAMS: 4,
    FCGI_STDIN: 5,
    FCGI_STDOUT: 6,
    FCGI_STDERR: 7,
    FCGI_DATA: 8,
    FCGI_GET_VALUES: 9,
    FCGI_GET_VALUES_RESULT: 10,
    FCGI_UNKNOWN_TYPE: 11,
    FCGI_MAXTYPE: 11,
    FCGI_KEEP_CONN: 1,
    FCGI_RESPONDER: 1,
    FCGI_AUTHORIZER: 2,
    FCGI_FILTER: 3,
    FCGI_REQUEST_COMPLETE: 0,
    FCGI_CANT_MPX_CONN: 1,
    FCGI_OVERLOADED: 2,
    FCGI_UNKNOWN_ROLE: 3,
    FCGI_MAX_CONNS: 'FCGI_MAX_CONNS',
    FCGI_MAX_REQS: 'FCGI_MAX_REQS',
    FCGI_MPXS_CONNS: 'FCGI_MPXS_CONNS',
  });
});

test('the codec is all else that is exported', () => {
  const codec = Object.keys(protocol).filter((name) => !name.startsWith('FCGI_'));
  expect(codec.sort()).toEqual([
    'PairReader',
    'PairsCollector',
    'RecordParser',
    'decodeBeginRequest',
    'decodeEndRequest',
    'decodeLength',
    'decodePairs',
    'decodeRecord',
    'decodeUnknownType',
    'encodeAbortRequest',
    'encodeBeginRequest',
    'encodeEndRequest',
    'encodeGetValues',
    'encodeGetValuesResult',
    'encodePairs',
    'encodeRecord',
    'encodeStream',
    'encodeUnknownType',
    'packPairs',
    'writeEndRequest',
    'writeHeader',
  ]);
});

test('the program of docs/protocol.md prints what it says there', async () => {
  const text = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8');
  const [, names, program, output] = /```js\nimport (\{.*?\}) from 'fcgi\/protocol';\n(.*?)```\n\n```\n(.*?)```/s.exec(
    text,
  )!;
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  new Function('protocol', `const ${names} = protocol;\n${program}`)(protocol);
  const printed = log.mock.calls.map((line) => `${format(...line)}\n`).join('');
  log.mockRestore();
  expect(printed).toBe(output);
});

test('docs/protocol.md names all of the codec', () => {
  const text = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8');
  const missing = Object.keys(protocol).filter((name) => !name.startsWith('FCGI_') && !text.includes(name));
  expect(missing).toEqual([]);
});
