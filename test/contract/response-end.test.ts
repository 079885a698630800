import { type Act, differs, later, same } from './row.ts';
import { until } from './scripts.ts';

const EVENTS = ['prefinish', 'finish', 'close', 'drain', 'pipe', 'unpipe', 'error'];

same(
  'res.end()',
  {},
  (_req, res, { note, watch }) => {
    watch('res', res, ...EVENTS);
    note(res.end() === res);
  },
  until('res close'),
);

same(
  'res.end(callback)',
  {},
  (_req, res, { note, watch }) => {
    watch('res', res, ...EVENTS);
    note(res.end(() => note('called back')) === res);
  },
  until('res close'),
);

same(
  'res.end(data)',
  {},
  (_req, res, { note, watch }) => {
    watch('res', res, ...EVENTS);
    note(res.end('x') === res);
  },
  until('res close'),
);

same(
  'res.end(data, callback)',
  {},
  (_req, res, { note, watch }) => {
    watch('res', res, ...EVENTS);
    note(res.end(Buffer.from('x'), () => note('called back')) === res);
  },
  until('res close'),
);

same(
  'res.end(data, encoding)',
  {},
  (_req, res, { note, watch }) => {
    watch('res', res, ...EVENTS);
    note(res.end('é', 'latin1') === res);
  },
  until('res close'),
);

same(
  'res.end(data, encoding, callback)',
  {},
  (_req, res, { note, watch }) => {
    watch('res', res, ...EVENTS);
    note(res.end('eHg=', 'base64', () => note('called back')) === res);
  },
  until('res close'),
);

same(
  "res.end('')",
  {},
  (_req, res, { note, watch }) => {
    watch('res', res, ...EVENTS);
    note(res.end('') === res);
  },
  until('res close'),
);

same(
  'res.end after write',
  {},
  later((_req, res, { note, watch }) => {
    watch('res', res, ...EVENTS);
    res.write('a', () => note('written'));
    res.end('b', () => note('ended'));
    process.nextTick(() => note('next tick'));
    setImmediate(() => note('next turn'));
  }),
  until('res close'),
);

same(
  'res.end twice',
  {},
  (_req, res, { note, watch }) => {
    watch('res', res, ...EVENTS);
    res.end('x', () => note('first'));
    note(res.end((error?: Error) => note('second', error)) === res);
    note(res.end() === res);
    res.on('close', () => res.end((error?: Error) => note('third', error)));
  },
  until('res close'),
);

same(
  'res.end(data) after res.end',
  {},
  later((_req, res, { note, watch }) => {
    watch('res', res, ...EVENTS);
    res.end('x');
    note(res.end('y', (error?: Error) => note('called back', error)) === res);
  }),
  until('res close'),
);

same(
  'res.write after res.end',
  {},
  later((_req, res, { note, watch }) => {
    watch('res', res, ...EVENTS);
    res.end('x');
    note(res.write('y', (error) => note('called back', error)));
    res.on('close', () => note(res.write('z', (error) => note('at last', error))));
  }),
  until('res close'),
);

same(
  'res.write after res.destroy',
  {},
  (_req, res, { note, watch }) => {
    watch('res', res, ...EVENTS);
    note(res.destroy() === res, res.destroyed);
    note(res.write('y', (error) => note('called back', error)));
    note(res.end('z', (error?: Error) => note('ended', error)) === res);
    setTimeout(() => note('at last'), 5);
  },
  until('at last'),
);

same(
  'the callbacks of what has not left when res is destroyed',
  {},
  (_req, res, { note, watch }) => {
    watch('res', res, ...EVENTS);
    res.write('x', (error) => note('called back', error));
    res.destroy();
    setTimeout(() => note('at last'), 5);
  },
  until('at last'),
);

same(
  'the order of a whole answer',
  { body: 'abc' },
  later((req, res, { note, watch }) => {
    watch('res', res, ...EVENTS);
    watch('req', req, 'end', 'close');
    process.nextTick(() => note('tick of the listener'));
    req.resume();
    res.writeHead(200);
    res.write('a', () => note('a written'));
    res.write('b', () => note('b written'));
    req.on('end', () => res.end('c', () => note('ended')));
  }),
  async (visitor, { noted }, ask) => {
    const answer = await visitor.ask(ask).answer();
    await noted('res close');
    return answer;
  },
);

const tooMuch: Act = (_req, res, { attempt }) => {
  res.strictContentLength = true;
  res.setHeader('Content-Length', 4);
  attempt(() => res.write('ab'));
  attempt(() => res.write('abc'));
  attempt(() => res.end());
  attempt(() => res.end('cde'));
  attempt(() => res.end('cd') === res);
};

same('res.strictContentLength', {}, tooMuch);

differs(
  "'finish' and callbacks of what is written in the turn in which the request came",
  {
    http: { notes: ['written', 'finish', 'tick of the listener'] },
    fastcgi: { notes: ['tick of the listener', 'written', 'finish'] },
  },
  {},
  (_req, res, { note }) => {
    res.on('finish', () => note('finish'));
    res.write('a', () => note('written'));
    res.end('b');
    process.nextTick(() => note('tick of the listener'));
  },
);

differs(
  'a body longer than its Content-Length',
  { http: { answer: { body: 'abcdef' } }, fastcgi: { answer: { body: 'abc', whole: true } } },
  {},
  (_req, res) => {
    res.writeHead(200, { 'Content-Length': 3 });
    res.end('abcdef');
  },
);

differs(
  'a body shorter than its Content-Length',
  {
    http: { notes: ['res finish', 'res close'], answer: 'still waiting' },
    fastcgi: { notes: ['res close'], answer: { status: 200, body: 'abc', whole: false } },
  },
  {},
  (_req, res, { watch }) => {
    watch('res', res, 'finish', 'close');
    res.writeHead(200, { 'Content-Length': 9 });
    res.end('abc');
  },
  async (visitor, { noted, overHttp }) => {
    const answer = visitor.ask().answer();
    await noted('res close');
    return overHttp ? 'still waiting' : answer;
  },
);
