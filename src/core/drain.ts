import type { ServerResponse } from 'node:http';

/** Calls back once, when the response takes more, or will never take any more: its `destroyed` tells which. */
export function onDrain(res: ServerResponse, callback: () => void): void {
  const done = () => {
    res.off('drain', done).off('close', done);
    callback();
  };
  res.on('drain', done).on('close', done);
}
