import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';
import { requestFlags as flagsOf } from './flags.ts';
import { same } from './row.ts';
import { inPieces, LARGE, PIECES } from './scripts.ts';

same(
  'req.readable, readableFlowing, readableEnded, complete, destroyed, closed of a GET, step by step',
  {},
  (req, res, { note }) => {
    note('at once', flagsOf(req));
    setImmediate(() => {
      note('later', flagsOf(req));
      req.on('end', () => note("in 'end'", flagsOf(req)));
      req.on('close', () => {
        note("in 'close'", flagsOf(req));
        res.end();
      });
      res.on('close', () => note('answered', flagsOf(req)));
      req.resume();
    });
  },
);

same(
  'req.readable, readableFlowing, readableEnded, complete, destroyed, closed of a POST, step by step',
  PIECES,
  (req, res, { note }) => {
    note('at once', flagsOf(req));
    req.setEncoding('utf8').on('data', (piece) => {
      note(piece);
      note(flagsOf(req));
    });
    req.on('end', () => note("in 'end'", flagsOf(req)));
    req.on('close', () => {
      note("in 'close'", flagsOf(req));
      res.end();
    });
    res.on('close', () => note('answered', flagsOf(req)));
  },
  inPieces,
);

same(
  'req.readable, readableEnded, complete, destroyed, closed of a body that nobody reads',
  { body: 'unread' },
  (req, res, { note }) => {
    setImmediate(() => {
      note('before', flagsOf(req));
      res.end();
      note('ended', flagsOf(req));
    });
    res.on('finish', () => note("in the answer's 'finish'", flagsOf(req).slice(1)));
    res.on('close', () => setImmediate(() => note('answered', flagsOf(req))));
  },
  async (visitor, { noted }, ask) => {
    const answer = await visitor.ask(ask).answer();
    await noted;
    return answer;
  },
);

same(
  "req 'data', 'end', 'close'",
  PIECES,
  (req, res, { note, watch }) => {
    watch('req', req, 'aborted', 'end', 'close', 'error', 'pause', 'resume');
    req.on('data', (piece) => note(piece.toString()));
    req.on('end', () => res.end());
  },
  inPieces,
);

same(
  "req 'end' of a GET whose listener comes late",
  {},
  (req, res, { watch }) => {
    setTimeout(() => {
      watch('req', req, 'end', 'close');
      req.resume();
      res.end();
    }, 5);
  },
  async (visitor, { noted }) => {
    const answer = await visitor.ask().answer();
    await noted('req close');
    return answer;
  },
);

same(
  "req 'readable', read(n), unshift",
  PIECES,
  (req, res, { note }) => {
    note(req.read());
    let first = true;
    req.on('readable', () => {
      if (first) {
        first = false;
        note(req.read(1)?.toString(), req.readableLength);
        req.unshift('X');
        note(req.read(2)?.toString(), req.read(5), req.read(1)?.toString());
        note('abc');
        return;
      }
      note(req.read()?.toString() ?? null);
    });
    req.on('end', () => res.end());
  },
  inPieces,
);

same(
  'req.setEncoding',
  { length: 4 },
  (req, res, { note, attempt }) => {
    attempt(() => req.setEncoding('utf8') === req);
    attempt(() => req.setEncoding('no such' as BufferEncoding));
    note(req.readableEncoding);
    req.on('data', (piece) => note(piece));
    req.on('end', () => res.end());
  },
  async (visitor, { noted }, ask) => {
    visitor.ask(ask).write(Buffer.from([0x61, 0xe2]));
    await noted('a');
    return visitor.write(Buffer.from([0x82, 0xac])).answer();
  },
);

same(
  'req.pause, resume, isPaused',
  PIECES,
  (req, res, { note }) => {
    req.on('data', (piece) => {
      note(piece.toString());
      req.pause();
      note(req.isPaused(), req.readableFlowing);
      setImmediate(() => {
        note(req.resume() === req, req.isPaused(), req.readableFlowing);
      });
    });
    req.on('end', () => res.end());
  },
  inPieces,
);

same(
  'req.pipe, unpipe, resume',
  PIECES,
  (req, res, { note }) => {
    const sink = new PassThrough().setEncoding('utf8');
    sink.on('unpipe', (source) => note('unpipe', source === req));
    sink.on('pipe', (source) => note('pipe', source === req));
    sink.once('data', (piece) => {
      note(req.unpipe(sink) === req, req.readableFlowing);
      note(piece);
      req.resume().on('end', () => {
        note('end', sink.writableEnded);
        res.end();
      });
    });
    req.pipe(sink);
  },
  inPieces,
);

same(
  'req.pipe(res)',
  PIECES,
  (req, res, { note, watch }) => {
    watch('res', res, 'pipe', 'unpipe', 'prefinish', 'finish', 'close');
    req.once('data', (piece) => note(piece.toString()));
    res.on('pipe', (source) => note(source === req));
    req.pipe(res);
  },
  inPieces,
);

same(
  'two readers of req',
  PIECES,
  async (req, res, { note }) => {
    const [one, two] = [new PassThrough(), new PassThrough()];
    req.once('data', (piece) => note(piece.toString()));
    req.pipe(one);
    req.pipe(two);
    note(await Promise.all([text(one), text(two)]));
    res.end();
  },
  inPieces,
);

// The answer leaves when all that came with the request has been looked at; so 'finish' is a moment later.
same(
  'a body read after the answer',
  { body: 'late' },
  (req, res, { note }) => {
    const [ofReq, ofRes]: [string[], string[]] = [[], []];
    for (const event of ['aborted', 'end', 'close', 'error']) req.on(event, () => ofReq.push(event));
    for (const event of ['finish', 'close']) res.on(event, () => ofRes.push(event));
    res.end('x');
    req.on('data', (piece) => ofReq.push(piece.toString()));
    req.on('close', () => setImmediate(() => note(ofReq, ofRes)));
  },
  async (visitor, { notes }, ask) => {
    const answer = await visitor.ask(ask).answer();
    await expect.poll(() => notes.length).toBe(1);
    return answer;
  },
);

same(
  'a body that is not read holds its sender back',
  { length: LARGE },
  (req, res, { note }) => {
    setTimeout(() => {
      note(req.readableLength < LARGE / 4, req.complete);
      let got = 0;
      req.on('data', (piece) => {
        got += piece.length;
      });
      req.on('end', () => {
        note(got);
        res.end();
      });
    }, 50);
  },
  (visitor, _scene, ask) => visitor.ask(ask).write(Buffer.alloc(LARGE)).answer(),
);

same('a POST of no bytes', { body: '' }, (req, res, { note, watch }) => {
  watch('req', req, 'data', 'end', 'close');
  note(req.headers['content-length'], req.complete, flagsOf(req)[0]);
  req.resume().on('end', () => {
    note(flagsOf(req));
    res.end();
  });
});

same('a GET with a body', { method: 'GET', body: 'body' }, (req, res, { note }) => {
  req.setEncoding('utf8').on('data', note);
  req.on('end', () => res.end(req.method));
});

same('req.readableHighWaterMark, readableObjectMode, readableEncoding', {}, (req, res, { note }) => {
  note(req.readableHighWaterMark, req.readableObjectMode, req.readableEncoding);
  res.end();
});
