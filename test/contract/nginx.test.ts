import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startNginx } from '../servers/nginx.ts';
import { describeWith, type Program, temporaryFolder } from '../servers/program.ts';
import { behind } from './doors.ts';
import { type Act, type Difference, playOf, type Script, tellBehind } from './row.ts';
import type { Ask } from './visitor.ts';

let folder: string;
let nginx: { port: number; program: Program } | undefined;
const socket = () => join(folder, 'app.sock');
const door = behind(
  'FastCGI behind nginx',
  () => nginx!.port,
  () => socket(),
);

/** The rows whose other side is a web server's business as much as ours. */
function sameBehind(name: string, ask: Ask, act: Act, script?: Script): void {
  test(name, async () => {
    const { plain, behind } = await tellBehind(door, playOf(ask, act, script));
    expect(behind).toEqual(plain);
  });
}

function differsBehind(name: string, { http, fastcgi }: Difference, ask: Ask, act: Act, script?: Script): void {
  test(name, async () => {
    const { plain, behind } = await tellBehind(door, playOf(ask, act, script));
    expect(plain).toMatchObject(http);
    expect(behind).toMatchObject(fastcgi);
  });
}

const watched =
  (act: Act): Act =>
  (req, res, scene) => {
    scene.watch('req', req, 'aborted', 'end', 'close', 'error');
    scene.watch('res', res, 'finish', 'close', 'error');
    return act(req, res, scene);
  };

describeWith('nginx', 'behind nginx', () => {
  beforeAll(async () => {
    folder = temporaryFolder();
    nginx = await startNginx({ path: socket() }, { keepAlive: true });
  });
  afterAll(async () => {
    await nginx?.program.stop();
    rmSync(folder, { recursive: true });
  });

  sameBehind('behind nginx: a whole answer', { body: 'body' }, (req, res, { note }) => {
    res.setHeader('Set-Cookie', ['a=1', 'b=2']);
    res.setHeader('X-A', '1');
    req.setEncoding('utf8').on('data', note);
    req.on('end', () => res.writeHead(201, 'Made').end('answer'));
  });

  sameBehind('behind nginx: HEAD', { method: 'HEAD' }, (_req, res) => res.end('not sent'));

  sameBehind('behind nginx: 204', {}, (_req, res) => res.writeHead(204).end());

  sameBehind('behind nginx: 304', {}, (_req, res) => res.writeHead(304, { ETag: '"a"' }).end());

  sameBehind(
    'behind nginx: a streamed answer',
    {},
    (_req, res) => {
      res.setHeader('X-Accel-Buffering', 'no');
      res.write('one');
      more = (text) => (text === '' ? res.end() : res.write(text));
    },
    async (visitor) => {
      visitor.ask();
      await visitor.until('one');
      more('two');
      await visitor.until('two');
      more('');
      const { headers, ...answer } = await visitor.answer();
      // It is for nginx, which takes it out.
      return { ...answer, headers: headers.filter((line) => !line.startsWith('X-Accel')) };
    },
  );
  let more: (text: string) => unknown = () => {};

  sameBehind('behind nginx: 1xx and trailers go nowhere, and harm nothing', {}, (_req, res) => {
    res.writeProcessing();
    res.writeEarlyHints({ link: '</a.css>; rel=preload' });
    res.write('body');
    res.addTrailers({ 'X-Sum': '1' });
    res.end();
  });

  sameBehind(
    'behind nginx: Expect: 100-continue',
    { length: 4, headers: [['Expect', '100-continue']] },
    (req, res, { note }) => {
      req.setEncoding('utf8').on('data', note);
      req.on('end', () => res.end('read'));
    },
    (visitor, _scene, ask) => visitor.ask(ask).write('body').answer(),
  );

  sameBehind(
    'behind nginx: the client leaves before the answer',
    {},
    watched((_req, _res, { note }) => note('asked')),
    async (visitor, { noted }) => {
      visitor.ask();
      await noted('asked');
      visitor.leave();
      await noted('req close');
    },
  );

  sameBehind(
    'behind nginx: the client leaves in the middle of the answer',
    {},
    watched((_req, res) => {
      res.setHeader('X-Accel-Buffering', 'no');
      res.write('x');
    }),
    async (visitor, { noted }) => {
      visitor.ask();
      await visitor.until('x');
      visitor.leave();
      await noted('req close');
    },
  );

  sameBehind(
    'behind nginx: res.destroy() in the middle of the answer',
    {},
    watched((_req, res) => {
      res.setHeader('X-Accel-Buffering', 'no');
      res.write('x');
      setTimeout(() => res.destroy(), 5);
    }),
    async (visitor, { noted }) => {
      const { headers, ...answer } = await visitor.ask().answer();
      await noted('req close');
      return answer;
    },
  );

  sameBehind(
    'behind nginx: res.destroy() a tick after the head',
    {},
    watched((_req, res) => {
      res.setHeader('X-Accel-Buffering', 'no');
      res.write('x');
      process.nextTick(() => res.destroy());
    }),
    async (visitor, { noted }) => {
      const { headers, ...answer } = await visitor.ask().answer();
      await noted('req close');
      return answer;
    },
  );

  differsBehind(
    'behind nginx: res.destroy() before the head',
    { http: { answer: { status: 0, whole: false } }, fastcgi: { answer: { status: 502, whole: true } } },
    {},
    watched((_req, res) => res.destroy()),
    async (visitor, { noted }) => {
      const answer = await visitor.ask().answer();
      await noted('req close');
      return answer;
    },
  );

  differsBehind(
    'behind nginx: a chunked body',
    { http: { notes: [['chunked', 'undefined']] }, fastcgi: { notes: [['undefined', '8']] } },
    { chunked: true },
    (req, res, { note }) => {
      note(req.headers['transfer-encoding'], req.headers['content-length']);
      req.pipe(res);
    },
    (visitor, _scene, ask) => visitor.ask(ask).write('body').write('body').end().answer(),
  );

  differsBehind(
    "behind nginx: two requests on the client's connection",
    { http: { notes: [true, true] }, fastcgi: { notes: [true, false] } },
    {},
    (req, res, { notes, note }) => {
      note(notes.length === 0 || first === req.socket);
      first = req.socket;
      res.end('x');
    },
    async (visitor) => {
      await visitor.ask().answer();
      return visitor.ask().answer();
    },
  );
  let first: unknown;
});
