import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';

export interface Ask {
  /** As it goes over the wire: nothing is encoded or normalised. Bytes as latin1. */
  path: string;
  method?: string;
  /** In pairs, so that a name may come twice. */
  headers?: [name: string, value: string][];
  body?: Buffer;
  /** Sends the body without a Content-Length. */
  chunked?: boolean;
}

export interface Answer {
  status: number | undefined;
  headers: Record<string, string[]>;
  body: string;
}

/** What the web server adds or decides, not the app. */
const SERVERS_OWN = new Set([
  'server',
  'date',
  'connection',
  'keep-alive',
  // How a body is framed; what is left of Content-Length is compared.
  'transfer-encoding',
  // Caddy offers HTTP/3.
  'alt-svc',
]);

/** Sends a request on a connection of its own and waits for the answer's head. */
export async function open(port: number, ask: Ask): Promise<IncomingMessage> {
  // Kept alive as by a browser: told to close, node:http and its like do not wait for the rest of a body.
  const headers = [['Host', 'site.test:8443'], ['Connection', 'keep-alive'], ...(ask.headers ?? [])];
  if (ask.body) headers.push(ask.chunked ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', `${ask.body.length}`]);
  const { path, method = 'GET' } = ask;
  const req = request({ host: '127.0.0.1', port, path, method, headers: headers.flat(), agent: false });
  const answered = once(req, 'response');
  // A server that has answered may refuse the rest of the body: not an error then, and one of `answered` before.
  pipeline(Readable.from(pieces(ask.body)), req).catch(() => {});
  const [res] = await answered;
  req.on('error', () => {});
  return res;
}

/** Sends a request and waits for the whole answer; throws where it breaks off. */
export async function exchange(port: number, ask: Ask): Promise<Answer> {
  const res = await open(port, ask);
  const headers: Answer['headers'] = {};
  for (const [name, values] of Object.entries(res.headersDistinct)) {
    if (values && !SERVERS_OWN.has(name)) headers[name] = values;
  }
  const body = (await buffer(res)).toString('latin1');
  // Where an answer came before the request was all sent, node:http would keep the connection, and send no more.
  res.socket?.destroy();
  return { status: res.statusCode, headers, body };
}

/** The status of an answer, or 'broken off' where none came whole. */
export const statusOf = (answer: Promise<Answer>): Promise<number | string | undefined> =>
  answer.then(
    ({ status }) => status,
    () => 'broken off',
  );

/** In chunks as a file's stream has them, so that the socket's backpressure is felt. */
function* pieces(body: Buffer = Buffer.alloc(0)) {
  for (let at = 0; at < body.length; at += 65536) yield body.subarray(at, at + 65536);
}
