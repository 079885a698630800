import { once } from 'node:events';
import type { FcgiClient } from '../../adapters/client/client.ts';
import { type FetchInit, fetchRequest } from '../../adapters/client/fetch.ts';
import { fcgiError } from '../../core/errors.ts';

/**
 * Sends the same request `count` times, `concurrency` at a time, and prints what became of them. True if all answers were
 * below 400.
 *
 * @throws FcgiError FCGI_ERR_ARGUMENT
 */
export async function bench(
  client: FcgiClient,
  url: string,
  init: FetchInit,
  count: number,
  concurrency: number,
): Promise<boolean> {
  if (!(Number.isInteger(count) && count > 0)) throw fcgiError('FCGI_ERR_ARGUMENT', '--bench takes a whole number');
  if (typeof init.body === 'object') throw fcgiError('FCGI_ERR_ARGUMENT', '--bench takes no body from a file');
  const { params, body } = fetchRequest(url, init);
  const latencies: number[] = [];
  const outcomes = new Map<string, number>();
  let bad = 0;
  let left = count;

  async function ask(): Promise<string> {
    try {
      const { status, stdout } = await client.request(params, body);
      await once(stdout.resume(), 'end');
      if (status >= 400) bad++;
      return `status ${status}`;
    } catch (error) {
      bad++;
      return (error as { code?: string }).code ?? String(error);
    }
  }
  async function askOn(): Promise<void> {
    while (left-- > 0) {
      const begun = performance.now();
      const outcome = await ask();
      latencies.push(performance.now() - begun);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  }

  const cpu = process.cpuUsage();
  const begun = performance.now();
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, askOn));
  const seconds = (performance.now() - begun) / 1000;
  const { user, system } = process.cpuUsage(cpu);

  latencies.sort((a, b) => a - b);
  const at = (part: number) => latencies[Math.min(count - 1, Math.floor(part * count))]!.toFixed(2);
  console.log(`requests     ${count} in ${seconds.toFixed(2)} s, ${Math.min(concurrency, count)} at a time`);
  console.log(`per second   ${(count / seconds).toFixed(0)}`);
  console.log(`CPU time     ${((user + system) / count).toFixed(1)} µs a request, of this process`);
  console.log(`latency, ms  min ${at(0)}, median ${at(0.5)}, 90 % ${at(0.9)}, 99 % ${at(0.99)}, max ${at(1)}`);
  for (const [outcome, times] of outcomes) console.log(`${outcome.padEnd(12)} ${times}`);
  return bad === 0;
}
