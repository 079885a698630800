import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import Database from 'libsql';

/** What the site keeps is beside its pages, and not among them. */
const folder = resolve(process.env.GUESTBOOK_DATA ?? join(import.meta.dirname, 'data'));

/** Where the pictures are. */
export const pictures = join(folder, 'pictures');
mkdirSync(pictures, { recursive: true, mode: 0o700 });

export const db = new Database(join(folder, 'guestbook.db'));
db.pragma('journal_mode = WAL');
db.exec(`
  create table if not exists user (
    id integer primary key, name text not null unique collate nocase, salt blob not null, hash blob not null
  );
  create table if not exists entry (
    id integer primary key, user integer not null references user, text text not null, picture text,
    posted text not null default (strftime('%Y-%m-%dT%H:%M:%SZ'))
  );
  create table if not exists session (id text primary key, data text not null, expires integer not null);
  create table if not exists secret (value text not null);
`);
