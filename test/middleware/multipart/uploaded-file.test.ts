import fs from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Part } from '../../../src/middleware/multipart/part.ts';
import { UploadedFile } from '../../../src/middleware/multipart/uploaded-file.ts';
import { temporaryFolder } from '../../servers/program.ts';

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof fs>();
  const mocked = { ...real, link: vi.fn(real.link), copyFile: vi.fn(real.copyFile) };
  return { ...mocked, default: mocked };
});

let folder: string;
let file: UploadedFile;
beforeEach(async () => {
  folder = temporaryFolder();
  const path = join(folder, 'spooled');
  await fs.writeFile(path, 'content', { mode: 0o600 });
  const header = { name: 'photo', filename: 'a.jpg', type: 'image/jpeg', headers: {} };
  file = new UploadedFile(new Part(header, () => {}), path, 7);
});
afterEach(() => fs.rm(folder, { recursive: true }));

const failing = (code: string) => Object.assign(new Error(code), { code });

describe('moveTo', () => {
  it.each([undefined, 'EXDEV', 'EPERM'])('moves the file, where a link fails with %s', async (code) => {
    if (code) vi.mocked(fs.link).mockRejectedValueOnce(failing(code));
    const target = join(folder, 'kept');
    await file.moveTo(target);
    expect(file.path).toBe(target);
    expect(await fs.readdir(folder)).toEqual(['kept']);
    expect(await fs.readFile(target, 'utf8')).toBe('content');
    expect((await fs.stat(target)).mode & 0o777).toBe(0o600);
  });

  it('has moved the file whose folder goes meanwhile, since the client has left', async () => {
    vi.mocked(fs.link).mockImplementationOnce(async (from, to) => fs.rename(from, to));
    const target = join(folder, 'kept');
    await file.moveTo(target);
    expect(file.path).toBe(target);
    expect(await fs.readFile(target, 'utf8')).toBe('content');
  });

  it.each([undefined, 'EXDEV'])('overwrites nothing, where a link fails with %s', async (code) => {
    if (code) vi.mocked(fs.link).mockRejectedValueOnce(failing(code));
    const target = join(folder, 'kept');
    await fs.writeFile(target, 'of somebody else');
    await expect(file.moveTo(target)).rejects.toMatchObject({ code: 'EEXIST' });
    expect(await fs.readFile(target, 'utf8')).toBe('of somebody else');
    expect(await fs.readFile(file.path, 'utf8')).toBe('content');
  });

  it('leaves the file where it is, and nothing elsewhere, if it cannot be moved', async () => {
    await expect(file.moveTo(join(folder, 'none', 'kept'))).rejects.toMatchObject({ code: 'ENOENT' });
    vi.mocked(fs.link).mockRejectedValueOnce(failing('EXDEV'));
    vi.mocked(fs.copyFile).mockImplementationOnce(async (_from, to) => {
      await fs.writeFile(to, 'cont');
      throw failing('ENOSPC');
    });
    await expect(file.moveTo(join(folder, 'kept'))).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(await fs.readdir(folder)).toEqual(['spooled']);
  });
});
