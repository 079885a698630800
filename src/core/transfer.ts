import { AsyncResource } from 'node:async_hooks';
import type { Stats } from 'node:fs';
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import send from 'send';
import { fcgiError } from './errors.ts';
import { type OffloadFunction, takesOffload } from './offload.ts';
import { ANSWERING } from './send.ts';

/** `send`'s options, and: */
export interface TransferOptions extends send.SendOptions {
  /** Called once the file is found, before its headers are set: what is set here stays. */
  setHeaders?: (path: string, stats: Stats) => void;
  /** Whom it may be handed over to. */
  offload?: OffloadFunction;
}

/**
 * Answers with a file, by `send`: whole or in part, or with 304; or has the web server do so. `done` is called once: when the
 * answer is out, or with the error, as `send` makes them; the headers are then what they were before. EISDIR is a folder,
 * ECONNABORTED a client that has left.
 *
 * @param path Percent-encoded; below `options.root`, if there is one.
 * @throws FcgiError FCGI_ERR_OPTION: `end` is less than `start`.
 */
export function transfer(
  req: IncomingMessage,
  res: ServerResponse,
  path: string,
  { setHeaders, offload, ...options }: TransferOptions,
  done: (error?: Error) => void,
): void {
  const { start = 0, end = start } = options;
  if (end < start) throw fcgiError('FCGI_ERR_OPTION', `A part of a file cannot begin at ${start} and end at ${end}`);
  (res as { [ANSWERING]?: true })[ANSWERING] = true;
  const stream = send(req, path, options);
  let takeBack = () => {};
  let hasBegun = false;
  let isDone = false;

  // What the response tells, it tells in the context of its connection.
  const finish = AsyncResource.bind((error?: Error) => {
    if (isDone) return;
    isDone = true;
    if (error !== undefined) {
      if (!res.headersSent) takeBack();
      else if (hasBegun) res.destroy();
    }
    done(error);
  });
  res.once('finish', () => finish());
  const abort = () => finish(failure('ECONNABORTED', 'Request aborted'));
  res.once('close', abort);
  if (res.destroyed) process.nextTick(abort);

  stream.once('headers', (_res, file: string, stats: Stats) => {
    takeBack = remember(res);
    setHeaders?.(file, stats);
  });
  stream.on('directory', () => finish(failure('EISDIR', 'EISDIR, read')));
  stream.on('error', finish);
  stream.on('stream', (opened: Readable) => {
    hasBegun = true;
    // A file that has become shorter meanwhile: its end would leave the client waiting for the rest.
    opened.on('end', () => {
      const length = Number(res.getHeader('Content-Length'));
      if ((opened as Readable & { bytesRead: number }).bytesRead < length) {
        finish(failure('EIO', `${path} has become shorter while it was sent`));
      }
    });
  });

  const sendItself = stream.send;
  const answer = async (file: string, stats?: Stats) => {
    if (isDone) return;
    // A pipe or a device might have no end.
    if (!stats?.isFile()) {
      stream.error(404);
      return;
    }
    if (offload !== undefined && isWhole(options) && !res.headersSent) {
      stream.setHeader(file, stats);
      const field = takesOffload(req, res) ? await offload(file) : undefined;
      if (isDone) return;
      if (field !== undefined) {
        stream.type(file);
        handOver(res, ...field);
        return;
      }
    }
    sendItself.call(stream, file, stats);
  };
  stream.send = (file, stats) => {
    answer(file, stats).catch((error) => {
      // Of the callback's own error, nobody else would hear.
      if (isDone) throw error;
      finish(error);
    });
  };
  stream.pipe(res);
}

function handOver(res: ServerResponse, header: string, value: string): void {
  res.setHeader(header, value);
  // nginx would send its own behind it.
  if (header === 'X-Accel-Redirect') res.removeHeader('Accept-Ranges');
  // So that nobody compresses the empty body, and says so.
  res.setHeader('Content-Length', 0);
  res.end();
}

/** Whether all of the file may be asked for: the web server knows no bounds. */
function isWhole({ start, end, acceptRanges }: send.SendOptions): boolean {
  return start === undefined && end === undefined && acceptRanges !== false;
}

/** Gives what makes the status and the headers again what they are now. */
function remember(res: ServerResponse): () => void {
  const { statusCode } = res;
  const names = res.getHeaderNames();
  // Node's types know it of requests alone.
  const kept = (res as ServerResponse & Pick<ClientRequest, 'getRawHeaderNames'>).getRawHeaderNames().map((name) => {
    const value = res.getHeader(name)!;
    // appendHeader adds to the array that is there.
    return [name, Array.isArray(value) ? [...value] : value] as const;
  });
  return () => {
    res.statusCode = statusCode;
    for (const name of res.getHeaderNames()) if (!names.includes(name)) res.removeHeader(name);
    for (const [name, value] of kept) res.setHeader(name, value);
  };
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
