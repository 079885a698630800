import { describe, expect, it } from 'vitest';
import { limitsFrom } from '../../../src/middleware/multipart/limits.ts';
import { readPartHeader } from '../../../src/middleware/multipart/part-header.ts';

/** As they come: a character a byte. */
function read(disposition: string | string[], others: Record<string, string[]> = {}, limits = {}) {
  const values = [disposition].flat().map((value) => Buffer.from(value).toString('latin1'));
  return readPartHeader({ 'content-disposition': values, ...others }, limitsFrom(limits));
}

describe('readPartHeader', () => {
  it('tells a field', () => {
    expect(read('form-data; name="title"')).toEqual({
      name: 'title',
      type: 'text/plain',
      charset: undefined,
      headers: { 'content-disposition': 'form-data; name="title"' },
    });
  });

  it('tells a file, and all of its headers', () => {
    const others = { 'content-type': ['Image/PNG; charset=x'], 'x-a': ['1', '2'] };
    expect(read('form-data; name="photo"; filename="/tmp/ü.png"', others)).toMatchObject({
      name: 'photo',
      filename: 'ü.png',
      rawFilename: '/tmp/ü.png',
      type: 'image/png',
      charset: 'x',
      headers: { 'content-type': 'Image/PNG; charset=x', 'x-a': '1, 2' },
    });
  });

  it('takes bytes without a name for a file, and an empty name for one', () => {
    const bytes = { 'content-type': ['application/octet-stream'] };
    expect(read('form-data; name="a"', bytes)).toMatchObject({ filename: 'unnamed', rawFilename: undefined });
    expect(read('form-data; name="a"; filename=""')).toMatchObject({ filename: 'unnamed', rawFilename: '' });
  });

  it.each([
    ['form-data; name=a', 'a'],
    ['Form-Data;NAME = "a" ; x=y ;', 'a'],
    ['form-data; name=""', ''],
    ['form-data; name="a;b=c"', 'a;b=c'],
    ['form-data; name="a\\"b\\\\c\\d"', 'a"b\\c\\d'],
    ['form-data; name="a%22b%0D%0ac%41"', 'a"b\r\nc%41'],
    ['form-data; filename="x"; name="__proto__"', '__proto__'],
    ['form-data; name="größe"', 'größe'],
  ])('reads the name of %s', (disposition, name) => {
    expect(read(disposition).name).toBe(name);
  });

  it('reads filename, not filename*, which forms must not have', () => {
    const both = `form-data; name="a"; filename="a.txt"; filename*=utf-8''b.exe`;
    expect(read(both).filename).toBe('a.txt');
    expect(() => read(`form-data; name="a"; filename*=utf-8''b.exe`)).toThrow('has filename* without filename');
  });

  it.each([
    ['attachment; name="a"', 'is no form-data'],
    ['form-database; name="a"', 'cannot be read'],
    ['', 'is no form-data'],
    ['form-data', 'has no name'],
    ['form-data; filename="a"', 'has no name'],
    ['form-data; name="a', 'cannot be read'],
    ['form-data; name="a" b', 'cannot be read'],
    ['form-data; name="a"; filename=a b', 'cannot be read'],
    ['form-data, name="a"', 'cannot be read'],
    ['form-data; name="a"; name="b"', 'has name more than once'],
    ['form-data; name="a"; filename="b"; FileName="c"', 'has filename more than once'],
    [`form-data; name="${'\\'.repeat(10_000)}`, 'cannot be read'],
  ])('refuses %s', (disposition, message) => {
    const code = 'FCGI_ERR_BODY_SYNTAX';
    expect(() => read(disposition)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });

  it('refuses no disposition, and two', () => {
    const code = 'FCGI_ERR_BODY_SYNTAX';
    expect(() => readPartHeader({}, limitsFrom())).toThrow(expect.objectContaining({ code }));
    expect(() => read(['form-data; name="a"', 'form-data; name="b"'])).toThrow(expect.objectContaining({ code }));
  });

  it.each(['text', 'text/html"><script>', '/', 'a/b/c', '\0/x', ''])('takes the type %j for none', (type) => {
    expect(read('form-data; name="a"', { 'content-type': [type] }).type).toBe('text/plain');
  });

  it('refuses what is encoded once more, and takes what is not', () => {
    for (const encoding of ['base64', 'Quoted-Printable']) {
      expect(() => read('form-data; name="a"', { 'content-transfer-encoding': [encoding] })).toThrow(
        expect.objectContaining({ code: 'FCGI_ERR_BODY_TYPE' }),
      );
    }
    expect(read('form-data; name="a"', { 'content-transfer-encoding': ['8bit'] }).name).toBe('a');
  });

  it('limits names, headers and their number', () => {
    const disposition = 'form-data; name="abc"';
    expect(read(disposition, {}, { fieldNameSize: 3, headerPairs: 1, headerSize: 40 }).name).toBe('abc');
    const refused = (others: Record<string, string[]>, limits: object, code: string) =>
      expect(() => read(disposition, others, limits)).toThrow(expect.objectContaining({ code }));
    refused({}, { fieldNameSize: 2 }, 'FCGI_ERR_BODY_TOO_LARGE');
    refused({}, { headerSize: 39 }, 'FCGI_ERR_BODY_TOO_LARGE');
    refused({ x: ['y'] }, { headerPairs: 1 }, 'FCGI_ERR_BODY_TOO_LARGE');
    refused({ x: ['y', 'z'] }, { headerPairs: 2 }, 'FCGI_ERR_BODY_TOO_LARGE');
  });
});
