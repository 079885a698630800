import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { db } from './database.js';

const derive = promisify(scrypt);
const LENGTH = 64;

/** @typedef {{ id: number, name: string }} User */

/**
 * What is wrong with a name and a password that somebody wants to have, by the form's fields.
 * @param {string} name
 * @param {string} password
 */
export function checkUser(name, password) {
  /** @type {Record<string, string>} */
  const errors = {};
  if (!/^[\p{L}\p{N}][\p{L}\p{N} ._-]{1,29}$/u.test(name))
    errors.name = 'A name has 2 to 30 letters, digits, spaces, - . or _';
  if (password.length < 8) errors.password = 'A password has at least 8 characters';
  return errors;
}

/**
 * Undefined if somebody has that name.
 * @param {string} name
 * @param {string} password
 * @returns {Promise<User | undefined>}
 */
export async function addUser(name, password) {
  const salt = randomBytes(16);
  const hash = await derive(password, salt, LENGTH);
  const { changes, lastInsertRowid } = db
    .prepare('insert into user (name, salt, hash) values (?, ?, ?) on conflict do nothing')
    .run(name, salt, hash);
  return changes === 0 ? undefined : { id: Number(lastInsertRowid), name };
}

/**
 * Undefined if there is no such user, or that is not the password: which of the two, nobody is told, nor by how long it takes.
 * @param {string} name
 * @param {string} password
 * @returns {Promise<User | undefined>}
 */
export async function findUser(name, password) {
  const user = /** @type {User & { salt: Buffer, hash: Buffer } | undefined} */ (
    db.prepare('select id, name, salt, hash from user where name = ?').get(name)
  );
  const hash = /** @type {Buffer} */ (await derive(password, user?.salt ?? randomBytes(16), LENGTH));
  return user !== undefined && timingSafeEqual(hash, user.hash) ? { id: user.id, name: user.name } : undefined;
}
