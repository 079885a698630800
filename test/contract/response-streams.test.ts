import { PassThrough, Readable, Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { responseFlags as flagsOf } from './flags.ts';
import { same } from './row.ts';
import { LARGE, until } from './scripts.ts';

const EVENTS = ['prefinish', 'finish', 'close', 'drain', 'pipe', 'unpipe', 'error'];

same(
  'a stream piped to res waits for the client',
  {},
  (_req, res, { note, watch }) => {
    watch('res', res, 'pipe', 'unpipe', 'finish', 'close', 'error');
    let left = LARGE / 65536;
    const source = new Readable({
      read() {
        this.push(left-- > 0 ? Buffer.alloc(65536) : null);
      },
    });
    source.pipe(res);
    setTimeout(() => note(left > 0 ? 'full' : 'all taken'), 50);
  },
  async (visitor, { noted }) => {
    visitor.pause();
    visitor.ask();
    await noted('full');
    visitor.resume();
    const { body, whole } = await visitor.answer();
    await noted('res close');
    return { length: body.length, whole };
  },
);

same(
  'finished(res), and of one that is finished',
  {},
  async (_req, res, { note }) => {
    res.end('x');
    await finished(res);
    note(flagsOf(res));
    await finished(res);
    note('again');
  },
  until('again'),
);

same(
  'pipeline(…, res)',
  {},
  async (_req, res, { note, watch }) => {
    watch('res', res, ...EVENTS);
    await pipeline(Readable.from(['a', 'b']), new PassThrough(), res);
    note('done');
  },
  until('done'),
);

same(
  'pipeline(…, res) of a source that fails',
  {},
  async (_req, res, { note, watch }) => {
    watch('res', res, ...EVENTS);
    const failing = async function* () {
      yield 'a';
      throw new Error('lost');
    };
    await pipeline(failing, res).catch(note);
    note('done', flagsOf(res));
  },
  until('res close'),
);

same(
  'Writable.toWeb(res)',
  {},
  async (_req, res, { note }) => {
    const writer = Writable.toWeb(res).getWriter();
    await writer.write('a');
    await writer.write(Buffer.from('b'));
    await writer.close();
    note(flagsOf(res));
  },
  async (visitor, { notes }) => {
    const answer = await visitor.ask().answer();
    while (notes.length === 0) await new Promise(setImmediate);
    return answer;
  },
);

same('res.pipe', {}, (_req, res, { note, attempt }) => {
  res.on('error', note);
  attempt(() => res.pipe(new PassThrough()));
  res.end('x');
});
