import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import net from 'node:net';
import { differsServer, sameServer } from './row.ts';

differsServer(
  'server instanceof http.Server, net.Server',
  { http: { notes: [[true, true]] }, fastcgi: { notes: [[false, true]] } },
  async ({ server, note }) => note(server instanceof http.Server, server instanceof net.Server),
);

differsServer(
  'server.maxConnections',
  { http: { notes: ['undefined'] }, fastcgi: { notes: [10_000] } },
  async ({ server, note }) => note(server.maxConnections),
);

sameServer("server.listening, 'listening', 'close'", async ({ server, note, watch }) => {
  watch('server', server, 'listening', 'close');
  note(server.listening);
  note(server.close() === server, server.listening);
  await once(server, 'close');
  server.listen(0);
  await once(server, 'listening');
  note(server.listening);
});

sameServer('server.close(callback)', async ({ server, note }) => {
  for (let time = 0; time < 2; time++) {
    await new Promise<void>((resolve) => {
      server.close((error) => {
        note(error);
        resolve();
      });
    });
  }
});

sameServer('server.close with a request under way', async ({ server, note, watch, visit, noted }) => {
  watch('server', server, 'close');
  server.on('request', (_req, res) => {
    watch('res', res, 'finish', 'close');
    server.close(() => note('called back'));
    note(server.listening);
    setTimeout(() => res.end('answered'), 5);
  });
  const visitor = await visit();
  const answer = await visitor.ask({ headers: [['Connection', 'close']] }).answer();
  await noted('called back');
  return answer;
});

sameServer('server.close with an idle connection', async ({ server, note, visit, noted }) => {
  server.on('request', (_req, res) => res.end('x'));
  const visitor = await visit();
  const answer = await visitor.ask().answer();
  server.close(() => note('called back'));
  await noted('called back');
  return answer;
});

sameServer('server.closeIdleConnections', async ({ server, note, visit, noted, watch }) => {
  let finish = () => {};
  server.on('connection', (socket) => watch('connection', socket, 'close'));
  server.on('request', (req, res) => {
    note(req.url);
    if (req.url === '/idle') res.end('x');
    else finish = () => res.end('under way');
  });
  const [idle, busy] = [await visit(), await visit()];
  const answers = [await idle.ask({ url: '/idle' }).answer()];
  busy.ask({ url: '/busy' });
  await noted('/busy');
  server.closeIdleConnections();
  await noted('connection close');
  finish();
  answers.push(await busy.answer());
  return answers;
});

sameServer('server.close, closeAllConnections with a request under way', async (scene) => {
  const { server, note, visit, watch, noted } = scene;
  watch('server', server, 'close');
  server.on('request', (req, res) => {
    watch('req', req, 'aborted', 'close');
    watch('res', res, 'finish', 'close');
    note('request');
  });
  const visitor = await visit();
  const answer = visitor.ask().answer();
  await noted('request');
  server.close();
  server.closeAllConnections();
  await noted('req close');
  return answer;
});

sameServer('server[Symbol.asyncDispose]', async ({ server, note }) => {
  await server[Symbol.asyncDispose]();
  note(server.listening);
  await server[Symbol.asyncDispose]().then(() => note('again'), note);
});

sameServer('server.address, getConnections, ref, unref', async ({ server, note, visit }) => {
  const address = server.address() as net.AddressInfo;
  note(Object.keys(address), address.port > 0);
  note(server.unref() === server, server.ref() === server);
  const connected = once(server, 'connection');
  await visit();
  await connected;
  note(await new Promise((resolve) => server.getConnections((_error, count) => resolve(count))));
});

sameServer("server 'request' with several listeners", async ({ server, note, visit }) => {
  server.on('request', (_req, res) => res.setHeader('X-First', '1'));
  server.once('request', () => note('once'));
  server.on('request', (_req, res) => res.end('second'));
  note(server.listenerCount('request'));
  const visitor = await visit();
  return visitor.ask().answer();
});

sameServer("server.emit('request', req, res)", async ({ server, note, visit }) => {
  server.on('request', (req, res) => {
    if (req.url === '/again') {
      res.end('again');
      return;
    }
    req.url = '/again';
    note(server.emit('request', req, res));
  });
  const visitor = await visit();
  return visitor.ask().answer();
});

differsServer(
  "server 'connection'",
  {
    http: { notes: [true, ['that of the request', true]] },
    fastcgi: { notes: [true, ['that of the request', false]] },
  },
  async ({ server, note, visit }) => {
    let connection: unknown;
    server.on('connection', (socket) => {
      connection = socket;
      note(socket instanceof net.Socket);
    });
    server.on('request', (req, res) => {
      note('that of the request', req.socket === connection);
      res.end();
    });
    const visitor = await visit();
    await visitor.ask().answer();
  },
);

/** Notes which event has come, and answers. */
function answering(note: (what: unknown) => void, event: string) {
  return (req: IncomingMessage, res: ServerResponse) => {
    note([event, req.headers.expect ?? null]);
    req.resume().on('end', () => res.end(event));
  };
}

differsServer(
  "server 'checkContinue'",
  { http: { notes: [['checkContinue', '100-continue']] }, fastcgi: { notes: [['request', null]] } },
  async ({ server, note, visit }) => {
    for (const event of ['request', 'checkContinue']) server.on(event, answering(note, event));
    const visitor = await visit();
    return visitor.ask({ body: 'body', headers: [['Expect', '100-continue']] }).answer();
  },
);

differsServer(
  "server 'checkExpectation'",
  { http: { notes: [['checkExpectation', 'mine']] }, fastcgi: { notes: [['request', null]] } },
  async ({ server, note, visit }) => {
    for (const event of ['request', 'checkExpectation']) server.on(event, answering(note, event));
    const visitor = await visit();
    return visitor.ask({ headers: [['Expect', 'mine']] }).answer();
  },
);

const UPGRADE: [string, string][] = [
  ['Connection', 'Upgrade'],
  ['Upgrade', 'websocket'],
];

differsServer(
  "server 'upgrade'",
  {
    http: { notes: [['upgrade', 'websocket', 'Upgrade']] },
    fastcgi: { notes: [['request', 'websocket', 'undefined']] },
  },
  async ({ server, note, visit, noted }) => {
    server.on('upgrade', (req, socket) => {
      note('upgrade', req.headers.upgrade, req.headers.connection);
      socket.end();
    });
    server.on('request', (req, res) => {
      note('request', req.headers.upgrade, req.headers.connection);
      res.writeHead(426).end();
    });
    const visitor = await visit();
    await visitor.ask({ headers: UPGRADE }).answer();
    await noted;
  },
);

sameServer('an Upgrade header without a listener', async ({ server, note, visit }) => {
  server.on('request', (req, res) => {
    note(req.headers.upgrade, (req as { upgrade?: boolean }).upgrade);
    res.end('not upgraded');
  });
  const visitor = await visit();
  return visitor.ask({ headers: UPGRADE }).answer();
});

differsServer(
  "server 'connect'",
  { http: { notes: [['connect', 'site.test:443']] }, fastcgi: { notes: [['request', 'site.test:443']] } },
  async ({ server, note, visit }) => {
    server.on('connect', (req, socket) => {
      note('connect', req.url);
      socket.end();
    });
    server.on('request', (req, res) => {
      note('request', req.url);
      res.end();
    });
    const visitor = await visit();
    await visitor.ask({ method: 'CONNECT', url: 'site.test:443' }).answer();
  },
);

differsServer(
  "server 'clientError'",
  {
    http: { notes: ['HPE_INVALID_METHOD', 'writable', 'closed'] },
    fastcgi: { notes: ['FCGI_ERR_VERSION', 'writable', 'closed'] },
  },
  async ({ server, note, visit, noted }) => {
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      note(error.code);
      if (socket.writable) note('writable');
      socket.on('close', () => note('closed'));
      socket.destroy();
    });
    const visitor = await visit();
    visitor.socket.write('neither HTTP nor FastCGI\r\n\r\n');
    await noted('closed');
  },
);

differsServer(
  'a request without a Host',
  { http: { notes: [], answer: { status: 400 } }, fastcgi: { notes: ['undefined'], answer: { status: 200 } } },
  async ({ server, note, visit }) => {
    server.on('request', (req, res) => {
      note(req.headers.host);
      res.end();
    });
    const visitor = await visit();
    return visitor.ask({ host: null }).answer();
  },
);
