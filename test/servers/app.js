// @ts-check
/**
 * The app that every way to it must serve alike, in a process of its own: over HTTP on the port 0 and over FastCGI on
 * the unix socket and the port 0, given as `node app.js SOCKET`. It talks to the test through process messages:
 * in, `{ ask }` and `{ id, data }`, which lets the request of that id go on; out, answers and what befell a request.
 * A web server starts it as `node app.js talk=SOCKET`: then it serves what it is given, and talks over that socket.
 */
import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { createApp, createServer } from 'fcgi';
import { multipart } from 'fcgi/middleware';

const app = createApp();
app.set('env', 'production');
const go = new EventEmitter();

const [, talk] = /^talk=(.*)/.exec(process.argv[2] ?? '') ?? [];
const line = talk === undefined ? undefined : connect(talk);

/** @param {string} name @param {unknown} [value] */
function say(name, value) {
  if (line) line.write(`${JSON.stringify({ name, value })}\n`);
  else process.send?.({ name, value });
}

app.use('/echo', (req, res) => {
  const { method, originalUrl, url, baseUrl, path, query, hostname, ip, protocol, secure, headers } = req;
  // What the web server adds is not compared: only what these tests send.
  const own = Object.entries(headers).filter(([name]) =>
    /^(x-test-|cookie$|accept$|authorization$|host$|content-type$)/.test(name),
  );
  own.sort();
  res.send({ method, originalUrl, url, baseUrl, path, query, hostname, ip, protocol, secure, headers: own });
});

app.post('/body', async (req, res) => {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of req) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  res.send({ bytes, sha256: hash.digest('hex') });
});

const limits = { fileSize: Infinity, totalSize: Infinity };
app.post('/upload', multipart({ limits }), (req, res) => {
  res.send(req.files.map(({ name, filename, size, path }) => ({ name, filename, size, folder: dirname(path) })));
});
app.post('/parts', multipart({ limits, stream: true }), async (req, res) => {
  const parts = [];
  for await (const part of req.parts()) {
    let size = 0;
    for await (const chunk of part) size += chunk.length;
    parts.push({ name: part.name, filename: part.filename, size });
  }
  res.send(parts);
});

app.post('/pieces', async (req, res) => {
  await once(req, 'readable');
  say(`${req.query.id} begun`);
  for await (const _ of req);
  res.send('all');
});

app.post('/mirror', async (req, res) => {
  res.send([req.query.id, req.get('X-Test'), await text(req)]);
});

app.get('/hello', (_req, res) => res.send('Hello World'));
app.get('/empty', (_req, res) => res.status(204).end());
app.get('/etag', (_req, res) => res.set('ETag', '"one"').send('only once'));
app.get('/redirect', (_req, res) => res.redirect('/hello?from=redirect'));
app.get('/redirect-away', (_req, res) => res.redirect(301, 'https://example.org/a%20b?c=d'));
app.get('/status', (_req, res) => res.status(418).type('txt').send('short and stout'));
app.get('/cookies', (_req, res) => {
  res.append('Set-Cookie', 'a=1; Path=/');
  res.append('Set-Cookie', 'b=2; HttpOnly');
  res.append('Set-Cookie', 'c=x, y; Expires=Thu, 01 Jan 2037 00:00:00 GMT');
  res.set('X-Latin', 'Gr\u00fc\u00dfe').vary('Accept').send('cookies');
});
app.get('/many', (_req, res) => res.set('X-Many', ['one', 'two']).send('many'));
app.use('/env', (req, res) => res.send(req.env));
app.get('/who', (req, res) => res.send({ user: req.env.REMOTE_USER || null, told: req.get('Authorization') }));

app.get('/throw', () => {
  throw new Error('before the head');
});
app.get('/throw-late', async (req, res) => {
  res.set('X-Accel-Buffering', 'no');
  if (req.query.length) res.set('Content-Length', `${req.query.length}`);
  res.write('the first half');
  if (req.query.id) await once(go, `${req.query.id}`);
  throw new Error('after the head');
});
app.post('/refuse', (_req, res) => res.status(413).send('too large'));

app.get('/download', (req, res) => {
  let left = Number(req.query.bytes);
  res.type('bin').send(
    new Readable({
      read(size) {
        if (left === 0) return this.push(null);
        const chunk = Buffer.alloc(Math.min(size, left), 'abcdefghijklmnopqrstuvwxyz');
        left -= chunk.length;
        this.push(chunk);
      },
    }),
  );
});

app.get('/events', (req, res) => {
  res.set({ 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' }).flushHeaders();
  const send = (/** @type {string} */ data) => (data ? res.write(`data: ${data}\n\n`) : res.end());
  go.on(`${req.query.id}`, send);
  res.on('close', () => go.off(`${req.query.id}`, send));
  say(`${req.query.id} begun`);
});

// Never ends on its own, and is silent until it is told to go on.
app.get('/endless', (req, res) => {
  res.set('X-Accel-Buffering', 'no').write('first');
  /** @type {NodeJS.Timeout | undefined} */
  let ticking;
  go.once(`${req.query.id}`, () => {
    ticking = setInterval(() => res.write('tick'), 20);
  });
  req.signal.addEventListener('abort', () => say(`${req.query.id} abort`));
  res.on('close', () => {
    clearInterval(ticking);
    say(`${req.query.id} close`);
  });
});

app.get('/slow', async (req, res) => {
  say(`${req.query.id} begun`);
  await once(go, `${req.query.id}`);
  res.send('at last');
});

/** @type {import('node:net').Server[]} */
const servers = line
  ? [app.listen()]
  : [
      app.listen(0, '127.0.0.1'),
      createServer(app).listen(process.argv[2], { mode: 0o666 }),
      createServer(app).listen(0),
    ];
await Promise.all(servers.map((server) => server.listening || once(server, 'listening')));

let connections = 0;
for (const server of servers) {
  server.on('connection', (socket) => {
    connections++;
    socket.on('close', () => connections--);
  });
}

/** @param {{ ask?: string, id?: string, data?: string }} message */
function hear({ ask, id, data }) {
  if (ask === 'memory') {
    // Not the resident memory, which is what the collector has not got round to.
    globalThis.gc?.();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    say(ask, heapUsed + arrayBuffers);
  } else if (ask === 'connections') say(ask, connections);
  else go.emit(`${id}`, data);
}

if (line) {
  createInterface(line).on('line', (message) => hear(JSON.parse(message)));
} else {
  process.on('message', hear);
  process.on('disconnect', () => process.exit());
  const [http, , tcp] = servers.map((server) => /** @type {import('node:net').AddressInfo} */ (server.address()).port);
  say('ready', { http, tcp });
}
