import { randomBytes } from 'node:crypto';
// @ts-expect-error It brings no types.
import session from 'express-session';
import { db } from './database.js';

/** Milliseconds after which somebody who has not been here is logged out. */
const AGE = 7 * 24 * 3600_000;

/** In the database, so that a start of the program logs nobody out. */
class Store extends session.Store {
  /**
   * @param {string} id
   * @param {(error: null, data?: object) => void} done
   */
  get(id, done) {
    const row = /** @type {{ data: string } | undefined} */ (
      db.prepare('select data from session where id = ? and expires > ?').get(id, Date.now())
    );
    done(null, row && JSON.parse(row.data));
  }

  /**
   * @param {string} id
   * @param {object} data
   * @param {() => void} [done]
   */
  set(id, data, done) {
    const now = Date.now();
    db.prepare('delete from session where expires <= ?').run(now);
    db.prepare('replace into session (id, data, expires) values (?, ?, ?)').run(id, JSON.stringify(data), now + AGE);
    done?.();
  }

  /**
   * @param {string} id
   * @param {object} _data
   * @param {() => void} [done]
   */
  touch(id, _data, done) {
    db.prepare('update session set expires = ? where id = ?').run(Date.now() + AGE, id);
    done?.();
  }

  /**
   * @param {string} id
   * @param {() => void} [done]
   */
  destroy(id, done) {
    db.prepare('delete from session where id = ?').run(id);
    done?.();
  }
}

/** With which the cookie is signed: made at the first start. */
function secret() {
  db.prepare('insert into secret (value) select ? where not exists (select * from secret)').run(
    randomBytes(32).toString('hex'),
  );
  const { value } = /** @type {{ value: string }} */ (db.prepare('select value from secret').get());
  return value;
}

export const sessions = () =>
  session({
    name: 'guestbook',
    secret: secret(),
    store: new Store(),
    resave: false,
    saveUninitialized: false,
    cookie: { httpOnly: true, sameSite: 'lax', secure: 'auto', maxAge: AGE },
  });

/**
 * In a session of a new name: the old one may be known to whoever has put it into the browser.
 * @param {any} req
 * @param {import('./users.js').User} user
 */
export async function logIn(req, user) {
  await new Promise((resolve) => req.session.regenerate(resolve));
  req.session.user = user;
}

/** @param {any} req */
export async function logOut(req) {
  await new Promise((resolve) => req.session.destroy(resolve));
}
