import { chmodSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { findProgram } from '../../../src/middleware/cgi/find.ts';
import { addFile, folderOf, sh } from '../programs.ts';

let root: string;
let outside: string;

beforeEach(() => {
  const top = folderOf({
    'cgi-bin/a.sh': sh(),
    'cgi-bin/nph-a.sh': sh(),
    'cgi-bin/tools/b.sh': sh(),
    'cgi-bin/tools/.git/c.sh': sh(),
    'cgi-bin/.hidden.sh': sh(),
    'cgi-bin/text.txt': 'text',
    'cgi-bin/with space.sh': sh(),
    'cgi-bin/ä.sh': sh(),
    'cgi-bin/back\\slash.sh': sh(),
    'cgi-bin-2/evil.sh': sh(),
    'outside/evil.sh': sh(),
  });
  root = join(top, 'cgi-bin');
  outside = join(top, 'outside');
});

describe('findProgram', () => {
  it.each([
    ['/a.sh', 'a.sh', '/a.sh', ''],
    ['/a.sh?b=c/../d', 'a.sh', '/a.sh', ''],
    ['http://site.test/a.sh/b', 'a.sh', '/a.sh', '/b'],
    ['/a.sh/', 'a.sh', '/a.sh', '/'],
    ['/a.sh/b//c/', 'a.sh', '/a.sh', '/b//c/'],
    ['/a.sh/x%20y%3f/%C3%A4', 'a.sh', '/a.sh', '/x y?/ä'],
    // Once: what decodes to an escape is no escape.
    ['/a.sh/%252e%252e', 'a.sh', '/a.sh', '/%2e%2e'],
    ['/a.sh/.well-known/...', 'a.sh', '/a.sh', '/.well-known/...'],
    ['/tools/b.sh/c', 'tools/b.sh', '/tools/b.sh', '/c'],
    ['/with%20space.sh', 'with space.sh', '/with space.sh', ''],
    ['/%c3%a4.sh', 'ä.sh', '/ä.sh', ''],
    // A URL need not be encoded to come from some clients; Node shows its bytes.
    ['/\xc3\xa4.sh/\xc3\xa4', 'ä.sh', '/ä.sh', '/ä'],
  ])('finds %s', async (url, file, name, pathInfo) => {
    expect(await findProgram(root, url)).toEqual({ file: join(root, file), name, pathInfo, nph: false });
  });

  it('tells by its name whether it writes HTTP’s own head', async () => {
    expect(await findProgram(root, '/nph-a.sh/x')).toMatchObject({ nph: true });
    expect(await findProgram(root, '/a.sh/nph-a.sh')).toMatchObject({ nph: false });
  });

  it.each([
    ['the folder itself', '/'],
    ['no path', ''],
    ['no url', undefined],
    ['what is not there', '/none.sh'],
    ['what is not there, at length', `/${'a'.repeat(5000)}`],
    ['a folder', '/tools'],
    ['a folder with a slash', '/tools/'],
    ['a file that is not executable', '/text.txt'],
    ['what stands behind such a file', '/text.txt/a.sh'],
    ['a hidden file', '/.hidden.sh'],
    ['a hidden file, disguised', '/%2ehidden.sh'],
    ['a file in a hidden folder', '/tools/.git/c.sh'],
    ['the folder above', '/../outside/evil.sh'],
    ['the folder above, from within', '/tools/../../outside/evil.sh'],
    ['the folder above, encoded', '/%2e%2e/outside/evil.sh'],
    ['the folder above, encoded by half', '/.%2E/outside/evil.sh'],
    ['the folder above, encoded with its slash', '/..%2foutside%2fevil.sh'],
    ['the folder above, encoded twice', '/%252e%252e/outside/evil.sh'],
    ['the folder above, as overlong UTF-8', '/%c0%ae%c0%ae/outside/evil.sh'],
    ['the folder above, with a backslash', '/..\\outside\\evil.sh'],
    ['the folder above, with an encoded backslash', '/..%5coutside%5cevil.sh'],
    ['a folder whose name goes on', '/../cgi-bin-2/evil.sh'],
    ['the folder above behind a program', '/a.sh/../b'],
    ['the folder above at the end', '/a.sh/..'],
    ['the same folder', '/./a.sh'],
    ['the same folder, encoded', '/%2e/a.sh'],
    ['an absolute path', '//etc/passwd'],
    ['an empty segment', '//a.sh'],
    ['an encoded slash', '/tools%2fb.sh'],
    ['an encoded slash behind a program', '/a.sh/b%2Fc'],
    ['a backslash in a name', '/back%5cslash.sh'],
    ['NUL', '/a.sh%00.txt'],
    ['NUL behind a program', '/a.sh/%00'],
    ['an escape that is none', '/a.sh/%zz'],
    ['an escape that is cut off', '/a.sh%'],
    ['latin1, which is no UTF-8', '/a.sh/%e4'],
    ['another name by a line end', '/a.sh%0a'],
    ['another name by a space', '/a.sh%20'],
    ['another name by a dot', '/a.sh.'],
    ['another name in full width', '/a%EF%BC%8Esh'],
    ['a fragment', '/#/a.sh'],
  ])('finds nothing: %s', async (_, url) => {
    expect(await findProgram(root, url)).toBe(undefined);
  });

  it.each([
    ['file', 'link.sh', 'evil.sh', '/link.sh'],
    ['folder', 'link', '', '/link/evil.sh'],
    ['relative path', 'relative', '../outside', '/relative/evil.sh'],
    ['folder whose name goes on', 'longer', '../cgi-bin-2', '/longer/evil.sh'],
  ])('follows no symbolic link out of the folder: %s', async (_, link, target, url) => {
    symlinkSync(target.startsWith('..') ? target : join(outside, target), join(root, link));
    expect(await findProgram(root, url)).toBe(undefined);
  });

  it('follows a symbolic link within the folder, and keeps its name', async () => {
    symlinkSync('tools/b.sh', join(root, 'nph-link.sh'));
    expect(await findProgram(root, '/nph-link.sh')).toEqual({
      file: join(root, 'nph-link.sh'),
      name: '/nph-link.sh',
      pathInfo: '',
      nph: true,
    });
  });

  it('finds nothing behind links that go round, or to nowhere', async () => {
    symlinkSync('round.sh', join(root, 'round.sh'));
    symlinkSync('none.sh', join(root, 'nowhere.sh'));
    expect(await findProgram(root, '/round.sh')).toBe(undefined);
    expect(await findProgram(root, '/nowhere.sh')).toBe(undefined);
  });

  it('finds what is in a folder that is a link itself, also when that is led elsewhere', async () => {
    const site = folderOf();
    symlinkSync(root, join(site, 'current'));
    expect(await findProgram(join(site, 'current'), '/a.sh')).toMatchObject({ file: join(site, 'current/a.sh') });
  });

  it('finds nothing in a folder that is not there', async () => {
    expect(await findProgram(join(root, 'none'), '/a.sh')).toBe(undefined);
  });

  it('sees each time what there is', async () => {
    expect(await findProgram(root, '/new.sh')).toBe(undefined);
    addFile(join(root, 'new.sh'), sh());
    expect(await findProgram(root, '/new.sh')).toBeDefined();
    chmodSync(join(root, 'new.sh'), 0o644);
    expect(await findProgram(root, '/new.sh')).toBe(undefined);
  });
});
