import { describe, expect, it } from 'vitest';
import { safeFilename } from '../../../src/middleware/multipart/filename.ts';

describe('safeFilename', () => {
  it.each([
    'photo.jpg',
    'Ünïcödé 文件 📷.png',
    'a b-c_d(1).tar.gz',
    'no extension',
    'a%2Fb',
    'C++.txt',
    'console.log',
    'com10.txt',
    'concert',
  ])('leaves %s as it is', (name) => {
    expect(safeFilename(name)).toBe(name);
  });

  it.each([
    ['../../etc/passwd', 'passwd'],
    ['/etc/passwd', 'passwd'],
    ['C:\\Users\\ann\\photo.jpg', 'photo.jpg'],
    ['..\\..\\windows\\system.ini', 'system.ini'],
    ['a/b\\c', 'c'],
    ['a\\b/c', 'c'],
    ['folder/', 'unnamed'],
    ['', 'unnamed'],
    ['.', 'unnamed'],
    ['..', 'unnamed'],
    ['. . .', 'unnamed'],
    ['\0', 'unnamed'],
  ])('takes the last component of %j: %j', (given, name) => {
    expect(safeFilename(given)).toBe(name);
  });

  it.each([
    ['a.php\0.jpg', 'a.php.jpg'],
    ['a\r\nb\tc\x7f\x85.txt', 'abc.txt'],
    ['photo\u202egpj.exe', 'photogpj.exe'],
    ['\u2066a\u2069\u200b\ufeff\u200f.txt', 'a.txt'],
    ['a\u2028b\u2029c', 'abc'],
    ['..\0/.\0./a', 'a'],
    ['.\0.', 'unnamed'],
  ])('takes out of %j what does not show: %j', (given, name) => {
    expect(safeFilename(given)).toBe(name);
  });

  it.each([
    ['.htaccess', 'htaccess'],
    ['...hidden', 'hidden'],
    [' a.txt', 'a.txt'],
    ['a.txt. . ', 'a.txt'],
    ['a.asp.', 'a.asp'],
    ['a.txt::$DATA', 'a.txt__$DATA'],
    ['<b>"x"|y?*.txt', '_b__x__y__.txt'],
  ])('makes %j safe on every system: %j', (given, name) => {
    expect(safeFilename(given)).toBe(name);
  });

  it.each(['CON', 'nul', 'NUL.txt', 'aux.tar.gz', 'COM1', 'lpt9.txt', 'com¹', 'PRN .txt', 'CONIN$'])(
    'does not name the device %s',
    (name) => {
      expect(safeFilename(name)).toBe(`_${name}`);
    },
  );

  it('finds devices beneath what it takes away', () => {
    expect(safeFilename('/dev/\0 nul. ')).toBe('_nul');
  });

  it.each([
    [`${'a'.repeat(300)}.jpg`, `${'a'.repeat(251)}.jpg`],
    [`${'ü'.repeat(200)}.jpg`, `${'ü'.repeat(125)}.jpg`],
    [`a${'📷'.repeat(100)}.jpg`, `a${'📷'.repeat(62)}.jpg`],
    ['a'.repeat(300), 'a'.repeat(255)],
    [`a.${'b'.repeat(300)}`, `a.${'b'.repeat(253)}`],
    [`${'a'.repeat(250)} . .${'b'.repeat(20)}`, `${'a'.repeat(234)}.${'b'.repeat(20)}`],
    [`${'a'.repeat(233)}...........${'b'.repeat(20)}`, `${'a'.repeat(233)}.${'b'.repeat(20)}`],
  ])('shortens to 255 bytes, and keeps the extension: %#', (given, name) => {
    expect(safeFilename(given)).toBe(name);
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
  });

  it('makes one name of both ways to write an accent', () => {
    expect(safeFilename('u\u0308.txt')).toBe('\u00fc.txt');
  });

  it('takes no time that grows faster than the name', () => {
    for (const char of ['.', ' ', '/', '\\', '<', '\u202e', '. a']) {
      expect(safeFilename(char.repeat(100_000)).length).toBeLessThan(256);
    }
  });
});
