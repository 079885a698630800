import { describe, expect, it } from 'vitest';
import { namesIn } from '../../../src/middleware/files/names.ts';

describe('the names in a path', () => {
  it.each([
    ['/', [], true],
    ['/a.txt', ['a.txt'], false],
    ['/a/b%20c/', ['a', 'b c'], true],
    ['/%C3%A4%3F%23%25', ['ä?#%'], false],
    ['/ä', ['ä'], false],
    ['/%25%32e', undefined, false],
    ['/%252e%252e/a', ['%2e%2e', 'a'], false],
    ['/.git/config', ['.git', 'config'], false],
    ['/~ann/a~b', ['~ann', 'a~b'], false],
    ['/%7Eann', ['~ann'], false],
    ['/a..b/..a', ['a..b', '..a'], false],
    ['/console/comb.txt/auxiliary', ['console', 'comb.txt', 'auxiliary'], false],
    ["/!$&'()*+,;=@", ["!$&'()*+,;=@"], false],
  ])('of %s are %j', (path, names, isFolder) => {
    expect(namesIn(path)).toEqual(names && { names, isFolder });
  });

  it.each([
    ['', 'a path'],
    ['*', 'a path'],
    ['a.txt', 'a path'],
    ['/a//b', 'a name'],
    ['//', 'a name'],
    ['/.', 'a name'],
    ['/a/../b', 'a name'],
    ['/...', 'a name for Windows'],
    ['/%2e%2e/a', 'a name'],
    ['/%2E./a', 'a name'],
    ['/..%2fa', 'a name'],
    ['/a%2Fb', 'a name'],
    ['/..%5ca', 'a name for Windows'],
    ['/a\\b', 'a name for Windows'],
    ['/%00', 'a name'],
    ['/a%0Ab', 'a name'],
    ['/a%7F', 'a name'],
    ['/%C2%85', 'a name'],
    ['/%c0%ae%c0%ae/a', 'UTF-8'],
    ['/%zz', 'percent-encoding'],
    ['/100%', 'percent-encoding'],
    ['/%E9', 'UTF-8'],
    ['/%61dmin', 'encoded as honest clients do'],
    ['/a%2Dmin', 'encoded as honest clients do'],
    ['/a%5Fmin', 'encoded as honest clients do'],
    ['/a%5A', 'encoded as honest clients do'],
    ['/a%30', 'encoded as honest clients do'],
    ['/C:/Windows', 'a name for Windows'],
    ['/a.txt::$DATA', 'a name for Windows'],
    ['/a%3ab', 'a name for Windows'],
    ['/a.txt.', 'a name for Windows'],
    ['/a.txt%20', 'a name for Windows'],
    ['/nul', 'a name for Windows'],
    ['/CON.txt', 'a name for Windows'],
    ['/a/Aux/b', 'a name for Windows'],
    ['/prn%20.txt', 'a name for Windows'],
    ['/COM1', 'a name for Windows'],
    ['/lpt%C2%B9.txt', 'a name for Windows'],
    ['/conin$', 'a name for Windows'],
    ['/GIT~1/config', 'a name for Windows'],
    ['/secret~2.htm', 'a name for Windows'],
  ])('of %s are none, as it is not %s', (path) => {
    expect(namesIn(path)).toBeUndefined();
  });
});
