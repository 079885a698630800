import { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { finished, pipeline } from 'node:stream/promises';
import { requestFlags as flagsOf } from './flags.ts';
import { type Act, same } from './row.ts';
import { inPieces, PIECES } from './scripts.ts';

same(
  'for await (const piece of req)',
  PIECES,
  async (req, res, { note, watch }) => {
    watch('req', req, 'aborted', 'end', 'close', 'error');
    for await (const piece of req) note(piece.toString());
    note(flagsOf(req));
    res.end();
  },
  inPieces,
);

const breakOut: Act = async (req, res, { note, watch }) => {
  watch('req', req, 'aborted', 'end', 'close', 'error');
  watch('res', res, 'finish', 'close', 'error');
  for await (const piece of req) {
    note(piece.toString());
    break;
  }
  note(req.destroyed, req.aborted, req.socket, res.destroyed, res.socket?.destroyed);
  res.end('an answer all the same');
};

same('break out of for await (const piece of req)', PIECES, breakOut, async (visitor, { noted }, ask) => {
  const answer = visitor.ask(ask).write('abc').answer();
  await noted('res close');
  return answer;
});

same('break out of for await, the body complete', { body: 'abc' }, breakOut, async (visitor, { noted }, ask) => {
  const answer = visitor.ask(ask).answer();
  await noted('res close');
  return answer;
});

same(
  'req.iterator({ destroyOnReturn: false })',
  PIECES,
  async (req, res, { note }) => {
    for await (const piece of req.iterator({ destroyOnReturn: false })) {
      note(piece.toString());
      break;
    }
    note(req.destroyed, await text(req));
    res.end('kept');
  },
  inPieces,
);

same(
  'pipeline(req, …)',
  PIECES,
  async (req, res, { note }) => {
    const got: string[] = [];
    const sink = new Writable({
      write(piece, _encoding, done) {
        note(piece.toString());
        got.push(piece);
        done();
      },
    });
    await pipeline(req, sink);
    note(flagsOf(req), sink.writableFinished);
    res.end(got.join(''));
  },
  inPieces,
);

same(
  'pipeline(req, transform, res)',
  PIECES,
  async (req, res, { note, watch }) => {
    watch('res', res, 'pipe', 'unpipe', 'finish', 'close', 'error');
    const loud = async function* (pieces: AsyncIterable<Buffer>) {
      for await (const piece of pieces) {
        note(piece.toString());
        yield piece.toString().toUpperCase();
      }
    };
    await pipeline(req, loud, res);
    note('done', flagsOf(req));
  },
  inPieces,
);

same(
  'pipeline(req, …) that fails',
  PIECES,
  async (req, res, { note, watch }) => {
    watch('req', req, 'aborted', 'end', 'close', 'error');
    watch('res', res, 'finish', 'close', 'error');
    const sink = new Writable({ write: (_piece, _encoding, done) => done(new Error('no room')) });
    await pipeline(req, sink).catch(note);
    note(flagsOf(req)[0]);
    res.writeHead(507).end('no room');
  },
  async (visitor, { noted }, ask) => {
    const answer = visitor.ask(ask).write('abc').answer();
    await noted('res close');
    return answer;
  },
);

same(
  'finished(req)',
  PIECES,
  async (req, res, { note }) => {
    req.on('data', (piece) => note(piece.toString()));
    await finished(req);
    note(flagsOf(req));
    await finished(req);
    res.end();
  },
  inPieces,
);

same(
  'Readable.toWeb(req)',
  PIECES,
  async (req, res, { note }) => {
    const reader = Readable.toWeb(req).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      note(Buffer.from(value).toString());
    }
    note(flagsOf(req));
    res.end();
  },
  inPieces,
);

same(
  'Readable.toWeb(req) that is cancelled',
  PIECES,
  async (req, res, { note, watch }) => {
    watch('req', req, 'aborted', 'end', 'close', 'error');
    watch('res', res, 'finish', 'close', 'error');
    const reader = Readable.toWeb(req).getReader();
    const { value } = await reader.read();
    note(Buffer.from(value).toString());
    await reader.cancel(new Error('enough')).catch(note);
    res.end('an answer all the same');
  },
  async (visitor, { noted }, ask) => {
    const answer = visitor.ask(ask).write('abc').answer();
    await noted('res close');
    return answer;
  },
);

same('req.map, toArray and the other helpers', { body: 'abc' }, async (req, res, { note }) => {
  note(await req.map((piece) => piece.toString().toUpperCase()).toArray());
  res.end();
});

same(
  'req[Symbol.asyncDispose]',
  PIECES,
  async (req, _res, { note, watch }) => {
    watch('req', req, 'aborted', 'end', 'close', 'error');
    await req[Symbol.asyncDispose]();
    note('disposed', req.destroyed);
  },
  async (visitor, { noted }, ask) => {
    const answer = visitor.ask(ask).write('abc').answer();
    await noted(['disposed', true]);
    return answer;
  },
);
