import { json } from '../../../src/middleware/index.ts';
import type { HostileRow, HostileSubject } from './subject.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };
const POISONED = '{"__proto__":{"polluted":1}}';
const BUILT = '{"constructor":{"prototype":{"polluted":1}}}';
const REFUSED = '400 FCGI_ERR_BODY_SYNTAX';

export const jsonBodies: HostileSubject = {
  title: 'JSON bodies',
  about:
    '`/json` answers with what `json()` has parsed, `/stdin` with what `req.stdin.json()` has, and `/removed` with what ' +
    "`json({ onProtoPoisoning: 'remove', onConstructorPoisoning: 'remove' })` has left; `/type` with its type.",
  mount(app) {
    app.use('/json', json());
    app.use('/removed', json({ onProtoPoisoning: 'remove', onConstructorPoisoning: 'remove' }));
    app.use('/type', json());
    app.post('/stdin', async (req, res) => res.json(await req.stdin.json()));
    app.post('/type', (req, res) => res.send(typeof req.body));
    app.use((req, res, next) => (req.method === 'POST' ? res.json(req.body ?? 'nothing') : next()));
  },
  rows: [
    row('a key `__proto__`', '/json', POISONED, REFUSED),
    row('the same, read by hand', '/stdin', POISONED, REFUSED),
    row('a key `__proto__` deep within', '/json', `{"a":[[{"b":${POISONED}}]]}`, REFUSED),
    row('a key `__proto__` in escapes', '/json', '{"\\u005f_pr\\u006fto__":{"polluted":1}}', REFUSED),
    row('the same in escapes, read by hand', '/stdin', '{"\\u005f_pr\\u006fto__":{"polluted":1}}', REFUSED),
    row('a key `__proto__` whose value is harmless', '/json', '{"__proto__":null}', REFUSED),
    row('a way to the prototype through the constructor', '/json', BUILT, REFUSED),
    row('the same way, read by hand', '/stdin', BUILT, REFUSED),
    row('`__proto__` where it is to be removed', '/removed', '{"a":1,"__proto__":{"polluted":1}}', '200 {"a":1}'),
    row('`constructor` where it is to be removed', '/removed', `[{"a":1},${BUILT}]`, '200 [{"a":1},{}]'),
    row('`__proto__` in UTF-16, past what looks at bytes', '/json', Buffer.from(POISONED, 'utf16le'), REFUSED, {
      'Content-Type': 'application/json; charset=utf-16le',
    }),
    row(
      '`__proto__` in UTF-7, past what looks at characters',
      '/json',
      '{"+AF8AXw-proto+AF8AXw-":{"polluted":1}}',
      REFUSED,
      { 'Content-Type': 'application/json; charset=utf-7' },
    ),
    row('UTF-7, read by hand', '/stdin', '{"+AF8AXw-proto+AF8AXw-":1}', '415 FCGI_ERR_BODY_TYPE', {
      'Content-Type': 'application/json; charset=utf-7',
    }),
    row('a charset that JSON cannot have', '/json', '{}', '415 FCGI_ERR_BODY_TYPE', {
      'Content-Type': 'application/json; charset=iso-8859-1',
    }),
    row('bytes that are no UTF-8', '/json', Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d]), '200 ["\ufffd"]'),
    row('JSON that stops short', '/json', '{"a":', REFUSED),
    row('JSON with something behind it', '/json', '{}{}', REFUSED),
    row('JavaScript that is no JSON', '/json', '{"a":NaN}', REFUSED),
    row('a value where an object is expected', '/json', '"__proto__"', REFUSED),
    row('the same key twice: the last counts', '/json', '{"role":"user","role":"admin"}', '200 {"role":"admin"}'),
    row('a method that code may call on the body is replaced', '/json', '{"toString":1}', '200 {"toString":1}'),
    row(
      'arrays in arrays, 100000 deep, to exhaust the stack',
      '/type',
      '['.repeat(1e5) + ']'.repeat(1e5),
      '200 object',
    ),
    row('JSON of a type that a form of another site can send', '/json', '{"a":1}', '200 "nothing"', {
      'Content-Type': 'text/plain',
    }),
  ],
};

function row(attack: string, path: string, body: string | Buffer, answer: string, headers = JSON_TYPE): HostileRow {
  return { attack, request: { path, headers, body }, answer };
}
