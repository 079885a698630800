import { randomUUID } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pictures } from './database.js';

const MAX_SIZE = 2 * 1024 * 1024;

/** By the bytes that they begin with, in hexadecimal: their names and types are but what somebody says. */
const KINDS = [
  { extension: '.png', pattern: /^89504e470d0a1a0a/ },
  { extension: '.jpg', pattern: /^ffd8ff/ },
  { extension: '.gif', pattern: /^474946383[79]61/ },
  { extension: '.webp', pattern: /^52494646.{8}57454250/ },
];

/** @param {string} path */
async function kindOf(path) {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(12), 0, 12);
    const bytes = buffer.toString('hex', 0, bytesRead);
    return KINDS.find(({ pattern }) => pattern.test(bytes));
  } finally {
    await file.close();
  }
}

/**
 * What is wrong with a file as a picture; undefined if nothing is.
 * @param {{ tmp_name: string, size: number }} file
 */
export async function checkPicture({ tmp_name, size }) {
  // Of several, there is no size.
  if (!(size <= MAX_SIZE)) return 'A picture has at most 2 MB';
  return (await kindOf(tmp_name)) === undefined ? 'A picture is a PNG, JPEG, GIF or WebP file' : undefined;
}

/**
 * Where it is to be kept, under a name that says what it is, and that nobody chooses.
 * @param {{ tmp_name: string }} file
 */
export async function placeFor({ tmp_name }) {
  const name = `${randomUUID()}${(await kindOf(tmp_name))?.extension}`;
  return { name, path: join(pictures, name) };
}

/** @param {string} name */
export async function dropPicture(name) {
  await rm(join(pictures, name), { force: true });
}
