import type { ServerResponse } from 'node:http';
import { type Act, differs, same } from './row.ts';

same('res.writeHead(status)', {}, (_req, res, { note }) => {
  note(res.headersSent, res.statusCode, res.statusMessage);
  note(res.writeHead(404) === res, res.headersSent, res.statusCode, res.statusMessage);
  res.end('x');
});

same('res.writeHead(status, reason)', {}, (_req, res, { note }) => {
  res.writeHead(404, 'Gone Fishing').end();
  note(res.statusMessage);
});

same('res.writeHead(status, headers)', {}, (_req, res, { note }) => {
  res.writeHead(201, { 'X-A': '1', 'X-List': ['a', 'b'], 'Content-Length': 1 });
  note(res.getHeaders(), res.hasHeader('x-a'), res.getHeaderNames());
  res.end('x');
});

same('res.writeHead(status, reason, headers)', {}, (_req, res) => {
  res.writeHead(201, 'Made', { 'X-A': '1' }).end('x');
});

same('res.writeHead(status, undefined, headers)', {}, (_req, res) => {
  res.writeHead(201, undefined, { 'X-A': '1' }).end('x');
});

same('res.writeHead(status, [name, value, …])', {}, (_req, res) => {
  res.writeHead(200, ['X-A', '1', 'X-A', '2', 'Set-Cookie', 'b=1', 'Set-Cookie', 'c=2']).end('x');
});

same('res.writeHead(status, [[name, value], …])', {}, (_req, res) => {
  res
    .writeHead(200, [
      ['X-A', '1'],
      ['X-A', '2'],
    ] as never)
    .end('x');
});

same('res.writeHead over setHeader', {}, (_req, res, { note }) => {
  res.setHeader('X-A', 'set');
  res.setHeader('X-B', 'set');
  res.writeHead(200, { 'x-a': 'head', 'X-C': 'head' });
  note(res.getHeaders());
  res.end('x');
});

same('res.writeHead with a list over setHeader', {}, (_req, res, { note }) => {
  res.setHeader('X-A', 'set');
  res.setHeader('X-B', 'set');
  res.writeHead(200, ['X-A', '1', 'X-A', '2']);
  note(res.getHeaders());
  res.end('x');
});

same('res.writeHead with what is not allowed', {}, (_req, res, { attempt }) => {
  for (const status of [0, 99, 1000, -200, '', 'two hundred', undefined, null, {}]) {
    attempt(() => res.writeHead(status as number));
  }
  attempt(() => res.writeHead(200, 'not\nallowed'));
  attempt(() => res.writeHead(200, ['X-Odd']));
  attempt(() => res.writeHead(200, { 'X-A': undefined }));
  attempt(() => res.writeHead(200, { 'X-A': 'a\r\nX-B: b' }));
  attempt(() => res.writeHead('404' as never, 'As Text') === res);
  attempt(() => res.writeHead(200));
  res.end('x');
});

same('res.statusCode, statusMessage', {}, (_req, res, { note }) => {
  note(res.statusCode, res.statusMessage);
  res.statusCode = 418;
  res.statusMessage = 'Short and Stout';
  res.end('x');
  note(res.statusCode, res.statusMessage);
});

same('res.statusCode without a name', {}, (_req, res, { note }) => {
  res.statusCode = 299;
  res.end('x');
  note(res.statusMessage);
});

same('res.statusCode of no status', {}, (_req, res, { attempt }) => {
  res.statusCode = 2000;
  attempt(() => res.write('x'));
  attempt(() => res.end('x'));
  res.statusCode = 500;
  res.statusMessage = 'a\r\nb';
  attempt(() => res.end('x'));
  res.statusMessage = 'Fine';
  res.end('x');
});

same('the implicit head of write', {}, (_req, res, { note }) => {
  res.setHeader('X-A', '1');
  res.write('x');
  note(res.headersSent);
  res.end('y');
});

same('the implicit head of end', {}, (_req, res, { note }) => {
  res.setHeader('X-A', '1');
  res.end('x');
  note(res.headersSent);
});

same('res._implicitHeader replaced', {}, (_req, res, { note }) => {
  const internals = res as ServerResponse & { _implicitHeader(): void };
  const implicit = internals._implicitHeader;
  internals._implicitHeader = () => {
    note('implicit');
    implicit.call(res);
  };
  res.end('x');
});

same('res.writeHead replaced', {}, (_req, res, { note }) => {
  const { writeHead } = res;
  res.writeHead = function (this: ServerResponse, ...args: [number]) {
    note(args);
    this.setHeader('X-Late', '1');
    return writeHead.apply(this, args) as ServerResponse;
  } as never;
  res.end('x');
});

same(
  'res.flushHeaders',
  {},
  (_req, res, { note }) => {
    res.setHeader('X-A', '1');
    note(res.flushHeaders(), res.headersSent);
    res.flushHeaders();
    note('flushed');
    waiting = () => res.end('later');
  },
  async (visitor) => {
    visitor.ask();
    await visitor.until();
    waiting();
    return visitor.answer();
  },
);
let waiting = () => {};

const withBody: Act = (_req, res, { note }) => {
  res.setHeader('Content-Type', 'text/plain');
  note(res.write('a body '), res.end('that is not sent') === res);
};

same('HEAD, with write and end', { method: 'HEAD' }, withBody);

same('HEAD, with end alone', { method: 'HEAD' }, (_req, res) => {
  res.end('a body that is not sent');
});

same('HEAD, with a Content-Length', { method: 'HEAD' }, (_req, res) => {
  res.writeHead(200, { 'Content-Length': 10 }).end();
});

same('204, with a body', {}, (req, res, scene) => {
  res.statusCode = 204;
  withBody(req, res, scene);
});

same('204, with a Content-Length', {}, (_req, res) => {
  res.writeHead(204, { 'Content-Length': 0 }).end();
});

same('304, with a body', {}, (_req, res, { note }) => {
  res.writeHead(304, { ETag: '"a"' });
  note(res.write('x', note));
  res.end();
});

same('205, with a body', {}, (req, res, scene) => {
  res.statusCode = 205;
  withBody(req, res, scene);
});

differs(
  'a final status of 100, 102 or 103',
  {
    http: { notes: ['headers sent'], answer: { status: 0, whole: false } },
    fastcgi: { notes: ['headers sent'], answer: { status: 500, statusMessage: 'Internal Server Error', whole: true } },
  },
  { headers: [['Connection', 'close']] },
  (_req, res, { note }) => {
    res.writeHead(103, { Link: '</a.css>; rel=preload' }).end();
    if (res.headersSent) note('headers sent');
  },
);

const INTERIM: Act = (_req, res, { note, attempt }) => {
  attempt(() => res.writeContinue(() => note('100 written')));
  attempt(() => res.writeProcessing());
  attempt(() => res.writeEarlyHints({ link: '</a.css>; rel=preload', 'x-a': '1' }, () => note('103 written')));
  attempt(() => res.writeEarlyHints('no object' as never));
  attempt(() => res.writeEarlyHints({ link: 'no link' }));
  attempt(() => res.headersSent);
  setTimeout(() => res.end('final'), 5);
};

same('res.writeContinue, writeProcessing, writeEarlyHints: what they return, throw and call', {}, INTERIM);

differs(
  'res.writeContinue, writeProcessing, writeEarlyHints: what the client gets',
  {
    http: { answer: { interim: [100, 102, 103], status: 200 } },
    fastcgi: { answer: { interim: [], status: 200 } },
  },
  {},
  INTERIM,
  async (visitor) => {
    const { status, body } = await visitor.ask().answer();
    return { interim: visitor.interim, status, body };
  },
);

same('res.writeInformation', {}, (_req, res, { note, attempt }) => {
  const { writeInformation } = res as { writeInformation?: (...args: unknown[]) => unknown };
  // From Node 24 on.
  if (writeInformation !== undefined) {
    attempt(() => writeInformation.call(res, 103, { 'X-A': '1' }, () => note('written')));
    attempt(() => writeInformation.call(res, 101));
    attempt(() => writeInformation.call(res, 200));
  }
  setTimeout(() => res.end('final'), 5);
});

differs(
  'res.addTrailers',
  {
    http: {
      notes: ['undefined', INVALID_TRAILER()],
      answer: { body: 'body', whole: true, headers: ['Trailer: X-Sum', 'Date: …'] },
    },
    fastcgi: { notes: ['undefined', INVALID_TRAILER()], answer: { body: 'body', whole: true, headers: ['Date: …'] } },
  },
  {},
  (_req, res, { attempt }) => {
    res.setHeader('Trailer', 'X-Sum');
    res.write('body');
    attempt(() => res.addTrailers({ 'X-Sum': '1' }));
    attempt(() => res.addTrailers({ 'X Sum': '1' }));
    res.end();
  },
);

function INVALID_TRAILER(): string {
  return 'TypeError ERR_INVALID_HTTP_TOKEN: Trailer name must be a valid HTTP token ["X Sum"]';
}

same('a Trailer header on an answer of known length', {}, (_req, res, { attempt }) => {
  res.setHeader('Trailer', 'X-Sum');
  res.setHeader('Content-Length', 1);
  attempt(() => res.end('x'));
  res.removeHeader('Trailer');
  res.end('x');
});

differs(
  'an answer to HTTP/1.0',
  {
    http: { answer: { body: 'body', headers: ['Date: …'], whole: true } },
    fastcgi: { answer: { body: 'body', headers: ['Date: …', 'Content-Length: 4'], whole: true } },
  },
  { version: '1.0' },
  (_req, res) => res.end('body'),
);

differs(
  'res._header, chunkedEncoding, shouldKeepAlive',
  {
    http: { notes: [['HTTP/1.1 200 OK', 'true', true]] },
    fastcgi: { notes: [['Status: 200 OK', 'false', true]] },
  },
  {},
  (_req, res, { note }) => {
    res.write('x');
    const { _header, chunkedEncoding } = res as unknown as { _header: string; chunkedEncoding: boolean };
    note(_header.split('\r\n')[0], String(chunkedEncoding), res.shouldKeepAlive);
    res.end();
  },
);

differs(
  'a head of more than 65528 bytes',
  { http: { answer: { status: 200, body: 'body' } }, fastcgi: { answer: { status: 500 } } },
  {},
  (_req, res) => {
    res.setHeader('X-Long', 'x'.repeat(70_000));
    res.end('body');
  },
);
