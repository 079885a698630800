import { randomBytes } from 'node:crypto';
import { files, multipart, urlencoded } from 'fcgi/middleware';
import helmet from 'helmet';
import { pictures } from '../database.js';
import { sessions } from '../sessions.js';

/**
 * `fcgi pages` calls it before it mounts the pages: here is what all of them need.
 * @param {import('fcgi').Application} app
 */
export default function prepare(app) {
  // By `upgrade-insecure-requests`, a site without HTTPS would have none of its own files.
  app.use(helmet({ contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } } }));
  // Names that never come again, and end as what is in them.
  app.use('/pictures', files(pictures, { immutable: true, maxAge: '1 year' }));
  app.use(sessions(), urlencoded(), multipart({ limits: { files: 1, fileSize: 10 * 1024 ** 2 } }));
  app.use(guardForms);
}

/**
 * Refuses a form that another site has the browser send, with our cookie: it cannot know what is in the session.
 * @type {import('fcgi').Handler}
 */
const guardForms = (req, res, next) => {
  const { session, body } = /** @type {any} */ (req);
  res.locals.token = () => {
    session.token ??= randomBytes(16).toString('hex');
    return session.token;
  };
  if (req.method !== 'POST' || (session.token !== undefined && body?.token === session.token)) next();
  else res.status(403).type('text').send('This form is too old: load its page again, and send it once more.');
};
