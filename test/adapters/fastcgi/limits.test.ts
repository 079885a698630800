import { describe, expect, test } from 'vitest';
import { createServer } from '../../../src/adapters/create-server.ts';
import { DEFAULT_LIMITS, type Limits, limitsFrom } from '../../../src/adapters/fastcgi/limits.ts';

const names = Object.keys(DEFAULT_LIMITS) as (keyof Limits)[];

describe.each(names)('%s', (name) => {
  test('has a default that limits', () => {
    expect(limitsFrom({})[name]).toBe(DEFAULT_LIMITS[name]);
    expect(DEFAULT_LIMITS[name]).toBeGreaterThan(0);
    expect(DEFAULT_LIMITS[name]).toBeLessThan(Number.POSITIVE_INFINITY);
  });

  test('takes a positive number, and Infinity for no limit', () => {
    for (const value of [1, 12.5, Number.POSITIVE_INFINITY]) expect(limitsFrom({ [name]: value })[name]).toBe(value);
    expect(limitsFrom({ [name]: undefined })[name]).toBe(DEFAULT_LIMITS[name]);
  });

  test.each([0, -1, Number.NaN, '100', null, true, {}])('refuses %s', (value) => {
    const error = expect.objectContaining({ code: 'FCGI_ERR_OPTION', message: expect.stringContaining(name) });
    expect(() => limitsFrom({ [name]: value })).toThrow(error);
    expect(() => createServer({ [name]: value })).toThrow(error);
  });
});
