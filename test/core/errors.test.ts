import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FCGI_ERROR_CODES, FcgiError, fcgiError } from '../../src/core/errors.ts';

const ROOT = new URL('../../', import.meta.url);
const ROWS = read('docs/errors.md').matchAll(/^\| (FCGI_ERR_\w+) \| (?:(\d+) \| )?/gm);
const DOCUMENTED = new Map(Array.from(ROWS, ([, code, status]) => [code!, Number(status ?? 500)]));

function read(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8');
}

function filesIn(directory: string): string[] {
  return readdirSync(new URL(directory, ROOT), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`);
}

describe('fcgiError', () => {
  test('makes an error with a code, a message and a stack', () => {
    const error = fcgiError('FCGI_ERR_PARAMS', 'what went wrong');
    expect(error).toBeInstanceOf(FcgiError);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'FcgiError', code: 'FCGI_ERR_PARAMS', message: 'what went wrong' });
    expect(error.stack).toContain('FcgiError: what went wrong');
  });

  test('keeps the cause, and has none where there was none', () => {
    const cause = new Error('beneath');
    expect(fcgiError('FCGI_ERR_ADDRESS', 'above', cause).cause).toBe(cause);
    expect('cause' in fcgiError('FCGI_ERR_ADDRESS', 'above')).toBe(false);
  });

  test('takes a status as http-errors gives it to any error, as body-parser does to those of a request', () => {
    const error = fcgiError('FCGI_ERR_BODY_UNDERRUN', '');
    expect(Object.assign(error, { status: 400, statusCode: 400, expose: true })).toBe(error);
  });

  test('shows the client the message of what is the client’s fault, and no other', () => {
    expect(fcgiError('FCGI_ERR_BODY_TOO_LARGE', '')).toMatchObject({ status: 413, statusCode: 413, expose: true });
    expect(fcgiError('FCGI_ERR_OVERLOADED', '')).toMatchObject({ status: 503, statusCode: 503, expose: false });
    expect(fcgiError('FCGI_ERR_OPTION', '')).toMatchObject({ status: 500, statusCode: 500, expose: false });
  });
});

describe('docs/errors.md', () => {
  test('has a row for every code, and for no other', () => {
    expect([...DOCUMENTED.keys()].sort()).toEqual([...FCGI_ERROR_CODES].sort());
  });

  test.each(FCGI_ERROR_CODES)('says the status of %s', (code) => {
    expect(DOCUMENTED.get(code)).toBe(fcgiError(code, '').status);
  });
});

test('no other code is named in src, docs or the tests', () => {
  const codes: ReadonlySet<string> = new Set(FCGI_ERROR_CODES);
  for (const path of ['src', 'docs', 'test'].flatMap(filesIn)) {
    const named = readFileSync(path, 'utf8').match(/\bFCGI_ERR_[A-Z_]*[A-Z]\b/g) ?? [];
    const unknown = named.filter((code) => !codes.has(code));
    expect({ path, unknown }).toEqual({ path, unknown: [] });
  }
});
