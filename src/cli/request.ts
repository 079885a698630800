import { createReadStream, statSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { FcgiClient } from '../adapters/client/client.ts';
import { type FetchInit, fetchRequest } from '../adapters/client/fetch.ts';
import { phpFpm } from '../adapters/client/php-fpm.ts';
import type { FcgiResponse } from '../adapters/client/response.ts';
import { FcgiError, fcgiError } from '../core/errors.ts';
import { bench } from './request/bench.ts';

/** Exit statuses, beside 2 for a command that cannot be understood. */
const ANSWERED_ERROR = 1;
const NOT_ANSWERED = 3;

/** `fcgi request ADDRESS /path`: one request to a FastCGI application. */
export const request = {
  usage: `fcgi request ADDRESS [URL] [-d BODY] [-X METHOD] [-H HEADER]… [--param NAME=VALUE]… [--root DIR | --script FILE]
  Sends a request to a FastCGI application: its answer goes to stdout, its FCGI_STDERR to stderr.
  ADDRESS            of the application: the path of a socket, a port or host:port
  URL                what is asked for (default /)
  -d, --data BODY    the body; @FILE for a file, @- for what comes on stdin. The method is POST then
  -X, --method       the method
  -H, --header       a header, as 'Accept: text/html'
  --param            a CGI parameter; may come several times
  --root             the folder that the scripts are in
  --script           the script that is to be run
  -i, --include      the head of the answer, too
  --timeout          seconds in which nothing may come (default 60)
  --status [--full]  PHP-FPM's status page, at URL or /status
  --ping             PHP-FPM's ping page, at URL or /ping
  --values           what the application says of itself (FCGI_GET_VALUES)
  --bench N          the same request N times: latencies, and CPU time of this process
  --concurrency      requests at a time (default 10)
  --keep-alive       keeps connections
  Exit status: 0 if the answer is below 400, 1 if not, 2 for a wrong command, 3 without an answer or half-way in one.`,

  async run(args: string[]): Promise<void> {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        data: { type: 'string', short: 'd' },
        method: { type: 'string', short: 'X' },
        header: { type: 'string', short: 'H', multiple: true, default: [] },
        param: { type: 'string', multiple: true, default: [] },
        root: { type: 'string' },
        script: { type: 'string' },
        include: { type: 'boolean', short: 'i' },
        timeout: { type: 'string', default: '60' },
        status: { type: 'boolean' },
        full: { type: 'boolean' },
        ping: { type: 'boolean' },
        values: { type: 'boolean' },
        bench: { type: 'string' },
        concurrency: { type: 'string', default: '10' },
        'keep-alive': { type: 'boolean' },
      },
    });
    const [address, url, ...rest] = positionals;
    if (address === undefined || rest.length > 0)
      throw fcgiError('FCGI_ERR_ARGUMENT', 'expected an address, and a URL');
    const timeout = Number(values.timeout) * 1000;
    const connections = Number(values.concurrency);
    const client = new FcgiClient(address, {
      connectTimeout: timeout,
      headersTimeout: timeout,
      bodyTimeout: timeout,
      connections,
      keepAlive: values['keep-alive'],
    });
    try {
      if (values.values) printValues(await client.values());
      else if (values.ping) console.log(await phpFpm.ping(client, { path: url }));
      else if (values.status) printJson(await phpFpm.status(client, { path: url, full: values.full }));
      else {
        const init = initFrom(values);
        if (values.bench === undefined) await once(client, url ?? '/', init, values.include);
        else if (!(await bench(client, url ?? '/', init, Number(values.bench), connections))) fail(ANSWERED_ERROR);
      }
    } catch (error) {
      if (!(error instanceof FcgiError) || !error.code.startsWith('FCGI_ERR_CLIENT_')) throw error;
      console.error(`fcgi request: ${error.message} (${error.code})`);
      fail(NOT_ANSWERED);
    } finally {
      client.destroy();
    }
  },
};

function initFrom(values: {
  data?: string;
  method?: string;
  header: string[];
  param: string[];
  root?: string;
  script?: string;
}): FetchInit {
  const headers = new Headers(values.header.map(header));
  const init: FetchInit = {
    method: values.method ?? (values.data === undefined ? 'GET' : 'POST'),
    headers,
    params: Object.fromEntries(values.param.map(param)),
    root: values.root,
    scriptFilename: values.script,
  };
  if (values.data === undefined) return init;
  // What forms have, as curl does.
  if (!headers.has('content-type')) headers.set('content-type', 'application/x-www-form-urlencoded');
  return { ...init, body: bodyFrom(values.data) };
}

function header(text: string): [name: string, value: string] {
  const [, name, value] = /^([\w!#$%&'*+.^`|~-]+):\s*(.*)$/.exec(text) ?? [];
  if (name === undefined) throw fcgiError('FCGI_ERR_ARGUMENT', `--header takes 'Name: value', not ${text}`);
  return [name, value!];
}

function param(text: string): [name: string, value: string] {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined) throw fcgiError('FCGI_ERR_ARGUMENT', `--param takes NAME=VALUE, not ${text}`);
  return [name, value!];
}

function bodyFrom(data: string): FetchInit['body'] {
  if (!data.startsWith('@')) return data;
  if (data === '@-') return process.stdin;
  if (!statSync(data.slice(1), { throwIfNoEntry: false })?.isFile()) {
    throw fcgiError('FCGI_ERR_ARGUMENT', `${data.slice(1)} is no file`);
  }
  return createReadStream(data.slice(1));
}

async function once(client: FcgiClient, url: string, init: FetchInit, include = false): Promise<void> {
  const { params, body } = fetchRequest(url, init);
  const response = await client.request(params, body, { onStderr: (bytes) => process.stderr.write(bytes) });
  process.stdout.on('error', unlessSeenEnough);
  if (include) process.stdout.write(headOf(response));
  await pipeline(response.stdout, process.stdout, { end: false }).catch(unlessSeenEnough);
  if (response.status >= 400) fail(ANSWERED_ERROR);
}

/** Whoever reads may leave before the end, as `head` does. */
function unlessSeenEnough(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

function headOf({ status, statusText, headers }: FcgiResponse): string {
  const lines = [`Status: ${status} ${statusText}`.trimEnd()];
  for (const [name, value] of Object.entries(headers))
    for (const each of [value!].flat()) lines.push(`${name}: ${each}`);
  return `${lines.join('\n')}\n\n`;
}

function printValues(values: Record<string, string>): void {
  for (const [name, value] of Object.entries(values)) console.log(`${name}=${value}`);
}

function printJson(value: unknown): void {
  console.log(JSON.stringify(value, undefined, 2));
}

function fail(status: number): void {
  process.exitCode = status;
}
