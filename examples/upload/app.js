import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { createApp, serve } from 'fcgi';
import { multipart } from 'fcgi/middleware';

const app = createApp();
const page = readFileSync(new URL('page.html', import.meta.url), 'utf8');
mkdirSync('uploads', { recursive: true });

/**
 * The answers to those who watch an upload, by the id that the page has given it.
 * @type {Map<string, import('fcgi').Response>}
 */
const watchers = new Map();

app.get('/', (_req, res) => res.type('html').send(page));

app.get('/uploads/:id/progress', (req, res) => {
  const { id } = req.params;
  res.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' });
  res.write(': watching\n\n');
  watchers.set(id, res);
  res.on('close', () => watchers.delete(id));
});

const limits = { fileSize: 2 ** 30, totalSize: 2 ** 30 };

app.post(
  '/uploads/:id',
  (req, _res, next) => {
    let last = -1;
    req.on('progress', ({ loaded, total }) => {
      const percent = Math.floor((100 * loaded) / total);
      if (percent > last) watchers.get(req.params.id)?.write(`data: ${percent}\n\n`);
      last = percent;
    });
    next();
  },
  multipart({ limits }),
  async (req, res) => {
    // Two files may have the same name: on the disk, each has one that nobody has chosen.
    for (const file of req.files) await file.moveTo(`uploads/${randomUUID()}`);
    res.json(req.files.map(({ filename, size }) => ({ filename, size })));
  },
);

const port = process.env.PORT || 8080;
await serve(app, { fastcgi: './fcgi.sock', http: port });
console.log(`Open http://127.0.0.1:${port}. What is uploaded is kept in ${process.cwd()}/uploads.`);
