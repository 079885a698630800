import { expect } from 'vitest';
import { FastcgiVisitor } from './fastcgi-visitor.ts';
import { differs, differsServer, same, sameServer } from './row.ts';
import { LARGE } from './scripts.ts';

sameServer('server.timeout, maxHeadersCount, maxRequestsPerSocket, headersTimeout, requestTimeout', async (scene) => {
  const { timeout, maxHeadersCount, maxRequestsPerSocket, headersTimeout, requestTimeout } = scene.server;
  scene.note({ timeout, maxHeadersCount, maxRequestsPerSocket, headersTimeout, requestTimeout });
});

differsServer(
  'server.keepAliveTimeout',
  { http: { notes: [5000, 'closed'] }, fastcgi: { notes: [75_000, 'closed'] } },
  async ({ server, note, noted, visit }) => {
    note(server.keepAliveTimeout);
    server.keepAliveTimeout = 20;
    server.on('request', (_req, res) => res.end('x'));
    const visitor = await visit();
    await visitor.ask().answer();
    visitor.socket.on('close', () => note('closed'));
    await noted('closed');
  },
);

sameServer('server.keepAliveTimeout = 0', async ({ server, note, visit }) => {
  server.keepAliveTimeout = 0;
  note(server.keepAliveTimeout);
  server.on('request', (_req, res) => res.end('x'));
  const visitor = await visit();
  await visitor.ask().answer();
  await new Promise((resolve) => setTimeout(resolve, 50));
  return visitor.ask().answer();
});

sameServer('server.keepAliveTimeout and a client that is slow to read', async ({ server, visit, note, noted }) => {
  server.on('request', (_req, res) => {
    // Not before: a connection that has not had its first request yet could be closed as well.
    server.keepAliveTimeout = 1;
    res.end(Buffer.alloc(LARGE));
    setTimeout(() => note('a while later'), 100);
  });
  const visitor = await visit();
  visitor.pause();
  visitor.ask();
  await noted('a while later');
  visitor.resume();
  const { body, whole } = await visitor.answer();
  return { length: body.length, whole };
});

differsServer(
  'server.headersTimeout: a head that does not come',
  { http: { notes: [20], answer: { status: 408, body: '' } }, fastcgi: { notes: [20], answer: { status: 408 } } },
  async ({ server, note, visit }) => {
    server.headersTimeout = 20;
    note(server.headersTimeout);
    const visitor = await visit();
    if (visitor instanceof FastcgiVisitor) visitor.client.begin();
    else visitor.socket.write('GET / HTTP/1.1\r\n');
    return visitor.answer();
  },
);

differsServer(
  'server.requestTimeout: a body that does not come',
  {
    http: {
      notes: [20, 'req aborted', 'res close', 'req error Error ECONNRESET: aborted', 'req close'],
      answer: { status: 408 },
    },
    fastcgi: {
      notes: [20, 'req aborted', 'res close', expect.stringContaining('FCGI_ERR_REQUEST_TIMEOUT'), 'req close'],
      answer: { status: 408 },
    },
  },
  async ({ server, note, visit, watch, noted }) => {
    server.headersTimeout = 20;
    server.requestTimeout = 20;
    note(server.requestTimeout);
    server.on('request', (req, res) => {
      watch('req', req, 'aborted', 'error', 'close');
      watch('res', res, 'finish', 'close');
    });
    const visitor = await visit();
    const answer = await visitor.ask({ length: 10 }).write('abc').answer();
    await noted('req close');
    return answer;
  },
);

sameServer('server.requestTimeout = 0, headersTimeout = 0', async ({ server, note, visit }) => {
  server.requestTimeout = 0;
  server.headersTimeout = 0;
  note(server.requestTimeout, server.headersTimeout);
  server.on('request', (req, res) => req.resume().on('end', () => res.end('late')));
  const visitor = await visit();
  visitor.ask({ length: 6 }).write('abc');
  await new Promise((resolve) => setTimeout(resolve, 50));
  return visitor.write('def').answer();
});

differsServer(
  'server.maxRequestsPerSocket',
  { http: { notes: ['told to close'] }, fastcgi: { notes: ['closed'] } },
  async ({ server, note, visit, noted, overHttp }) => {
    server.maxRequestsPerSocket = 2;
    server.on('request', (_req, res) => res.end('x'));
    const visitor = await visit();
    visitor.socket.on('data', (bytes) => {
      if (bytes.includes('Connection: close')) note('told to close');
    });
    visitor.socket.on('end', () => note('closed'));
    const answers = [await visitor.ask().answer(), await visitor.ask().answer()];
    await noted(overHttp ? 'told to close' : 'closed');
    return answers;
  },
);

sameServer("server 'dropRequest'", async ({ server, note, visit, noted }) => {
  server.maxRequestsPerSocket = 1;
  server.on('request', (req, res) => {
    note(req.url);
    res.end('x');
  });
  server.on('dropRequest', (req, socket) => note('dropped', req.url, req.socket === socket));
  const visitor = await visit();
  // At once: behind the first answer the connection closes.
  visitor.socket.cork();
  visitor.ask({ url: '/1' }).ask({ url: '/2' });
  visitor.socket.uncork();
  await noted(['dropped', '/2', true]);
});

const TWICE: [string, string][] = [
  ['X-A', '1'],
  ['User-Agent', 'a'],
  ['User-Agent', 'b'],
];

const major = Number.parseInt(process.versions.node, 10);

differsServer(
  'server.maxHeadersCount',
  {
    // Before Node 22, those beyond it were left out.
    http: major < 22 ? { notes: [{ host: 'site.test', 'x-a': '1' }] } : { notes: [], answer: { status: 431 } },
    fastcgi: { notes: [], answer: { status: 431 } },
  },
  async ({ server, note, visit }) => {
    server.maxHeadersCount = 2;
    server.on('request', (req, res) => {
      note(req.headers);
      res.end();
    });
    const visitor = await visit();
    return visitor.ask({ headers: TWICE }).answer();
  },
);

same(
  'createServer({ joinDuplicateHeaders })',
  { headers: TWICE },
  (req, res, { note }) => {
    note(req.headers, (req as { joinDuplicateHeaders?: boolean }).joinDuplicateHeaders);
    res.end();
  },
  undefined,
  { joinDuplicateHeaders: true },
);

same(
  'createServer({ rejectNonStandardBodyWrites })',
  { method: 'HEAD' },
  (_req, res, { attempt }) => {
    attempt(() => res.write('x'));
    attempt(() => res.end('x'));
    res.end();
  },
  undefined,
  { rejectNonStandardBodyWrites: true },
);

differs(
  'createServer({ uniqueHeaders })',
  {
    http: { answer: { headers: ['X-A: 1; 2', 'Date: …'] } },
    fastcgi: { answer: { headers: ['X-A: 1', 'X-A: 2', 'Date: …'] } },
  },
  {},
  (_req, res) => {
    res.setHeader('X-A', ['1', '2']);
    res.removeHeader('Content-Length');
    res.end();
  },
  undefined,
  { uniqueHeaders: ['x-a'] },
);
