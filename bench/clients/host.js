// @ts-check
/**
 * The process that a client under measurement runs in: `node host.js MODULE SOCKET CONCURRENCY`. MODULE's default export
 * takes the path of the application's socket, the CGI parameters of a request and the concurrency, and gives a function
 * that sends one request and resolves with the body of its answer.
 */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [module, socket, concurrency] = process.argv.slice(2);

/** What nginx sends with the example's configuration, of the benchmark's request. */
const PARAMS = JSON.parse(readFileSync(new URL('params.json', import.meta.url), 'utf8'));

const { default: connect } = await import(pathToFileURL(module).href);
const ask = await connect(socket, PARAMS, Number(concurrency));

process.on('disconnect', () => process.exit());
process.on('message', async (milliseconds) => {
  const before = process.cpuUsage();
  let requests = 0;
  const end = performance.now() + Number(milliseconds);
  const askOn = async () => {
    while (performance.now() < end) {
      const body = await ask();
      if (body !== 'Hello World') throw new Error(`it answers ${JSON.stringify(body)}`);
      requests++;
    }
  };
  await Promise.all(Array.from({ length: Number(concurrency) }, askOn));
  const { user, system } = process.cpuUsage(before);
  process.send?.({ cpu: user + system, requests });
});
process.send?.('ready');
