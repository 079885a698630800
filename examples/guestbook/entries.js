import { EventEmitter, on } from 'node:events';
import { db } from './database.js';

/** @typedef {{ id: number, user: number, name: string, text: string, picture: string | null, posted: string }} Entry */

const SELECT = 'select entry.id, user, name, text, picture, posted from entry join user on user.id = user';
const PAGE = 10;

/** For those who watch. */
const news = new EventEmitter().setMaxListeners(0);

/**
 * The newest first, in pages that are counted from 1.
 * @param {number} page
 */
export function listEntries(page) {
  const { count } = /** @type {{ count: number }} */ (db.prepare('select count(*) as count from entry').get());
  const pages = Math.max(1, Math.ceil(count / PAGE));
  const current = Math.min(Math.max(1, page), pages);
  const entries = /** @type {Entry[]} */ (
    db.prepare(`${SELECT} order by entry.id desc limit ? offset ?`).all(PAGE, (current - 1) * PAGE)
  );
  return { entries, count, pages, current };
}

/**
 * @param {number} user
 * @param {string} text
 * @param {string | null} picture
 */
export function addEntry(user, text, picture) {
  const { lastInsertRowid } = db
    .prepare('insert into entry (user, text, picture) values (?, ?, ?)')
    .run(user, text, picture);
  news.emit('entry', db.prepare(`${SELECT} where entry.id = ?`).get(lastInsertRowid));
}

/**
 * Gives the entry that is no more; undefined if there was none of that user's.
 * @param {number} id
 * @param {number} user
 * @returns {Entry | undefined}
 */
export function removeEntry(id, user) {
  const entry = /** @type {Entry | undefined} */ (
    db.prepare(`${SELECT} where entry.id = ? and user = ?`).get(id, user)
  );
  if (entry !== undefined) db.prepare('delete from entry where id = ?').run(id);
  return entry;
}

/**
 * Entries as they are written, from now on.
 * @param {AbortSignal} signal
 * @returns {AsyncIterable<[Entry]>}
 */
export function watchEntries(signal) {
  return /** @type {AsyncIterable<[Entry]>} */ (on(news, 'entry', { signal }));
}
