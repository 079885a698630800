import { responseFlags as flagsOf } from './flags.ts';
import { same } from './row.ts';
import { LARGE, until } from './scripts.ts';

const EVENTS = ['prefinish', 'finish', 'close', 'drain', 'pipe', 'unpipe', 'error'];

same(
  'res.headersSent, finished, writable, writableEnded, writableFinished, destroyed, closed, step by step',
  {},
  (_req, res, { note }) => {
    note('before', flagsOf(res));
    res.write('x', () => note('in the callback of write', flagsOf(res)));
    note('written', flagsOf(res));
    res.on('finish', () => note("in 'finish'", flagsOf(res)));
    res.on('close', () => note("in 'close'", flagsOf(res)));
    setImmediate(() => {
      note('later', flagsOf(res));
      res.end('y', () => note('in the callback of end', flagsOf(res)));
      note('ended', { ...(flagsOf(res) as object), writableFinished: undefined });
      setImmediate(() => note('at last'));
    });
  },
  until('at last'),
);

same('res.writableHighWaterMark, writableLength', {}, (req, res, { note }) => {
  note(res.writableHighWaterMark === req.socket.writableHighWaterMark, res.writableHighWaterMark);
  note(res.writableLength);
  res.write('x'.repeat(1000));
  note(res.writableLength >= 1000);
  setImmediate(() => {
    note(res.writableLength);
    res.end();
  });
});

same(
  'res.write: what it gives and when it calls back',
  {},
  (_req, res, { note, watch }) => {
    watch('res', res, ...EVENTS);
    note(res.write('a', (error) => note('a', error ?? null)));
    note(res.write('b', 'latin1', (error) => note('b', error ?? null)));
    note(res.write(Buffer.from('c'), (error) => note('c', error ?? null)));
    note(res.write(new Uint8Array([0x64])));
    note(res.write(''));
    note(res.write('', (error) => note('empty', error ?? null)));
    process.nextTick(() => note('next tick'));
    setImmediate(() => res.end('e', () => note('end')));
  },
  until('res close'),
);

same('res.write in every encoding', {}, (_req, res) => {
  res.write('é', 'utf8');
  res.write('é', 'utf-8' as BufferEncoding);
  res.write('é', 'latin1');
  res.write('é', 'binary');
  res.write('ab', 'ascii');
  res.write('616263', 'hex');
  res.write('YWJj', 'base64');
  res.write('YWJj', 'base64url');
  res.write('ab', 'utf16le');
  res.end('ab', 'ucs2');
});

same('res.write of a first piece in another encoding', {}, (_req, res) => {
  res.write('616263', 'hex');
  res.end('é', 'latin1');
});

same('res.write of what is no text and no bytes', {}, (_req, res, { attempt }) => {
  for (const chunk of [null, undefined, 1, true, {}, ['a'], new Uint16Array(2), new ArrayBuffer(2)]) {
    attempt(() => res.write(chunk));
  }
  for (const chunk of [1, true, {}, ['a']]) attempt(() => res.end(chunk));
  attempt(() => res.headersSent);
  res.end('none of them');
});

same('res.write in an encoding that there is not', {}, (_req, res, { attempt }) => {
  res.write('x');
  setImmediate(() => {
    attempt(() => res.write('y', 'no such' as BufferEncoding));
    res.destroy();
  });
});

same(
  'res.write, step by step',
  {},
  (_req, res) => {
    res.write('one');
    more = (text) => (text === '' ? res.end() : res.write(text));
  },
  async (visitor) => {
    visitor.ask();
    for (const [seen, next] of [
      ['one', 'two'],
      ['two', 'three'],
      ['three', ''],
    ] as const) {
      await visitor.until(seen);
      more(next);
    }
    return visitor.answer();
  },
);
let more: (text: string) => unknown = () => {};

same(
  "res.write gives false, and 'drain' comes, and writableNeedDrain says so between",
  {},
  (_req, res, { note }) => {
    const piece = 'x'.repeat(100_000);
    note(
      res.write(piece, () => note('called back')),
      res.writableNeedDrain,
    );
    note(res.write('y'), res.writableNeedDrain);
    res.on('drain', () => {
      note('drain', res.writableNeedDrain, res.writableLength);
      res.end();
    });
  },
  async (visitor) => {
    const { body, ...head } = await visitor.ask().answer();
    return { ...head, length: body.length };
  },
);

same(
  "'drain' of a client that reads nothing for a while",
  {},
  (_req, res, { note }) => {
    note(res.write(Buffer.alloc(LARGE)));
    setImmediate(() => note(res.writableNeedDrain, res.writableLength > 0));
    setTimeout(() => note('full'), 20);
    res.on('drain', () => {
      note('drain', res.writableNeedDrain, res.writableLength);
      res.end('end');
    });
  },
  async (visitor, { noted }) => {
    visitor.pause();
    visitor.ask();
    await noted('full');
    visitor.resume();
    const { body, whole } = await visitor.answer();
    return { length: body.length, whole };
  },
);

same('res.cork, uncork, writableCorked', {}, (_req, res, { note }) => {
  note(res.writableCorked);
  res.cork();
  res.cork();
  note(res.writableCorked);
  res.write('a', () => note('a written'));
  setImmediate(() => {
    note('still corked', res.writableCorked);
    res.uncork();
    note(res.writableCorked);
    res.write('b', () => note('b written'));
    res.uncork();
    note(res.writableCorked);
    setImmediate(() => res.end('c'));
  });
});

same('res.end while it is corked', {}, (_req, res, { note }) => {
  // Of unknown length it breaks off on Node 22 and 24.
  res.setHeader('Content-Length', 2);
  res.cork();
  res.cork();
  res.write('a');
  res.end('b', () => note('ended'));
  note(res.writableCorked);
});
