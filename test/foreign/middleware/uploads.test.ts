import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { describeThrough } from '../doors.ts';
import { type ForeignRequest, type ForeignResponse, type Next, require, routingHosts } from '../hosts.ts';

const multer = require('multer');
const fileUpload = require('express-fileupload');

const BOUNDARY = '----fcgi';
const headers = { 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}` };

/** A form of parts: a name with a value, or with a file. */
function form(...parts: [name: string, content: string | Buffer, filename?: string][]): Buffer {
  return Buffer.concat([
    ...parts.flatMap(([name, content, filename]) => [
      Buffer.from(
        `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${
          filename === undefined ? '' : `; filename="${filename}"\r\nContent-Type: application/octet-stream`
        }\r\n\r\n`,
      ),
      Buffer.from(content),
      Buffer.from('\r\n'),
    ]),
    Buffer.from(`--${BOUNDARY}--\r\n`),
  ]);
}

const large = Buffer.alloc(3_000_000, 'Lorem ipsum ');
const two = form(
  ['title', 'Zwei Dateien: ü'],
  ['a', large, 'a.bin'],
  ['tag', 'x'],
  ['b', 'small', 'b.txt'],
  ['tag', 'y'],
);

function md5(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex');
}

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'fcgi-upload-'));
  onTestFinished(() => rmSync(made, { recursive: true }));
  return made;
}

interface File {
  fieldname: string;
  originalname: string;
  size: number;
  buffer?: Buffer;
  path: string;
}

function refuse(error: { code: string; message: string }, _req: ForeignRequest, res: ForeignResponse, _next: Next) {
  res.statusCode = 400;
  res.end(`${error.code} ${error.message}`);
}

describeThrough('uploads', (through) => {
  describe.each(routingHosts)('in %s', (_name, make) => {
    it.each(['memory', 'disk'])('multer takes two files and fields, into %s', async (where) => {
      await through(
        () => {
          const upload = multer(where === 'disk' ? { dest: folder() } : { storage: multer.memoryStorage() });
          const told = ({ fieldname, originalname, size, buffer, path }: File) =>
            `${fieldname} ${originalname} ${size} ${md5(buffer ?? readFileSync(path))}`;
          const app = make();
          app.post('/', upload.fields([{ name: 'a' }, { name: 'b', maxCount: 1 }]), (req, res) => {
            const files = Object.values<File[]>(req.files).flat();
            res.end(JSON.stringify({ fields: req.body, files: files.map(told) }));
          });
          return app;
        },
        async (client) => {
          for (const chunked of [false, true]) {
            const { body } = await client.ask('/', { method: 'POST', body: two, headers, chunked });
            expect(JSON.parse(Buffer.from(body, 'latin1').toString())).toEqual({
              fields: { title: 'Zwei Dateien: ü', tag: ['x', 'y'] },
              files: [`a a.bin 3000000 ${md5(large)}`, `b b.txt 5 ${md5(Buffer.from('small'))}`],
            });
          }
        },
      );
    });

    it('multer refuses files that are too many, too large or unexpected, and forms that are broken', async () => {
      await through(
        () => {
          const upload = multer({ storage: multer.memoryStorage(), limits: { fileSize: 1000, files: 1 } });
          const app = make();
          app.post('/', upload.single('a'), (req, res) => res.end(req.file.originalname));
          app.use(refuse);
          return app;
        },
        async (client) => {
          const send = (body: Buffer) => client.say('/', { method: 'POST', body, headers });
          expect(await send(form(['a', 'x', 'x.txt']))).toBe('200 x.txt');
          expect(await send(form(['a', large, 'x.txt']))).toBe('400 LIMIT_FILE_SIZE File too large');
          expect(await send(form(['a', 'x', 'x.txt'], ['a', 'y', 'y.txt']))).toMatch(/^400 LIMIT_/);
          expect(await send(form(['b', 'x', 'x.txt']))).toMatch(/^400 LIMIT_UNEXPECTED_FILE/);
          expect(await send(two.subarray(0, 1000))).toBe('400 undefined Unexpected end of form');
          expect(await send(form(['a', 'x', 'again.txt']))).toBe('200 again.txt');
        },
      );
    });

    it.each([false, true])(
      'express-fileupload takes two files and fields, with temporary files: %s',
      async (temporary) => {
        let target = '';
        await through(
          () => {
            target = folder();
            const app = make();
            app.use(fileUpload({ useTempFiles: temporary, tempFileDir: join(target, 'temporary') }));
            app.post('/', async (req, res) => {
              const { a, b } = req.files;
              for (const file of [a, b]) await file.mv(join(target, file.name));
              res.end(JSON.stringify([req.body, a.size, a.md5, b.size, b.md5, b.truncated]));
            });
            return app;
          },
          async (client) => {
            const { body } = await client.ask('/', { method: 'POST', body: two, headers });
            expect(JSON.parse(Buffer.from(body, 'latin1').toString())).toEqual([
              { title: 'Zwei Dateien: ü', tag: ['x', 'y'] },
              ...[large.length, md5(large), 5, md5(Buffer.from('small')), false],
            ]);
            expect(readFileSync(join(target, 'a.bin')).equals(large)).toBe(true);
            expect(readFileSync(join(target, 'b.txt'), 'utf8')).toBe('small');
            if (existsSync(join(target, 'temporary'))) expect(readdirSync(join(target, 'temporary'))).toEqual([]);
          },
        );
      },
    );

    it('express-fileupload answers 413 where a file is too large', async () => {
      await through(
        () => {
          const app = make();
          app.use(fileUpload({ limits: { fileSize: 1000 }, abortOnLimit: true, responseOnLimit: 'too much' }));
          app.post('/', (req, res) => res.end(req.files.a.name));
          return app;
        },
        async (client) => {
          expect(await client.say('/', { method: 'POST', body: form(['a', 'x', 'x.txt']), headers })).toBe('200 x.txt');
          expect(await client.say('/', { method: 'POST', body: form(['a', large, 'x.txt']), headers })).toBe(
            '413 too much',
          );
        },
      );
    });
  });
});
