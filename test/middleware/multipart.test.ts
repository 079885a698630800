import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import http, { type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FCGI_STDIN } from '../../src/adapters/fastcgi/constants.ts';
import { encodeStream } from '../../src/adapters/fastcgi/records.ts';
import { type Application, createApp } from '../../src/core/app.ts';
import { Request } from '../../src/core/request.ts';
import { Response } from '../../src/core/response.ts';
import type { ErrorHandler } from '../../src/core/types.ts';
import { type MultipartOptions, multipart } from '../../src/middleware/index.ts';
import { Door, encodeRequest, eventually } from '../adapters/fastcgi/client.ts';
import { seeded } from '../adapters/fastcgi/random.ts';
import { listen } from '../core/served.ts';
import { temporaryFolder } from '../servers/program.ts';
import { DOORS, type TestAnswer } from './doors.ts';
import { cut, form, part, TYPE } from './multipart/forms.ts';

let dir: string;
let door: Door;
beforeEach(() => {
  dir = temporaryFolder();
  door = new Door();
});
afterEach(async () => {
  await door.close();
  rmSync(dir, { recursive: true });
});

/** The files that are in the folder, in whichever folder. */
const spooled = () => readdirSync(dir, { recursive: true, encoding: 'utf8' });
const gone = () => eventually(() => expect(spooled()).toEqual([]));

interface Uploads {
  app: Application;
  /** The codes of the errors that came. */
  codes: unknown[];
  /** Responses that have closed. */
  closed: number;
  /** How often a handler has been called. */
  handled: number;
}

/** An application that takes forms at /files and /parts, and what else is mounted, and tells of them. */
function uploads(options: MultipartOptions = {}, mount: (app: Application) => void = () => {}): Uploads {
  const app = createApp({ env: 'test' });
  const all: Uploads = { app, codes: [], closed: 0, handled: 0 };
  app.use((_req, res, next) => {
    res.on('close', () => all.closed++);
    next();
  });
  app.post('/files', multipart({ dir, ...options }), (req, res) => {
    all.handled++;
    const files = req.files?.map(({ path, ...file }) => ({ ...file, content: readFileSync(path).length }));
    res.json({ body: req.body, files });
  });
  app.post('/parts', multipart({ ...options, stream: true }), async (req, res) => {
    const parts: unknown[] = [];
    for await (const part of req.parts()) {
      const content = part.filename === undefined ? await part.text() : await part.bytes();
      parts.push([part.name, content.length]);
    }
    res.json(parts);
  });
  mount(app);
  const onError: ErrorHandler = (error, _req, res, _next) => {
    const { status = 500, code } = error as { status?: number; code?: string };
    all.codes.push(code);
    res.status(status).send(code);
  };
  app.use(onError);
  return all;
}

const headers = { 'Content-Type': TYPE };
const large = Buffer.alloc(300_000, 'abc');
const mixed = form(
  part('title', 'Grüße'),
  part('photo', large, { filename: '../../ü.jpg', type: 'image/jpeg' }),
  part('tag', 'x'),
  part('none', '', { filename: '', type: 'application/octet-stream' }),
  part('tag', 'y'),
  part('__proto__', 'z'),
  part('photo', '', { filename: 'empty.txt' }),
);

describe.each(DOORS)('multipart, over %s', (name, open) => {
  it('gives fields and files', async () => {
    const ask = await open(uploads().app, door);
    for (const chunked of [false, true]) {
      const { status, text } = await ask('/files', { method: 'POST', headers, body: mixed, chunked });
      expect([status, text]).toEqual([
        200,
        JSON.stringify({
          body: JSON.parse('{"title":"Grüße","tag":["x","y"],"__proto__":"z"}'),
          files: [
            {
              name: 'photo',
              filename: 'ü.jpg',
              rawFilename: '../../ü.jpg',
              type: 'image/jpeg',
              size: 300_000,
              content: 300_000,
            },
            { name: 'photo', filename: 'empty.txt', rawFilename: 'empty.txt', type: 'text/plain', size: 0, content: 0 },
          ],
        }),
      ]);
      await gone();
    }
  });

  it('gives the parts as they come', async () => {
    const ask = await open(uploads().app, door);
    const { text } = await ask('/parts', { method: 'POST', headers, body: mixed });
    expect(text).toBe('[["title",5],["photo",300000],["tag",1],["none",0],["tag",1],["__proto__",1],["photo",0]]');
    expect(spooled()).toEqual([]);
  });

  it('passes on what is no form; what asks for parts then gets 415', async () => {
    const ask = await open(uploads().app, door);
    for (const request of [{}, { body: '{}', headers: { 'Content-Type': 'application/json' } }]) {
      expect((await ask('/files', { method: 'POST', ...request })).text).toBe('{}');
      const { status, text } = await ask('/parts', { method: 'POST', ...request });
      expect([status, text]).toEqual([415, 'FCGI_ERR_BODY_TYPE']);
    }
  });

  it.each<[string, Buffer, MultipartOptions['limits'], string]>([
    ['is cut off', mixed.subarray(0, 200_000), {}, '400 FCGI_ERR_BODY_SYNTAX'],
    ['has a part without a name', form(part('a', 'x', { header: 'X: y' })), {}, '400 FCGI_ERR_BODY_SYNTAX'],
    ['has too large a file', mixed, { fileSize: 1000 }, '413 FCGI_ERR_BODY_TOO_LARGE'],
    ['has too many files', mixed, { files: 1 }, '413 FCGI_ERR_BODY_TOO_LARGE'],
    ['is too large', mixed, { totalSize: 1000 }, '413 FCGI_ERR_BODY_TOO_LARGE'],
    [
      'has text of an unknown charset after a file',
      form(part('f', large, { filename: 'f' }), part('a', 'x', { type: 'text/plain; charset=x' })),
      {},
      '415 FCGI_ERR_BODY_TYPE',
    ],
  ])('refuses a form that %s, and leaves no file', async (_what, body, limits, answer) => {
    const { app, codes } = uploads({ limits });
    const ask = await open(app, door);
    for (const chunked of [false, true]) {
      for (const path of ['/files', '/parts']) {
        const { status, text } = await ask(path, { method: 'POST', headers, body, chunked });
        expect(`${status} ${text}`).toBe(answer);
        expect(spooled()).toEqual([]);
      }
    }
    expect(codes).toHaveLength(4);
  });

  it('keeps its files to this user, under names that nobody has chosen', async () => {
    const { app } = uploads({}, (app) => {
      app.post('/modes', multipart({ dir }), (req, res) => {
        const { path } = req.files[0]!;
        const modes = [path, dirname(path)].map((path) => (statSync(path).mode & 0o777).toString(8));
        res.json([modes, dirname(dirname(path)) === dir, /jpg|photo/.test(path)]);
      });
    });
    const ask = await open(app, door);
    const { text } = await ask('/modes', { method: 'POST', headers, body: mixed });
    expect(text).toBe('[["600","700"],true,false]');
  });

  it('removes its files however the answer ends, but for those that were moved', async () => {
    const target = temporaryFolder();
    const endings: Record<string, (req: Request, res: ServerResponse) => unknown> = {
      end: (_req, res) => res.end('x'),
      throw: () => Promise.reject(new Error('thrown')),
      break: (_req, res) => res.write('x') && res.destroy(),
      moveTo: async (req, res) => {
        await req.files[0]!.moveTo(join(target, 'moved'));
        res.end('x');
      },
      rename: async (req, res) => {
        await rename(req.files[0]!.path, join(target, 'renamed'));
        res.end('x');
      },
    };
    let there = 0;
    const { app } = uploads({}, (app) => {
      app.post('/:ending', multipart({ dir }), (req, res) => {
        there += req.files.filter(({ path }) => existsSync(path)).length;
        return endings[req.params.ending]!(req, res);
      });
    });
    const ask = await open(app, door);
    for (const ending of Object.keys(endings)) {
      await ask(`/${ending}`, { method: 'POST', headers, body: mixed }).catch(() => {});
      await gone();
    }
    expect(there).toBe(2 * Object.keys(endings).length);
    expect(readdirSync(target).sort()).toEqual(['moved', 'renamed']);
    rmSync(target, { recursive: true });
  });

  it('calls nobody, and leaves no file, where something else has answered before the form was there', async () => {
    const all = uploads();
    const { app } = all;
    const early = createApp({ env: 'test' });
    let answered: Promise<unknown> | undefined;
    early.use((req, res, next) => {
      // In the middle of the file.
      req.on('progress', ({ loaded }) => {
        if (loaded < 100_000 || answered) return;
        answered = once(res, 'close');
        res.status(503).send('too late');
      });
      next();
    });
    early.use(app);
    const ask = await open(early, door);
    // FastCGI's client sees the answer while it sends.
    const answer = await ask('/files', { method: 'POST', headers, body: mixed }).catch(
      () => ({ status: 503 }) as TestAnswer,
    );
    expect(answer.status).toBe(503);
    await answered;
    await gone();
    expect([all.handled, all.codes]).toEqual([0, []]);
  });

  it('calls nobody, and leaves no file, where the response has closed before it is asked', async () => {
    const all = uploads();
    const late = createApp({ env: 'test' });
    let passedOn: Promise<void> | undefined;
    late.use(async (_req, res, next) => {
      res.end('answered');
      await once(res, 'close');
      passedOn = Promise.resolve(next());
    });
    late.use(all.app);
    const ask = await open(late, door);
    expect((await ask('/files', { method: 'POST', headers, body: mixed })).text).toBe('answered');
    await eventually(() => expect(passedOn).toBeDefined());
    await gone();
    expect([all.handled, all.codes]).toEqual([0, []]);
  });

  it('fails with what the file system says, and leaves nothing', async () => {
    const options: MultipartOptions = { dir: temporaryFolder() };
    const { app, codes } = uploads(options);
    rmSync(options.dir!, { recursive: true });
    const ask = await open(app, door);
    expect((await ask('/files', { method: 'POST', headers, body: mixed })).status).toBe(500);
    expect(codes).toEqual(['ENOENT']);
  });

  it('says so where others have read the form', async () => {
    const { app } = uploads();
    const eager = createApp({ env: 'test' });
    eager.use(async (req, _res, next) => {
      await req.bytes();
      next();
    });
    eager.use(app);
    const ask = await open(eager, door);
    for (const path of ['/files', '/parts']) {
      expect((await ask(path, { method: 'POST', headers, body: mixed })).text).toBe('FCGI_ERR_BODY_USED');
    }
  });

  it('takes limits where parts are asked for, over those where it is mounted', async () => {
    const limits = { files: 1, fieldNameSize: 5 };
    const { app } = uploads({}, (app) => {
      app.post('/own', multipart({ stream: true, limits }), async (req, res) => {
        for await (const _part of req.parts({ files: 5 }));
        res.send('taken');
      });
    });
    const ask = await open(app, door);
    const send = async (body: Buffer) => (await ask('/own', { method: 'POST', headers, body })).text;
    const file = part('f', 'x', { filename: 'f' });
    expect(await send(form(file, file))).toBe('taken');
    expect(await send(form(part('longer', 'x')))).toBe('FCGI_ERR_BODY_TOO_LARGE');
  });

  it('leaves no file, socket or memory behind of 300 uploads that were given up', { timeout: 60_000 }, async () => {
    const all = uploads();
    const { start, connections } = await rawDoor(name, all.app);
    const random = seeded(5);
    const bodies = form(part('a', 'x'), part('f', large, { filename: 'f' }), part('g', large, { filename: 'g' }));
    const giveUp = async (count: number) => {
      const before = all.closed;
      for (let round = 0; round < count; round++) {
        const { socket, send } = await start(round % 3 ? '/files' : '/parts', bodies.length);
        for (const piece of cut(bodies.subarray(0, random(bodies.length - 1)), () => 1 + random(100_000))) {
          send(piece);
        }
        // Half of them while the application reads, half before.
        if (round % 2) await new Promise(setImmediate);
        if (round % 5) socket.destroy();
        else socket.resetAndDestroy();
      }
      // What was reset before it was read has never been a request.
      await eventually(async () => expect(await connections()).toBe(0));
      expect(all.closed - before).toBeGreaterThan(count / 4);
      await gone();
    };
    await giveUp(50);
    const memory = held();
    await giveUp(300);
    // One collection does not find everything.
    await eventually(() => expect(held() - memory).toBeLessThan(4 * 1024 * 1024));
    // Who reads parts is told, and nobody else.
    expect(new Set(all.codes)).toEqual(new Set(['ECONNRESET']));
    expect(all.handled).toBe(0);
  });
});

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

function held(): number {
  gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Begins requests whose bodies are sent by hand, and tells how many connections the server has. */
async function rawDoor(name: string, app: Application) {
  const overFastcgi = name === 'FastCGI';
  const server = overFastcgi
    ? await door.open(app)
    : http.createServer({ IncomingMessage: Request, ServerResponse: Response }, app);
  if (!overFastcgi) await listen(server);
  const { port } = server.address() as AddressInfo;
  return {
    connections: () => new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count))),
    async start(path: string, length: number): Promise<{ socket: Socket; send(bytes: Buffer): void }> {
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      socket.on('error', () => {});
      const params = { REQUEST_METHOD: 'POST', REQUEST_URI: path, CONTENT_TYPE: TYPE, CONTENT_LENGTH: `${length}` };
      socket.write(
        overFastcgi
          ? encodeRequest({ params: Object.entries(params) }).subarray(0, -8)
          : `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: ${TYPE}\r\nContent-Length: ${length}\r\n\r\n`,
      );
      return {
        socket,
        send: (bytes) => {
          for (const chunk of overFastcgi ? encodeStream(FCGI_STDIN, 1, bytes) : [bytes]) socket.write(chunk);
        },
      };
    },
  };
}

describe('multipart', () => {
  it.each([
    { dir: '/none' },
    { dir: import.meta.filename },
    { limits: { files: -1 } },
    { limits: { file: 1 } as object },
  ])('refuses the options %o', (options) => {
    expect(() => multipart(options)).toThrow(expect.objectContaining({ code: 'FCGI_ERR_OPTION' }));
  });
});
