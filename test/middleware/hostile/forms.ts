import { urlencoded } from '../../../src/middleware/index.ts';
import type { HostileRow, HostileSubject } from './subject.ts';

const FORM_TYPE = { 'Content-Type': 'application/x-www-form-urlencoded' };

export const forms: HostileSubject = {
  title: 'Forms',
  about:
    '`/form` answers with what `urlencoded()` has parsed, `/nested` with what `urlencoded({ extended: true })` has, and ' +
    '`/stdin` with what `req.stdin.form()` has, which has no prototype.',
  mount(app) {
    app.use('/form', urlencoded());
    app.use('/nested', urlencoded({ extended: true }));
    app.post('/stdin', async (req, res) => {
      const form = await req.stdin.form();
      res.json(Object.getPrototypeOf(form) === null ? form : 'a prototype');
    });
    app.use((req, res, next) => (req.method === 'POST' ? res.json(req.body) : next()));
  },
  rows: [
    row('a field `__proto__` is left out', '/form', '__proto__=x&a=1', '200 {"a":"1"}'),
    row('a field `__proto__`, read by hand, is a field', '/stdin', '__proto__=x&a=1', '200 {"__proto__":"x","a":"1"}'),
    row('a property of `__proto__` is left out', '/nested', '__proto__[polluted]=1&a=1', '200 {"a":"1"}'),
    row('the same deep within', '/nested', 'a[b][__proto__][polluted]=1', '200 {"a":{"b":{}}}'),
    row('the same where names are not nested', '/form', '__proto__[polluted]=1', '200 {"__proto__[polluted]":"1"}'),
    row('the same, percent-encoded', '/nested', '%5F_proto__%5Bpolluted%5D=1&a=1', '200 {"a":"1"}'),
    row(
      'a way to the prototype through the constructor of a field',
      '/nested',
      'a[constructor][prototype][polluted]=1',
      '400 FCGI_ERR_BODY_SYNTAX',
    ),
    row('a method is replaced by a field', '/stdin', 'hasOwnProperty=1', '200 {"hasOwnProperty":"1"}'),
    row('an array of a length that nobody sent', '/nested', 'a[999999999]=x', '200 {"a":{"999999999":"x"}}'),
    row('a length that is none of an array', '/nested', 'a[length]=999999999', '200 {"a":{"length":"999999999"}}'),
    row('objects in objects, deeper than 32', '/nested', `a${'[b]'.repeat(33)}=1`, '400 FCGI_ERR_BODY_SYNTAX'),
    row('more than 1000 fields', '/form', `a=1${'&a=1'.repeat(1000)}`, '413 FCGI_ERR_BODY_TOO_LARGE'),
    row('a field twice, where one is expected', '/form', 'role=user&role=admin', '200 {"role":["user","admin"]}'),
    row('a field that is percent-encoded as nothing is', '/form', 'a=%zz&b=%', '200 {"a":"%zz","b":"%"}'),
    row('a NUL in a field', '/form', 'file=a.txt%00.png', '200 {"file":"a.txt\\u0000.png"}'),
    row('a charset that forms cannot have', '/form', 'a=1', '415 FCGI_ERR_BODY_TYPE', {
      'Content-Type': 'application/x-www-form-urlencoded; charset=utf-7',
    }),
    row('a form of another type, read by hand', '/stdin', 'a=1', '415 FCGI_ERR_BODY_TYPE', {
      'Content-Type': 'text/plain',
    }),
    row('a charset in which it would be decoded wrongly, read by hand', '/stdin', 'a=%E9', '415 FCGI_ERR_BODY_TYPE', {
      'Content-Type': 'application/x-www-form-urlencoded; charset=iso-8859-1',
    }),
    row('a type that is none, read by hand', '/stdin', 'a=1', '415 FCGI_ERR_BODY_TYPE', { 'Content-Type': ';=;' }),
  ],
};

function row(attack: string, path: string, body: string, answer: string, headers = FORM_TYPE): HostileRow {
  return { attack, request: { path, headers, body }, answer };
}
