import type { HostileSubject } from './subject.ts';

export const query: HostileSubject = {
  title: 'Queries',
  about: '`/query` answers with `req.query`, which has no prototype and no nested names.',
  mount(app) {
    app.get('/query', (req, res) => res.json(req.query));
    app.get('/query/count', (req, res) => res.json(Object.keys(req.query).length));
    app.get('/query/prototype', (req, res) => res.json([Object.getPrototypeOf(req.query), 'toString' in req.query]));
  },
  rows: [
    {
      attack: 'a prototype is set by its name',
      request: { path: '/query?__proto__=x' },
      answer: '200 {"__proto__":"x"}',
    },
    {
      attack: 'a property of the prototype is set',
      request: { path: '/query?__proto__[polluted]=1' },
      answer: '200 {"__proto__[polluted]":"1"}',
    },
    {
      attack: 'a property of the prototype is set through the constructor',
      request: { path: '/query?constructor[prototype][polluted]=1' },
      answer: '200 {"constructor[prototype][polluted]":"1"}',
    },
    {
      attack: 'what nobody sent is looked up and found on the prototype',
      request: { path: '/query/prototype?a=1' },
      answer: '200 [null,false]',
    },
    {
      attack: 'a method that code may call on the query is replaced',
      request: { path: '/query?hasOwnProperty=1' },
      answer: '200 {"hasOwnProperty":"1"}',
    },
    {
      attack: 'a string is expected, and an array comes',
      request: { path: '/query?name=a&name=b' },
      answer: '200 {"name":["a","b"]}',
    },
    {
      attack: 'an operator of a database is sent as a nested name',
      request: { path: '/query?password[$ne]=' },
      answer: '200 {"password[$ne]":""}',
    },
    {
      attack: 'more names than anybody asks for: those after the thousandth are left out',
      request: { path: `/query/count?${Array.from({ length: 1500 }, (_, i) => `a${i}`).join('&')}` },
      answer: '200 1000',
    },
    {
      attack: 'percent-encoding that is none',
      request: { path: '/query?a=%&b=%zz' },
      answer: '200 {"a":"%","b":"%zz"}',
    },
    {
      attack: 'a slash in overlong UTF-8',
      request: { path: '/query?file=..%c0%af' },
      answer: '200 {"file":"..\ufffd\ufffd"}',
    },
    {
      attack: 'a NUL, to cut a name short where C reads it',
      request: { path: '/query?file=a.txt%00.png' },
      answer: '200 {"file":"a.txt\\u0000.png"}',
    },
  ],
};
