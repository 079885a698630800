import zlib from 'node:zlib';
import { json, raw, text, urlencoded } from '../../../src/middleware/index.ts';
import type { HostileRow, HostileSubject } from './subject.ts';

const TYPES = {
  '/json': 'application/json',
  '/form': 'application/x-www-form-urlencoded',
  '/text': 'text/plain',
  '/raw': 'application/octet-stream',
  '/stdin': 'application/json',
};
type Path = keyof typeof TYPES;

const MORE = Buffer.alloc(1024 * 1024 + 1, ' ');
const BOMB = Buffer.alloc(32 * 1024 * 1024, ' ');
const TOO_LARGE = '413 FCGI_ERR_BODY_TOO_LARGE';

export const oversize: HostileSubject = {
  title: 'Bodies that are too large',
  about:
    '`/json`, `/form`, `/text` and `/raw` have the parsers, and `/stdin` reads by ' +
    '`req.stdin.json()`. The limit is 1 MiB for all of them.',
  mount(app) {
    app.use('/json', json());
    app.use('/form', urlencoded());
    app.use('/text', text());
    app.use('/raw', raw());
    app.post('/stdin', async (req, res) => res.json(await req.stdin.json()));
    app.use((req, res, next) => (req.method === 'POST' ? res.json(req.body) : next()));
  },
  rows: [
    row('JSON of a byte more', '/json', MORE, TOO_LARGE),
    row('a form of a byte more', '/form', MORE, TOO_LARGE),
    row('text of a byte more', '/text', MORE, TOO_LARGE),
    row('bytes, one more', '/raw', MORE, TOO_LARGE),
    row('a byte more, read by hand', '/stdin', MORE, TOO_LARGE),
    chunked(row('a byte more that no length tells of', '/json', MORE, TOO_LARGE)),
    chunked(row('a byte more that no length tells of, read by hand', '/stdin', MORE, TOO_LARGE)),
    row('32 MB that are 32 KB by gzip', '/json', zlib.gzipSync(BOMB), TOO_LARGE, 'gzip'),
    row('the same by deflate', '/form', zlib.deflateSync(BOMB), TOO_LARGE, 'deflate'),
    row('the same in some bytes of Brotli', '/raw', zlib.brotliCompressSync(BOMB), TOO_LARGE, 'br'),
    row('32 MB by gzip, read by hand', '/stdin', zlib.gzipSync(BOMB), TOO_LARGE, 'gzip'),
    row('32 MB by Brotli, read by hand', '/stdin', zlib.brotliCompressSync(BOMB), TOO_LARGE, 'br'),
    row(
      'gzip in several members, each of which would do',
      '/text',
      Buffer.concat([0, 1].map(() => zlib.gzipSync(MORE.subarray(1)))),
      TOO_LARGE,
      'gzip',
    ),
    row('gzip within gzip', '/json', zlib.gzipSync(zlib.gzipSync(BOMB)), '415 FCGI_ERR_BODY_TYPE', 'gzip, gzip'),
    row('an encoding that there is not', '/json', '{}', '415 FCGI_ERR_BODY_TYPE', 'compress'),
    row('what is not in its encoding', '/json', '{}', '400 FCGI_ERR_BODY_SYNTAX', 'gzip'),
    row('gzip that stops short', '/json', zlib.gzipSync('{}').subarray(0, -9), '400 FCGI_ERR_BODY_SYNTAX', 'gzip'),
    row(
      'gzip that stops short, read by hand',
      '/stdin',
      zlib.gzipSync('{}').subarray(0, -9),
      '400 FCGI_ERR_BODY_SYNTAX',
      'gzip',
    ),
    row('gzip whose checksum is wrong', '/json', broken(zlib.gzipSync('{}')), '400 FCGI_ERR_BODY_SYNTAX', 'gzip'),
  ],
};

function row(attack: string, path: Path, body: string | Buffer, answer: string, encoding?: string): HostileRow {
  const headers = { 'Content-Type': TYPES[path], ...(encoding && { 'Content-Encoding': encoding }) };
  return { attack, request: { path, headers, body }, answer };
}

function chunked(row: HostileRow): HostileRow {
  return { ...row, request: { ...row.request, chunked: true } };
}

function broken(gzip: Buffer): Buffer {
  gzip[gzip.length - 5]! ^= 1;
  return gzip;
}
