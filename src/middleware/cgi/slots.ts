import type { ServerResponse } from 'node:http';
import { fcgiError } from '../../core/errors.ts';
import { after } from '../../core/timer.ts';
import type { CgiLimits } from './limits.ts';

/** Gives back what `enter` gave. */
export type Leave = () => void;

/** Keeps no more programs running than allowed: further requests stand in a queue. */
export class Slots {
  readonly #limits: CgiLimits;
  #taken = 0;
  /** In the order in which they came. */
  readonly #queue = new Set<() => void>();

  constructor(limits: CgiLimits) {
    this.#limits = limits;
  }

  /**
   * Resolves when there is a place, with undefined if the client has left before.
   *
   * Rejects with FCGI_ERR_OVERLOADED where the queue is full or the wait too long; then the answer has a Retry-After.
   */
  enter(res: ServerResponse): Promise<Leave | undefined> {
    const { maxProcesses, maxQueue, timeout } = this.#limits;
    if (res.destroyed) return Promise.resolve(undefined);
    if (this.#taken < maxProcesses) return Promise.resolve(this.#take());
    return new Promise((resolve, reject) => {
      const refuse = (why: string) => {
        res.setHeader('Retry-After', '1');
        reject(fcgiError('FCGI_ERR_OVERLOADED', why));
      };
      if (this.#queue.size >= maxQueue) {
        refuse(`${maxProcesses} CGI programs are running, and ${maxQueue} requests wait for them`);
        return;
      }
      const stop = () => {
        this.#queue.delete(go);
        clearTimeout(clock);
        res.off('close', onClose);
      };
      const go = () => {
        stop();
        resolve(this.#take());
      };
      const onClose = () => {
        stop();
        resolve(undefined);
      };
      const clock = after(timeout, () => {
        stop();
        refuse(`none of ${maxProcesses} CGI programs ended within ${timeout} ms`);
      });
      res.on('close', onClose);
      this.#queue.add(go);
    });
  }

  #take(): Leave {
    this.#taken++;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#taken--;
      const [next] = this.#queue;
      next?.();
    };
  }
}
