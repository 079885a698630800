import http from 'node:http';
import { Stream } from 'node:stream';
import { differs, same } from './row.ts';

same('res instanceof http.ServerResponse', {}, (req, res, { note }) => {
  note(res instanceof http.ServerResponse, res instanceof http.OutgoingMessage, res instanceof Stream);
  note(res.req === req);
  res.end();
});

same('res.setHeader, getHeader, hasHeader, getHeaderNames, getHeaders', {}, (_req, res, { note }) => {
  note(res.getHeader('x-none'), res.hasHeader('X-None'), res.getHeaderNames(), res.getHeaders());
  note(res.setHeader('X-One', 1) === res);
  res.setHeader('X-List', ['a', 'b']);
  res.setHeader('x-ONE', 'again');
  res.setHeader('Set-Cookie', ['c=1', 'd=2']);
  res.setHeader('X-Empty', '');
  note(res.getHeader('x-one'), res.getHeader('X-LIST'), res.hasHeader('x-LIST'));
  note(res.getHeaderNames(), res.getHeaders(), Object.getPrototypeOf(res.getHeaders()));
  res.end('x');
});

same('res.getRawHeaderNames', {}, (_req, res, { note }) => {
  const raw = () => (res as unknown as { getRawHeaderNames(): string[] }).getRawHeaderNames();
  note(raw());
  res.setHeader('X-MiXed', 'a');
  res.setHeader('set-cookie', ['b=1', 'c=2']);
  note(raw());
  res.end();
});

same('res.appendHeader', {}, (_req, res, { note }) => {
  note(res.appendHeader('X-New', 'a') === res);
  res.appendHeader('X-New', 'b');
  res.appendHeader('X-New', ['c', 'd']);
  res.setHeader('X-Set', ['e']);
  res.appendHeader('x-set', 'f');
  res.appendHeader('Set-Cookie', 'g=1').appendHeader('Set-Cookie', 'h=2');
  note(res.getHeaders());
  res.end();
});

same('res.setHeaders', {}, (_req, res, { note, attempt }) => {
  const headers = new Headers({ 'X-A': '1' });
  headers.append('Set-Cookie', 'b=1');
  headers.append('Set-Cookie', 'c=2');
  note(res.setHeaders(headers) === res);
  res.setHeaders(new Map([['X-Map', 'd']]));
  attempt(() => res.setHeaders({ 'X-Object': 'e' } as never));
  attempt(() => res.setHeaders([['X-Array', 'f']] as never));
  note(res.getHeaders());
  res.end();
});

same('res.removeHeader', {}, (_req, res, { note }) => {
  res.setHeader('X-A', '1');
  res.setHeader('X-B', '2');
  note(res.removeHeader('x-a'), res.removeHeader('X-None'), res.getHeaderNames());
  res.end();
});

same("res.removeHeader('Date'), sendDate", {}, (_req, res, { note }) => {
  note(res.sendDate);
  res.removeHeader('Date');
  note(res.sendDate);
  res.end();
});

same("res.setHeader('Date', …)", {}, (_req, res, { note }) => {
  res.setHeader('Date', 'Sat, 29 Oct 1994 19:43:31 GMT');
  note(res.getHeader('date'));
  res.end();
});

same("res.removeHeader('Content-Length')", {}, (_req, res) => {
  res.removeHeader('Content-Length');
  res.end('of no length');
});

same("res.removeHeader('Content-Length'), removeHeader('Transfer-Encoding')", {}, (_req, res) => {
  res.removeHeader('Content-Length');
  res.removeHeader('Transfer-Encoding');
  res.end('of no length');
});

same("res.removeHeader('Connection')", {}, (_req, res) => {
  res.removeHeader('Connection');
  res.end('x');
});

same('invalid names and values of headers', {}, (_req, res, { attempt }) => {
  for (const name of ['', 'a b', 'ä', 'a:', undefined, 1]) {
    attempt(() => res.setHeader(name as string, 'x'));
    attempt(() => res.appendHeader(name as string, 'x'));
    attempt(() => res.writeHead(200, { [name as string]: 'x' }));
  }
  for (const value of [undefined, 'a\r\nb', 'a\0', '\u0100', ['fine', 'a\nb']]) {
    attempt(() => res.setHeader('X-A', value as string) === res);
    attempt(() => res.appendHeader('X-B', value as string) === res);
  }
  attempt(() => res.getHeader(1 as never));
  attempt(() => res.hasHeader(undefined as never));
  attempt(() => res.removeHeader(null as never));
  for (const name of res.getHeaderNames()) res.removeHeader(name);
  res.end('none of them');
});

same('headers after the head is made', {}, (_req, res, { note, attempt }) => {
  res.setHeader('X-A', '1');
  res.write('x');
  note(res.headersSent, res.getHeaders());
  attempt(() => res.setHeader('X-B', '2'));
  attempt(() => res.appendHeader('X-B', '2'));
  attempt(() => res.setHeaders(new Map([['X-B', '2']])));
  attempt(() => res.removeHeader('X-A'));
  attempt(() => res.writeHead(404));
  attempt(() => res.flushHeaders());
  res.statusCode = 404;
  res.statusMessage = 'Too Late';
  note(res.hasHeader('x-a'), res.statusCode);
  res.end('y');
});

same('headers of more than one line', {}, (_req, res) => {
  res.setHeader('X-List', ['a', 'b']);
  res.setHeader('Set-Cookie', ['c=1', 'd=2']);
  res.setHeader('Cookie', ['e=1', 'f=2']);
  res.setHeader('Link', ['</a>; rel=preload', '</b>; rel=preload']);
  res.end();
});

same('headers of bytes beyond ASCII', {}, (_req, res) => {
  res.setHeader('X-Latin1', 'caf\xe9');
  res.setHeader('Content-Length', 4);
  res.setHeader('Content-Disposition', 'attachment; filename="caf\xe9.txt"');
  res.end(Buffer.from('body'));
});

differs(
  'Connection, Keep-Alive, Proxy-Connection, Transfer-Encoding, Status of an answer',
  {
    http: {
      notes: [],
      answer: { body: 'body', headers: ['Status: 404 Not Found', 'Proxy-Connection: close', 'X-A: 1', 'Date: …'] },
    },
    fastcgi: { notes: [], answer: { status: 200, body: 'body', headers: ['X-A: 1', 'Date: …'] } },
  },
  {},
  (_req, res) => {
    res.setHeader('Status', '404 Not Found');
    res.setHeader('Connection', 'close, X-A');
    res.setHeader('Keep-Alive', 'timeout=5');
    res.setHeader('Proxy-Connection', 'close');
    res.setHeader('Transfer-Encoding', 'chunked');
    res.setHeader('X-A', '1');
    res.end('body');
  },
);
