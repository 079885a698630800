import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { Outgoing } from '../../../src/adapters/client/body.ts';
import { Outflow } from '../../../src/adapters/client/outflow.ts';
import { FCGI_STDIN } from '../../../src/adapters/fastcgi/protocol.ts';

it('makes no progress by the room that others on its connection wait for', () => {
  const stream = new Readable({ read() {} });
  let room = true;
  let progress = 0;
  const outflow = new Outflow(FCGI_STDIN, 1, new Outgoing(undefined, stream, 10), {
    write: () => room,
    onProgress: () => progress++,
    onSent() {},
    onSendError() {},
  });
  outflow.start();
  outflow.resume();
  expect(progress).toBe(0);

  room = false;
  stream.emit('data', Buffer.from('half'));
  expect([progress, stream.isPaused()]).toEqual([1, true]);
  outflow.resume();
  expect([progress, stream.isPaused()]).toEqual([2, false]);
  outflow.stop();
});
