import { readdirSync } from 'node:fs';
import type { Application } from '../../../src/core/app.ts';
import { multipart } from '../../../src/middleware/index.ts';
import { BOUNDARY, END, form, part, TYPE } from '../multipart/forms.ts';
import type { HostileRow, HostileSubject } from './subject.ts';

const DISPOSITION = 'Content-Disposition: form-data; name="a"';
const MALFORMED = '400 FCGI_ERR_BODY_SYNTAX';
const LARGE = '413 FCGI_ERR_BODY_TOO_LARGE';
const TYPED = '415 FCGI_ERR_BODY_TYPE';

export const uploads: HostileSubject = {
  title: 'Uploads',
  about:
    '`/upload` answers with the fields and the names of the files, under limits of 3 fields, 2 files of 1000 bytes each, and 5000 bytes in all. Where a form is refused, no file may be left; an answer would say so.',
  mount(app: Application, folder: string) {
    const limits = { fields: 3, files: 2, fileSize: 1000, fieldsSize: 1000, totalSize: 5000, headerSize: 1000 };
    app.post('/upload', multipart({ dir: folder, limits: { ...limits, headerPairs: 5 } }), (req, res) => {
      res.json([req.body, ...req.files.map(({ filename }) => filename)]);
    });
    app.use((error: unknown, _req: unknown, _res: unknown, next: (error: unknown) => void) => {
      const left = readdirSync(folder);
      next(left.length === 0 ? error : new Error(`left: ${left}`));
    });
  },
  rows: [
    file('a file wants out of its folder', '../../etc/passwd', 'passwd'),
    file('a file wants out of its folder on Windows', '..\\..\\boot.ini', 'boot.ini'),
    file('a file has an absolute path', 'C:\\Windows\\win.ini', 'win.ini'),
    file('a file has no name but dots', '..', 'unnamed'),
    file('a NUL hides the extension of a file', 'shell.php\0.jpg', 'shell.php.jpg'),
    file('a file is to configure the web server', '.htaccess', 'htaccess'),
    file('a file is a device of Windows', 'NUL.txt', '_NUL.txt'),
    file('a file is a stream of another on Windows', 'a.asp::$DATA', 'a.asp__$DATA'),
    file('a dot at the end, which Windows drops, hides the extension', 'a.asp.', 'a.asp'),
    file('text is turned around to hide the extension', 'a\u202egpj.exe', 'agpj.exe'),
    file('a header is hidden in the name of a file', 'a%0D%0AX-Injected: yes', 'aX-Injected_ yes'),
    file('a page is hidden in the name of a file', '<script>.svg', '_script_.svg'),
    file('the name of a file has 400 bytes', `${'a'.repeat(400)}.txt`, `${'a'.repeat(251)}.txt`),
    row('a field is called __proto__', form(part('__proto__', 'x')), '200 [{"__proto__":"x"}]'),
    row(
      'a field sets a property of the prototype',
      form(part('constructor[prototype][polluted]', 'x')),
      '200 [{"constructor[prototype][polluted]":"x"}]',
    ),
    row('a form is cut off in the middle of a file', form(filed('x')).subarray(0, -30), MALFORMED),
    row('a form has no end', form(filed('x')).subarray(0, -END.length), MALFORMED),
    row('a form is empty', '', MALFORMED),
    row('a form has another boundary than it says', form(filed('x')), MALFORMED, { 'Content-Type': `${TYPE}x` }),
    row('a form says no boundary', END, MALFORMED, { 'Content-Type': 'multipart/form-data' }),
    row('a boundary is longer than any may be', END, MALFORMED, { 'Content-Type': `${TYPE}${'x'.repeat(300)}` }),
    row('a part has no name', form(part('', 'x', { header: 'Content-Disposition: form-data' })), MALFORMED),
    row('a part has two names', form(part('', 'x', { header: `${DISPOSITION}; name="b"` })), MALFORMED),
    row('a part has two dispositions', form(part('', 'x', { header: `${DISPOSITION}\r\n${DISPOSITION}` })), MALFORMED),
    row(
      'a file is told from a field by what only some receivers read',
      form(part('', 'x', { header: `${DISPOSITION}; filename*=utf-8''a.php` })),
      MALFORMED,
    ),
    row('a header of a part is no header', form(part('', 'x', { header: `nonsense\r\n${DISPOSITION}` })), MALFORMED),
    row('a part is ended in its header', `--${BOUNDARY}\r\n${DISPOSITION}\r\n${END}`, MALFORMED),
    row('lines end with line feeds alone', `--${BOUNDARY}\n${DISPOSITION}\n\nx\n--${BOUNDARY}--\n`, MALFORMED),
    row(
      'a part has more headers than any has',
      form(part('', 'x', { header: `${DISPOSITION}${'\r\nX: y'.repeat(9)}` })),
      LARGE,
    ),
    row(
      'the header of a part does not end',
      form(part('', 'x', { header: `${DISPOSITION}\r\nX: ${'y'.repeat(2000)}` })),
      LARGE,
    ),
    row('the name of a field is longer than any', form(part('a'.repeat(101), 'x')), LARGE),
    row('a file is too large', form(filed('x'.repeat(1001))), LARGE),
    row('a field is too large', form(part('a', 'x'.repeat(1001))), LARGE),
    row('there are too many fields', form(...Array(4).fill(part('a', 'x'))), LARGE),
    row('there are too many files', form(...Array(3).fill(filed('x'))), LARGE),
    row('what follows the end of the form is too long', `${END}${'x'.repeat(5000)}`, LARGE),
    row('a form is compressed, to be larger than it looks', END, TYPED, {
      'Content-Type': TYPE,
      'Content-Encoding': 'gzip',
    }),
    row(
      'a part is encoded once more',
      form(part('', 'eA==', { header: `${DISPOSITION}\r\nContent-Transfer-Encoding: base64` })),
      TYPED,
    ),
  ],
};

function row(
  attack: string,
  body: Buffer | string,
  answer: string,
  headers: Record<string, string> = { 'Content-Type': TYPE },
): HostileRow {
  return { attack, request: { path: '/upload', headers, body }, answer };
}

function file(attack: string, filename: string, answer: string): HostileRow {
  return row(attack, form(part('a', 'x', { filename })), `200 [{},"${answer}"]`);
}

function filed(content: string): Buffer {
  return part('f', content, { filename: 'f' });
}
