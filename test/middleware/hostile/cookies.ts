import { makeSetCookie } from '../../../src/core/set-cookie.ts';
import { cookies } from '../../../src/middleware/index.ts';
import type { HostileRow, HostileSubject } from './subject.ts';

const signed = (value: string, secret = 'new') =>
  decodeURIComponent(makeSetCookie('user', value, { signed: true, path: '' }, secret));

export const cookieHeaders: HostileSubject = {
  title: 'Cookies',
  about:
    "`/` answers with `req.cookies` and `req.signedCookies` of `cookies({ secret: ['new', 'old'] })`; they have no " +
    'prototype. The server has signed `user=ann`.',
  mount(app) {
    app.use(cookies({ secret: ['new', 'old'] }));
    app.get('/', ({ cookies, signedCookies }, res) =>
      res.json('toString' in cookies || 'toString' in signedCookies ? 'a prototype' : [cookies, signedCookies]),
    );
  },
  rows: [
    row('a cookie named `__proto__`', '__proto__=1', '200 [{"__proto__":"1"},{}]'),
    row(
      'JSON with a key `__proto__` stays text',
      'a=j:{"__proto__":{"polluted":1}}',
      '200 [{"a":"j:{\\"__proto__\\":{\\"polluted\\":1}}"},{}]',
    ),
    row(
      'JSON with a way through the constructor stays text',
      'a=j:{"constructor":{"prototype":{}}}',
      '200 [{"a":"j:{\\"constructor\\":{\\"prototype\\":{}}}"},{}]',
    ),
    row('JSON that is none stays text', 'a=j:{', '200 [{"a":"j:{"},{}]'),
    row('an object where text is expected', 'a=j:{"$ne":""}', '200 [{"a":{"$ne":""}},{}]'),
    row('another value under its signature', signed('ann').replace('ann', 'bob'), '200 [{},{"user":false}]'),
    row('another signature', signed('ann').replace(/.$/, '!'), '200 [{},{"user":false}]'),
    row('a signature that stops short', signed('ann').slice(0, -1), '200 [{},{"user":false}]'),
    row('a signature with something behind it', `${signed('ann')}=`, '200 [{},{"user":false}]'),
    row('a signature of a secret that was guessed', signed('ann', 'guess'), '200 [{},{"user":false}]'),
    row('no signature', 'user=s:ann', '200 [{},{"user":false}]'),
    row('nothing that is signed', 'user=s:', '200 [{},{"user":false}]'),
    row('text in the place of what is signed', 'user=bob', '200 [{"user":"bob"},{}]'),
    row('a tampered cookie before the true one', `user=s:bob.x; ${signed('ann')}`, '200 [{},{"user":false}]'),
    row(
      'a signed value under another name: the signature says nothing of the name',
      signed('ann').replace('user', 'admin'),
      '200 [{},{"admin":"ann"}]',
    ),
    row('the same name twice: the first counts', 'a=1; a=2', '200 [{"a":"1"},{}]'),
    row('percent-encoding that is none', 'a=%zz', '200 [{"a":"%zz"},{}]'),
    row('a line break, percent-encoded', 'a=%0D%0AX-Injected:%20yes', '200 [{"a":"\\r\\nX-Injected: yes"},{}]'),
  ],
};

function row(attack: string, cookie: string, answer: string): HostileRow {
  return { attack, request: { path: '/', headers: { Cookie: cookie } }, answer };
}
