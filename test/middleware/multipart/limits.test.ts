import { expect, it } from 'vitest';
import { limitsFrom } from '../../../src/middleware/multipart/limits.ts';

it('keeps the defaults of what is not given', () => {
  expect(limitsFrom({ files: 1, fields: undefined })).toEqual({ ...limitsFrom(), files: 1 });
});

it('goes over others, but for what is not given', () => {
  const others = limitsFrom({ files: 1, fields: 2 });
  expect(limitsFrom({ files: 3, fields: undefined }, others)).toEqual({ ...others, files: 3 });
});

it('takes 0 and Infinity', () => {
  const limits = { files: 0, totalSize: Number.POSITIVE_INFINITY };
  expect(limitsFrom(limits)).toMatchObject(limits);
});

it.each([-1, Number.NaN, '5', null])('refuses %j', (value) => {
  expect(() => limitsFrom({ files: value as number })).toThrow(expect.objectContaining({ code: 'FCGI_ERR_OPTION' }));
});

it.each(['maxFiles', '__proto__', 'toString'])('refuses the name %s, which is no limit', (name) => {
  const limits = JSON.parse(`{"${name}": 1}`);
  expect(() => limitsFrom(limits)).toThrow(expect.objectContaining({ code: 'FCGI_ERR_OPTION' }));
});
