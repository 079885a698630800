import http from 'node:http';
import { afterEach, expect, test, vi } from 'vitest';
import { finalHandler } from '../../src/core/final-handler.ts';
import type { Request } from '../../src/core/request.ts';
import type { Response } from '../../src/core/response.ts';
import { ask, listen, served } from './served.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** Answers every request with what `prepare` leaves of the response, and the final handler's page for its error. */
function failing(error: unknown, env = 'production', prepare: (req: Request, res: Response) => void = () => {}) {
  return served((req, res) => {
    prepare(req as Request, res as Response);
    finalHandler(error, req, res, env);
  });
}

function silence() {
  return vi.spyOn(process.stderr, 'write').mockReturnValue(true);
}

test('404 names the method and the path as it was asked for, escaped, and keeps what may not be run', async () => {
  const origin = await failing(undefined);
  expect(await ask(origin, '/<b>"?x=<y>', 'PUT')).toContain('404 <!DOCTYPE html>');
  expect(await ask(origin, '/<b>"?x=<y>', 'PUT')).toContain('<pre>Cannot PUT /%3Cb%3E%22</pre>');
  const { headers, statusText } = await fetch(origin);
  expect(statusText).toBe('Not Found');
  expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(headers.get('content-security-policy')).toBe("default-src 'none'");
  expect(headers.get('x-content-type-options')).toBe('nosniff');
});

test('HEAD gets the head alone, with the length of the page', async () => {
  const answer = await fetch(await failing(undefined), { method: 'HEAD' });
  expect(answer.headers.get('content-length')).toMatch(/^[1-9]\d+$/);
  expect(await answer.text()).toBe('');
});

test.each([
  [{ status: 403 }, 200, 403],
  [{ statusCode: 410 }, 200, 410],
  [{ status: 200, statusCode: 409 }, 200, 409],
  [{ status: '403' }, 200, 500],
  [{ status: 600 }, 503, 503],
  [{}, 404, 404],
  ['text', 302, 500],
  [Object.create(null), 200, 500],
])('the status for %j on a response of %i is %i', async (error, of, status) => {
  silence();
  const origin = await failing(error, 'production', (_req, res) => {
    res.statusCode = of;
  });
  expect(await ask(origin, '/')).toMatch(new RegExp(`^${status} .*<pre>${http.STATUS_CODES[status]}</pre>`, 's'));
});

test('the stack is shown in development only, escaped', async () => {
  silence();
  const error = new Error('<secret>');
  expect(await ask(await failing(error, 'development'), '/')).toMatch(
    /<pre>Error: &lt;secret&gt;<br> &nbsp; &nbsp;at /,
  );
  expect(await ask(await failing(error, 'test'), '/')).toContain('&lt;secret&gt;');
  expect(await ask(await failing('a\n  b', 'development'), '/')).toContain('<pre>a<br> &nbsp;b</pre>');
  for (const env of ['production', 'staging']) {
    expect(await ask(await failing(error, env), '/')).toContain('<pre>Internal Server Error</pre>');
  }
});

test('an error of its own status brings its own headers; those of the content it replaces are gone', async () => {
  silence();
  const headers = { Allow: 'GET', 'Content-Type': 'image/png', 'Content-Security-Policy': 'none' };
  const prepare = (_req: Request, res: Response) => {
    res.setHeader('Content-Encoding', 'br');
    res.setHeader('X-Kept', 'yes');
  };
  const own = await fetch(await failing({ status: 405, headers }, 'production', prepare));
  expect(own.headers.get('allow')).toBe('GET');
  expect(own.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(own.headers.get('content-security-policy')).toBe("default-src 'none'");
  expect(own.headers.get('content-encoding')).toBeNull();
  expect(own.headers.get('x-kept')).toBe('yes');
  const other = await fetch(await failing({ headers }, 'production', prepare));
  expect(other.headers.get('allow')).toBeNull();
});

test('a header that cannot be sent is left out of the answer', async () => {
  silence();
  const headers = { 'X-Bad': 'line\nbreak', 'bad name': '1', 'X-Good': 'kept' };
  const answer = await fetch(await failing({ status: 400, headers }));
  expect([answer.status, answer.headers.get('x-good'), answer.headers.get('x-bad')]).toEqual([400, 'kept', null]);
});

test('an answer that has begun is broken off by an error, and left alone without one', async () => {
  silence();
  const begin = (_req: Request, res: Response) => {
    res.writeHead(200, { 'Content-Length': 10 });
    res.write('half');
  };
  await expect(ask(await failing(new Error('late'), 'production', begin), '/')).rejects.toThrow(/aborted|hang up/);
  const left = await failing(undefined, 'production', (req, res) => {
    begin(req, res);
    setImmediate(() => res.end(' whole'));
  });
  expect(await ask(left, '/')).toBe('200 half whole');
});

test('an answer that is complete is not broken off by what goes wrong after it', async () => {
  silence();
  const origin = await failing(new Error('late'), 'production', (_req, res) => res.end('x'.repeat(1_000_000)));
  expect(await ask(origin, '/')).toHaveLength('200 '.length + 1_000_000);
});

test('a body that nobody read holds neither the answer nor the connection', async () => {
  const origin = await failing(undefined);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (let again = 0; again < 2; again++) {
    const answered = new Promise<number | undefined>((resolve, reject) => {
      const request = http.request(origin, { method: 'POST', agent }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode));
      });
      request.on('error', reject);
      request.end(Buffer.alloc(1_000_000));
    });
    expect(await answered).toBe(404);
  }
  agent.destroy();
});

test('errors are logged to the web server, or to the console where there is none, but not in tests', async () => {
  const stderr = silence();
  const console_ = vi.spyOn(console, 'error').mockReturnValue();
  const error = new Error('logged');
  await ask(await failing(error), '/');
  expect(stderr).toHaveBeenCalledExactlyOnceWith(`${error.stack}\n`);
  await ask(await listen(http.createServer((req, res) => finalHandler(error, req, res, 'production'))), '/');
  expect(console_).toHaveBeenCalledExactlyOnceWith(error);
  await ask(await failing(error, 'test'), '/');
  await ask(await failing(undefined), '/');
  expect(stderr).toHaveBeenCalledTimes(1);
});
