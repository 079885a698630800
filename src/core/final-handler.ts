import { type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Writable } from 'node:stream';
import encodeUrl from 'encodeurl';
import escapeHtml from 'escape-html';
import { originOf, pathOf } from './path.ts';

/** What an error may say of the answer to it, as http-errors do. */
interface HttpError {
  status?: unknown;
  statusCode?: unknown;
  headers?: unknown;
  stack?: unknown;
}

/**
 * Answers what no handler answered: 404, or the error's page. The status is the error's own (`status` or `statusCode`,
 * 400 to 599), with its `headers`; else the response's, if it is one of an error; else 500. An answer that has begun is
 * broken off. Errors are logged, to the web server where it takes them, unless `env` is `'test'`; the page shows their stack only if
 * `env` is `'development'` or `'test'`. Where there is no application to say what it is, that is NODE_ENV's `development`.
 */
export function finalHandler(
  error: unknown,
  req: IncomingMessage,
  res: ServerResponse,
  env: unknown = process.env.NODE_ENV === 'development' ? 'development' : 'production',
): void {
  if (error && env !== 'test') log(error, res);
  if (res.headersSent) {
    // An answer that is complete stays so, whatever went wrong after it.
    if (error && !res.writableEnded) req.socket.destroy();
    return;
  }
  if (!error) {
    send(req, res, 404, undefined, `Cannot ${req.method} ${encodeUrl(originalPath(req))}`);
    return;
  }
  const own = statusOf(error as HttpError);
  const status = own ?? (res.statusCode >= 400 && res.statusCode < 600 ? res.statusCode : 500);
  const headers = own === undefined ? undefined : (error as HttpError).headers;
  const message = env === 'development' || env === 'test' ? describe(error) : STATUS_CODES[status];
  send(req, res, status, headers, message ?? String(status));
}

function statusOf(error: HttpError): number | undefined {
  for (const status of [error.status, error.statusCode]) {
    if (typeof status === 'number' && status >= 400 && status < 600) return status;
  }
  return undefined;
}

function describe(error: unknown): string {
  const { stack } = error as HttpError;
  if (typeof stack === 'string' && stack !== '') return stack;
  return typeof error === 'object' && !('toString' in (error as object)) ? 'Error' : String(error);
}

function log(error: unknown, res: ServerResponse): void {
  const { stderr } = res as { stderr?: Writable };
  if (stderr === undefined) console.error(error);
  else stderr.write(`${describe(error)}\n`);
}

function originalPath(req: IncomingMessage): string {
  const url = (req as { originalUrl?: string }).originalUrl || req.url;
  return pathOf(url, originOf(url)) ?? 'resource';
}

function send(req: IncomingMessage, res: ServerResponse, status: number, headers: unknown, message: string): void {
  const text = escapeHtml(message).replaceAll('\n', '<br>').replaceAll('  ', ' &nbsp;');
  const page = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Error</title>
</head>
<body>
<pre>${text}</pre>
</body>
</html>
`;
  res.statusCode = status;
  res.statusMessage = STATUS_CODES[status] ?? '';
  for (const name of ['Content-Encoding', 'Content-Language', 'Content-Range']) res.removeHeader(name);
  if (typeof headers === 'object' && headers !== null) {
    for (const [name, value] of Object.entries(headers as OutgoingHttpHeaders)) {
      try {
        res.setHeader(name, value ?? '');
      } catch {
        // A header that cannot be sent must not cost the client its answer, or the process its life.
      }
    }
  }
  res.setHeader('Content-Security-Policy', "default-src 'none'");
  res.setHeader('X-Content-Type-Options', 'nosniff');
  res.setHeader('Content-Type', 'text/html; charset=utf-8');
  res.setHeader('Content-Length', Buffer.byteLength(page));
  // Whoever was reading the body reads no more; the rest of it is the server's to drop.
  req.unpipe();
  req.resume();
  res.end(page);
}
