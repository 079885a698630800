import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../adapters/fastcgi/client.ts';
import { parts, ROWS } from './php-requests.ts';
import { comparable, EXTENSIONS, Twins } from './php-twins.ts';
import { describeWith } from './program.ts';

describeWith(['nginx', 'php-fpm'], 'PHP, and the same as pages, behind one nginx', () => {
  let twins: Twins;
  beforeAll(async () => {
    twins = await Twins.start();
    for (const extension of EXTENSIONS) fillDownloads(join(twins.dataOf(extension), 'downloads'));
  });
  afterAll(async () => {
    await twins?.stop();
  });

  for (const [script, rows] of Object.entries(ROWS)) {
    describe(script, () => {
      it.each(rows)('%s', async (_name, path, ask) => {
        const answers = await twins.both(path, ask);
        // What goes wrong in both proves nothing.
        expect(answers.php.status).not.toBe(500);
        const { php, jhtml } = comparable(answers.php, answers.jhtml);
        expect(jhtml).toEqual(php);
      });
    });
  }

  it('both keep the same', () => {
    for (const file of ['outbox.txt', 'notes.json', 'counter.json']) {
      const [php, jhtml] = EXTENSIONS.map((extension) => readFileSync(join(twins.dataOf(extension), file), 'utf8'));
      expect(jhtml).toBe(php);
    }
  });

  describe('an error that nobody catches', () => {
    it.each([
      ['thrown by the script', '/error?lines[]=1&lines[]=a%3Cb%3E', 'no amount: a<b>', 'error.(itself)'],
      ['thrown by an include', '/error?deep', 'secret 3.5', 'inc/broken.(itself)'],
      ['of what is not there', '/error?unknown', 'no_such_function', 'error.(itself)'],
    ])(
      '%s is a 500 that tells the client nothing, and the web server where it was',
      async (_name, path, message, file) => {
        const before = twins.log.length;
        const answers = await twins.both(path);
        for (const extension of EXTENSIONS) {
          const { status, body, headers } = answers[extension];
          expect(status).toBe(500);
          expect(body + JSON.stringify(headers)).not.toMatch(/amount|secret|no_such|broken|Error:| at |site\//);
          const place = new RegExp(`${file.replace('(itself)', extension)}:\\d+`);
          await eventually(() => {
            const log = twins.log.slice(before);
            expect(log).toContain(message);
            expect(log).toMatch(place);
          });
        }
      },
    );
  });

  describe('on purpose not the same:', () => {
    const differing = (name: string) => twins.both(`/differs?case=${name}`);

    it('redirect() says in its body where to, and ends the page', async () => {
      const { php, jhtml } = await differing('redirect');
      expect([php.status, php.headers.location, php.body]).toEqual([307, ['/there'], '']);
      expect([jhtml.status, jhtml.headers.location]).toEqual([307, ['/there']]);
      expect(jhtml.body).toContain('Redirecting to /there');
    });

    it("setcookie() without a path is for the whole site, not for the script's folder", async () => {
      const { php, jhtml } = await differing('path');
      expect([php.headers['set-cookie'], jhtml.headers['set-cookie']]).toEqual([['a=1'], ['a=1; Path=/']]);
    });

    it('a line break in a header is an error, and not left out with a warning', async () => {
      const { php, jhtml } = await differing('lines');
      expect([php.status, php.body, php.headers['x-name']]).toEqual([200, 'sent', undefined]);
      expect([jhtml.status, jhtml.headers['x-name'], jhtml.headers['x-more']]).toEqual([500, undefined, undefined]);
    });

    it('$_FILES has no file where none was chosen, lists of files, and names that fit', async () => {
      const form = parts([
        ['none', '', ''],
        ['one', 'a', 'C:\\temp\\a?.txt', 'text/plain'],
        ['two[]', 'b', 'b.txt', 'text/plain'],
      ]);
      const { php, jhtml } = await twins.both('/differs?case=files', form);
      expect(JSON.parse(php.body)).toEqual({
        none: { name: '', full_path: '', type: '', error: 4, size: 0 },
        one: { name: 'a?.txt', full_path: 'C:\\temp\\a?.txt', type: 'text/plain', error: 0, size: 1 },
        two: { name: ['b.txt'], full_path: ['b.txt'], type: ['text/plain'], error: [0], size: [1] },
      });
      expect(JSON.parse(jhtml.body)).toEqual({
        one: { name: 'a_.txt', full_path: 'C:\\temp\\a?.txt', type: 'text/plain', error: 0, size: 1 },
        two: [{ name: 'b.txt', full_path: 'b.txt', type: 'text/plain', error: 0, size: 1 }],
      });
    });

    it('a path with dots in it is none of a page', async () => {
      const { php, jhtml } = await twins.both('/article/2024/./a-b');
      expect([php.status, jhtml.status]).toEqual([200, 404]);
    });

    it('exit() is thrown: it can be caught, and `finally` runs', async () => {
      const { php, jhtml } = await differing('exit');
      expect([php.body, jhtml.body]).toEqual(['over', 'over, and caught, finally']);
    });

    it('echo() escapes, and writes numbers and true as JavaScript does', async () => {
      const { php, jhtml } = await differing('echo');
      expect([php.body, jhtml.body]).toEqual(['<b>\n11\n', '&lt;b&gt;\n1true\n']);
    });
  });
});

function fillDownloads(folder: string): void {
  mkdirSync(join(folder, 'folder'), { recursive: true });
  const files: Record<string, string | Buffer> = {
    'report.csv': 'a;b\n1;"2"',
    'bytes.bin': Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
    'large.PDF': Buffer.alloc(3_000_000, createHash('sha512').update('large').digest()),
    'empty.txt': '',
    'Über "uns" 山.txt': 'ü',
    '.htaccess': 'secret',
  };
  for (const [name, content] of Object.entries(files)) {
    const file = join(folder, name);
    writeFileSync(file, content);
    utimesSync(file, 0x65920080, 0x65920080);
  }
}
