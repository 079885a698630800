import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { CgiOutput } from '../../core/cgi-output.ts';
import { errorLog } from '../../core/env.ts';
import { type FcgiError, fcgiError } from '../../core/errors.ts';
import { after } from '../../core/timer.ts';
import type { Program } from './find.ts';
import { appOf } from './local-redirect.ts';
import type { End, ProcessGroup } from './process-group.ts';
import type { RequestBody } from './request-body.ts';

/**
 * Passes a request's body to a program that runs and what it writes to the client, each as fast as the other takes it.
 * Resolves when the answer is there, or the client has gone; with the path of a local redirect, where that is to be
 * answered. When it rejects, an answer that has begun is broken off.
 *
 * Rejects with FCGI_ERR_CGI_OUTPUT and FCGI_ERR_CGI_TIMEOUT.
 */
export function answer(
  program: Program,
  group: ProcessGroup,
  body: RequestBody['content'] | undefined,
  req: IncomingMessage,
  res: ServerResponse,
  timeout: number,
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const { stdin, stdout, stderr } = group;
    let location: string | undefined;
    const onLocalRedirect = (path: string) => {
      location = path;
    };
    const output = new CgiOutput(res, appOf(req) ? { nph: program.nph, onLocalRedirect } : { nph: program.nph });

    const clock = after(timeout, () => {
      fail(fcgiError('FCGI_ERR_CGI_TIMEOUT', `${program.file} and its client passed nothing for ${timeout} ms`));
    });
    const tick = () => clock.refresh();
    let settled = false;
    const settle = () => {
      settled = true;
      clearTimeout(clock);
      res.off('close', leave).off('drain', tick);
      // What it still writes must not get into the error page.
      stdout.off('data', tick).unpipe(output).resume();
      group.end();
    };
    const fail = (error: FcgiError) => {
      if (settled) return;
      settle();
      if (res.headersSent && !res.writableEnded) res.destroy();
      reject(error);
    };
    const leave = () => {
      // Who has the whole answer may go; the program may have something left to do.
      if (res.writableFinished) return;
      settle();
      resolve(undefined);
    };

    output.on('error', (error) => fail(fcgiError('FCGI_ERR_CGI_OUTPUT', `${program.file}: ${error.message}`, error)));
    output.on('finish', () => {
      settle();
      resolve(location);
    });
    res.on('close', leave).on('drain', tick);
    stdout.on('data', tick).pipe(output, { end: false });
    stderr.setEncoding('utf8').on('data', (text) => errorLog(req).write(text));
    group.closed.then((end) => {
      // From here on it is the web server's to lose patience with its client.
      clearTimeout(clock);
      res.off('drain', tick);
      const begun = res.headersSent || location !== undefined;
      if (res.writableEnded || (end.signal === null && (end.status === 0 || begun))) output.end();
      else fail(fcgiError('FCGI_ERR_CGI_OUTPUT', `${program.file} ${describe(end)} before its answer was complete`));
    });
    if (stdin !== undefined && body instanceof Readable) {
      body.on('data', tick).pipe(stdin);
      // It need not have read all of the body; what comes of it is the server's to drop.
      stdin.once('close', () => {
        body.off('data', tick).unpipe(stdin);
        body.resume();
      });
    }
    if (res.destroyed) leave();
  });
}

function describe({ status, signal }: End): string {
  return signal === null ? `ended with status ${status}` : `was ended by ${signal}`;
}
