// @ts-check
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';

/** What a browser sends: a request without headers would flatter whoever is slow at them. */
const HEADERS = [
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  'Accept-Language: en-US,en;q=0.5',
  'Accept-Encoding: gzip, deflate, br',
];

export const CONNECTIONS = 32;

/** Of a tick of the clock that /proc counts in, µs. */
const TICK = 10_000;

/**
 * Asks nginx for a path by as many connections, for a while, and gives how many answers came; throws if one was no answer.
 *
 * @param {{ host: string, port: number, path: string, pin: string[] }} target @param {number} seconds
 */
export async function load({ host, port, path, pin }, seconds) {
  const headers = [`Host: ${host}`, ...HEADERS].flatMap((header) => ['-H', header]);
  const [command, ...args] = [...pin, 'wrk', '-t', '1', '-c', String(CONNECTIONS), '-d', `${seconds}s`, ...headers];
  const { stdout } = await promisify(execFile)(command, [...args, `http://127.0.0.1:${port}${path}`]);
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1]);
  if (!(requests > 0) || /Non-2xx|Socket errors/.test(stdout)) throw new Error(`${host} failed:\n${stdout}`);
  return requests;
}

/**
 * User and system CPU time of a process's children so far, in µs.
 *
 * @param {number} pid
 */
export function cpuTimeOfChildren(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return children.reduce((sum, child) => {
    const fields = readFileSync(`/proc/${child}/stat`, 'utf8').split(') ')[1].split(' ');
    return sum + (Number(fields[11]) + Number(fields[12])) * TICK;
  }, 0);
}
