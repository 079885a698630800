import http from 'node:http';
import { Readable } from 'node:stream';
import { differs, same } from './row.ts';

const ENCODED = { method: 'PUT', url: '/a%20b/../c;d?e=f&e=%C3%A9&%zz', length: 0 };

same('req.method, url', ENCODED, (req, res, { note }) => {
  note(req.method, req.url);
  res.end();
});

same('req.url of OPTIONS *', { method: 'OPTIONS', url: '*' }, (req, res, { note }) => {
  note(req.method, req.url);
  res.end();
});

differs(
  'req.url of bytes beyond ASCII',
  {
    http: { notes: [], answer: { status: 400 } },
    fastcgi: { notes: ['/caf\xe9/\xc3\xa9?q=\xff'], answer: { status: 200 } },
  },
  { url: '/caf\xe9/\xc3\xa9?q=\xff' },
  (req, res, { note }) => {
    note(req.url);
    res.end();
  },
);

differs(
  'a request target that is none',
  { http: { notes: [], answer: { status: 400 } }, fastcgi: { notes: [], answer: { status: 400 } } },
  { url: '/a b' },
  (_req, res, { note }) => {
    note('request');
    res.end();
  },
);

differs(
  'a method that node:http does not know',
  { http: { notes: [], answer: { status: 400 } }, fastcgi: { notes: [], answer: { status: 400 } } },
  { method: 'FROBNICATE' },
  (_req, res, { note }) => {
    note('request');
    res.end();
  },
);

differs(
  'a head of 20 KB',
  { http: { notes: [], answer: { status: 431 } }, fastcgi: { notes: [20_000], answer: { status: 200 } } },
  { headers: [['X-Long', 'x'.repeat(20_000)]] },
  (req, res, { note }) => {
    note(req.headers['x-long']?.length);
    res.end();
  },
);

same('req.httpVersion, httpVersionMajor, httpVersionMinor', { version: '1.0' }, (req, res, { note }) => {
  note(req.httpVersion, req.httpVersionMajor, req.httpVersionMinor);
  res.writeHead(200, { 'Content-Length': 0 }).end();
});

same('req instanceof http.IncomingMessage', {}, (req, res, { note }) => {
  note(req instanceof http.IncomingMessage, req instanceof Readable, Readable.isDisturbed(req));
  res.end();
});

/** Every rule that node:http has for a name that comes twice, and one for each. */
const TWICE: [string, string][] = [
  ['Cookie', 'a=1'],
  ['Cookie', 'b=2'],
  ['Set-Cookie', 'c=3'],
  ['Set-Cookie', 'd=4'],
  ['Accept', 'text/html'],
  ['Accept', '*/*'],
  ['X-Forwarded-For', '10.0.0.1'],
  ['X-Forwarded-For', '10.0.0.2'],
  ['X-Custom', ''],
  ['X-Custom', 'two'],
  ['User-Agent', 'first'],
  ['User-Agent', 'second'],
  ['Authorization', 'Basic Zmlyc3Q='],
  ['Authorization', 'Basic c2Vjb25k'],
  ['If-Modified-Since', 'Sat, 29 Oct 1994 19:43:31 GMT'],
  ['If-Modified-Since', 'Sun, 30 Oct 1994 19:43:31 GMT'],
  ['Referer', 'http://site.test/1'],
  ['Referer', 'http://site.test/2'],
  ['X-Bytes', 'caf\xe9 \xc3\xa9'],
];

same('req.headers', { headers: TWICE }, (req, res, { note }) => {
  note(req.headers, Object.getPrototypeOf(req.headers) === Object.prototype);
  req.headers = { mine: 'yes' };
  note(req.headers, req.rawHeaders.length);
  res.end();
});

same('req.headersDistinct', { headers: TWICE }, (req, res, { note }) => {
  note(req.headersDistinct, Object.getPrototypeOf(req.headersDistinct));
  res.end();
});

same('req.headers of a body', { body: 'body', headers: [['Content-Type', 'text/plain']] }, (req, res, { note }) => {
  const { 'content-type': type, 'content-length': length, 'transfer-encoding': encoding } = req.headers;
  note(type, length, encoding);
  res.end();
});

same(
  'req.headers of a chunked body',
  { chunked: true },
  (req, res, { note }) => {
    note(req.headers['transfer-encoding'], req.headers['content-length']);
    req.resume().on('end', () => res.end());
  },
  (visitor, _scene, ask) => visitor.ask(ask).write('body').end().answer(),
);

differs(
  'req.rawHeaders',
  {
    http: { notes: [['Host', 'site.test', 'Content-Type', 'text/plain', 'dnt', '1', 'X-MiXed', 'a', 'X-MiXed', 'b']] },
    fastcgi: {
      notes: [['Host', 'site.test', 'Dnt', '1', 'X-Mixed', 'a', 'X-Mixed', 'b', 'Content-Type', 'text/plain']],
    },
  },
  {
    headers: [
      ['Content-Type', 'text/plain'],
      ['dnt', '1'],
      ['X-MiXed', 'a'],
      ['X-MiXed', 'b'],
    ],
  },
  (req, res, { note }) => {
    note(req.rawHeaders);
    res.end();
  },
);

differs(
  'req.headers with dots or underscores',
  { http: { notes: [['1', '2', 'undefined']] }, fastcgi: { notes: [['undefined', 'undefined', '2']] } },
  {
    headers: [
      ['X.Dot', '1'],
      ['X_Underscore', '2'],
    ],
  },
  ({ headers }, res, { note }) => {
    note(headers['x.dot'], headers.x_underscore, headers['x-underscore']);
    res.end();
  },
);

const HOP_BY_HOP: [string, string][] = [
  ['Connection', 'keep-alive, X-Mine'],
  ['Keep-Alive', 'timeout=5'],
  ['Proxy-Connection', 'keep-alive'],
];

differs(
  'req.headers of the connection',
  {
    http: { notes: [['keep-alive, X-Mine', 'timeout=5', 'keep-alive']] },
    fastcgi: { notes: [['undefined', 'undefined', 'undefined']] },
  },
  { headers: HOP_BY_HOP },
  ({ headers }, res, { note }) => {
    note(headers.connection, headers['keep-alive'], headers['proxy-connection']);
    res.end();
  },
);

differs(
  'req.headers.proxy',
  { http: { notes: ['http://evil.test'] }, fastcgi: { notes: ['undefined'] } },
  { headers: [['Proxy', 'http://evil.test']] },
  ({ headers }, res, { note }) => {
    note(headers.proxy);
    res.end();
  },
);

differs(
  'req.trailers, rawTrailers, trailersDistinct',
  {
    http: {
      notes: [
        [{}, []],
        [{ 'x-sum': '1, 2' }, ['X-Sum', '1', 'X-Sum', '2'], { 'x-sum': ['1', '2'] }],
      ],
    },
    fastcgi: {
      notes: [
        [{}, []],
        [{}, [], {}],
      ],
    },
  },
  { chunked: true },
  (req, res, { note }) => {
    note({ ...req.trailers }, [...req.rawTrailers]);
    req.resume().on('end', () => {
      note(req.trailers, req.rawTrailers, { ...req.trailersDistinct });
      res.end();
    });
  },
  (visitor, _scene, ask) => visitor.ask(ask).write('body').end(['X-Sum: 1', 'X-Sum: 2']).answer(),
);

same('req.statusCode, statusMessage, upgrade, joinDuplicateHeaders', {}, (req, res, { note }) => {
  note(req.statusCode, req.statusMessage, (req as { upgrade?: boolean }).upgrade);
  note((req as { joinDuplicateHeaders?: boolean }).joinDuplicateHeaders);
  res.end();
});

same('req.socket, connection, client', {}, (req, res, { note }) => {
  const { client } = req as unknown as { client: unknown };
  note(req.connection === req.socket, client === req.socket, req.socket === res.socket);
  res.end();
});
