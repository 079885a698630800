import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createApp } from '../../src/core/app.ts';
import type { ErrorHandler } from '../../src/core/types.ts';
import { Door } from '../adapters/fastcgi/client.ts';
import { DOORS, type TestAnswer } from './doors.ts';
import { cookieHeaders } from './hostile/cookies.ts';
import { documentOf } from './hostile/document.ts';
import { files } from './hostile/files.ts';
import { forms } from './hostile/forms.ts';
import { headers } from './hostile/headers.ts';
import { jsonBodies } from './hostile/json.ts';
import { uploads } from './hostile/multipart.ts';
import { oversize } from './hostile/oversize.ts';
import { proxy } from './hostile/proxy.ts';
import { query } from './hostile/query.ts';
import type { HostileSubject } from './hostile/subject.ts';

const SUBJECTS: HostileSubject[] = [query, jsonBodies, forms, oversize, uploads, cookieHeaders, headers, files, proxy];

const refuse: ErrorHandler = (error, _req, res, _next) => {
  const { status = 500, code, name } = error as { status?: number; code?: string; name: string };
  res.status(status).send(code ?? name);
};

const UNPOLLUTED = Reflect.ownKeys(Object.prototype);

for (const subject of SUBJECTS) {
  describe.each(DOORS)(`${subject.title}, over %s`, (_name, open) => {
    it.each(subject.rows)('$attack: $answer', async ({ request: { path, ...request }, answer }) => {
      const door = new Door();
      const folder = mkdtempSync(join(tmpdir(), 'fcgi-hostile-'));
      onTestFinished(async () => {
        await door.close();
        rmSync(folder, { recursive: true });
      });
      const app = createApp({ env: 'test' });
      app.get('/alive', (_req, res) => res.send('alive'));
      await subject.mount(app, folder);
      app.use(refuse);
      const ask = await open(app, door);

      const method = request.body === undefined ? 'GET' : 'POST';
      const given = await ask(path, { method, ...request });
      expect(/^\d+$/.test(answer) ? `${given.status}` : answerOf(given)).toBe(answer);
      expect(given.headers).not.toHaveProperty('x-injected');
      expect(Reflect.ownKeys(Object.prototype)).toEqual(UNPOLLUTED);
      expect((await ask('/alive')).text).toBe('alive');
    });
  });
}

/** The status, and the header or else the body by which the rows are told. */
function answerOf({ status, headers, text }: TestAnswer): string {
  for (const name of ['Location', 'Set-Cookie', 'Content-Disposition']) {
    const value = headers[name.toLowerCase()];
    if (value !== undefined) return `${status} ${name}: ${value}`;
  }
  return `${status} ${text}`.trimEnd();
}

describe('docs/hostile-inputs.md', () => {
  it('has every row: `npx vitest run test/middleware/hostile.test.ts -u` writes them', async () => {
    const file = join(import.meta.dirname, '../../docs/hostile-inputs.md');
    await expect(documentOf(SUBJECTS, readFileSync(file, 'utf8'))).toMatchFileSnapshot(file);
  });

  it('tells every attack once', () => {
    const attacks = SUBJECTS.flatMap(({ title, rows }) => rows.map(({ attack }) => `${title}: ${attack}`));
    expect(attacks).toHaveLength(new Set(attacks).size);
  });
});
