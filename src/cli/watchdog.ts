import { Worker } from 'node:worker_threads';

/** Runs in a thread of its own: what it watches may do nothing else any more. */
const WATCH = `
const { writeSync } = require('node:fs');
const { beats, seconds } = require('node:worker_threads').workerData;
const isStill = (ms) => Atomics.wait(beats, 0, Atomics.load(beats, 0), ms) === 'timed-out';
for (;;) {
  // Twice: when the whole process was stopped for a while, nobody could do anything.
  if (!isStill(seconds * 1000) || !isStill(1000)) continue;
  writeSync(2, 'fcgi: a page has kept the process from everything else for ' + seconds + ' s, so it ends\\n');
  process.kill(process.pid, 'SIGKILL');
}`;

/** Ends the process once its event loop stands still for so many seconds: nothing within it can stop a loop that goes on for ever. */
export function watch(seconds: number): void {
  const beats = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  new Worker(WATCH, { eval: true, workerData: { beats, seconds } }).unref();
  setInterval(
    () => {
      Atomics.add(beats, 0, 1);
      Atomics.notify(beats, 0);
    },
    Math.min(seconds * 250, 1000),
  ).unref();
}
