import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TemporaryFolder } from '../../../src/middleware/multipart/temporary-folder.ts';
import { Spawned } from '../../adapters/spawned.ts';
import { temporaryFolder } from '../../servers/program.ts';

const SIGNALS = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const;

let parent: string;
beforeEach(() => {
  parent = temporaryFolder();
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

describe('a temporary folder', () => {
  it('is made when it is asked for, once, for this user alone', async () => {
    const folder = new TemporaryFolder(parent);
    expect(readdirSync(parent)).toEqual([]);
    const path = await folder.path();
    expect(await folder.path()).toBe(path);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    await folder.remove();
  });

  it('is removed with what is in it, also more than once, or where it never was', async () => {
    const folder = new TemporaryFolder(parent);
    await folder.remove();
    writeFileSync(join(await folder.path(), 'a'), 'a');
    await Promise.all([folder.remove(), folder.remove()]);
    await folder.remove();
    expect(readdirSync(parent)).toEqual([]);
  });

  it('rejects where it cannot be made, and there is nothing to remove', async () => {
    const folder = new TemporaryFolder(join(parent, 'none'));
    await expect(folder.path()).rejects.toMatchObject({ code: 'ENOENT' });
    await folder.remove();
  });

  it('listens for signals only while there is one', async () => {
    const count = () => [...SIGNALS, 'exit'].map((name) => process.listenerCount(name));
    const before = count();
    const folders = [new TemporaryFolder(parent), new TemporaryFolder(parent)];
    await Promise.all(folders.map((folder) => folder.path()));
    expect(count()).toEqual(before.map((listeners) => listeners + 1));
    for (const folder of folders) await folder.remove();
    expect(count()).toEqual(before);
  });
});

/** A program with a file that was just spooled, and what it does then. */
function spooled(then: string): Spawned {
  return new Spawned(`
    import http from 'node:http';
    import { multipart } from 'fcgi/middleware';
    const take = multipart({ dir: ${JSON.stringify(parent)} });
    const server = http.createServer((req, res) => take(req, res, () => {
      console.log(req.files.length + ' file');
      ${then}
    })).listen(0, '127.0.0.1', () => {
      const body = new FormData();
      body.append('file', new Blob(['x']), 'x');
      fetch('http://127.0.0.1:' + server.address().port, { method: 'POST', body }).catch(() => {});
    });
  `);
}

describe('when the process ends', () => {
  it.each(SIGNALS)('by %s, its folders go, and the signal ends it as ever', async (signal) => {
    const program = spooled('');
    await program.prints(/1 file/);
    expect(readdirSync(parent)).toHaveLength(1);
    program.child.kill(signal);
    expect(await program.ended).toBe(signal);
    expect(readdirSync(parent)).toEqual([]);
  });

  it('by a signal that others have something to do at, they go when it does', async () => {
    const program = spooled(`process.once('SIGTERM', () => {
      console.log('still there');
      process.once('SIGINT', () => process.exit(7));
    });`);
    await program.prints(/1 file/);
    program.child.kill('SIGTERM');
    await program.prints(/still there/);
    expect(readdirSync(parent)).toHaveLength(1);
    program.child.kill('SIGINT');
    expect(await program.ended).toBe(7);
    expect(readdirSync(parent)).toEqual([]);
  });

  it.each([
    ['process.exit()', 'process.exit(3);', 3],
    ['an error that nobody catches', 'throw new Error("uncaught");', 1],
  ])('by %s, its folders go', async (_what, then, status) => {
    const program = spooled(`setImmediate(() => { ${then} });`);
    expect(await program.ended).toBe(status);
    expect(program.stdout).toContain('1 file');
    expect(readdirSync(parent)).toEqual([]);
  });
});
