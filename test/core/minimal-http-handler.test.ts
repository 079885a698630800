import { once } from 'node:events';
import http from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  isMinimalHttpHandler,
  MinimalHttpHandler,
  type MinimalHttpHandlerClass,
  serveMinimalHttpHandler,
} from '../../src/core/minimal-http-handler.ts';

/** Serves the class, and gives what comes for a request as it is on the wire. */
async function wireOf(Handler: MinimalHttpHandlerClass, request: string): Promise<string> {
  const server = http.createServer(serveMinimalHttpHandler(Handler)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write(request);
  return text(socket);
}

const GET = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

/** The answer of a handler with this method. */
function answerOf(handle: (handler: MinimalHttpHandler) => unknown, request = GET): Promise<string> {
  return wireOf(
    class extends MinimalHttpHandler {
      handle() {
        return handle(this);
      }
    },
    request,
  );
}

describe('a handler', () => {
  it('finds the request: command, path, requestVersion, headers and rfile', async () => {
    const wire = await answerOf(async ({ command, path, requestVersion, headers, rfile, wfile }) => {
      wfile.write(JSON.stringify([command, path, requestVersion, headers['x-a'], await text(rfile)]));
    }, 'POST /a%20b?c=d HTTP/1.0\r\nX-A: b\r\nX-A: c\r\nContent-Length: 4\r\n\r\nbody');
    expect(wire.split('\r\n\r\n')[1]).toBe('["POST","/a%20b?c=d","1.0","b, c","body"]');
  });

  it('answers with what it sends: status, headers in their order and as often as they come, body', async () => {
    const wire = await answerOf((handler) => {
      handler.sendResponse(404);
      handler.sendHeader('Content-Type', 'text/plain');
      handler.sendHeader('Set-Cookie', 'a=1');
      handler.sendHeader('Set-Cookie', 'b=2');
      handler.sendHeader('Content-Length', 2);
      handler.endHeaders();
      handler.wfile.write('ok');
    });
    expect(wire.replace(/Date: .*\r\n/, '')).toBe(
      'HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n' +
        'Connection: close\r\n\r\nok',
    );
  });

  it.each<[what: string, send: (handler: MinimalHttpHandler) => void, line: string]>([
    ['a message of its own', (handler) => handler.sendResponse(200, 'Fine'), 'HTTP/1.1 200 Fine'],
    ['a status without a usual message', (handler) => handler.sendResponse(299), 'HTTP/1.1 299 unknown'],
    ['200 unless told', () => {}, 'HTTP/1.1 200 OK'],
  ])('answers with %s', async (_what, send, line) => {
    const wire = await answerOf((handler) => send(handler));
    expect(wire.split('\r\n')[0]).toBe(line);
  });

  it('answers in its own time, in pieces, and is done when its promise is', async () => {
    const wire = await answerOf(async ({ wfile }) => {
      wfile.write('one ');
      await new Promise(setImmediate);
      wfile.write('two');
    });
    expect(wire).toMatch(/\r\n\r\n4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n$/);
  });

  it('is another for each request of a connection', async () => {
    const made = new Set<MinimalHttpHandler>();
    const wire = await answerOf((handler) => void made.add(handler), `GET / HTTP/1.1\r\nHost: a\r\n\r\n${GET}`);
    expect(wire.match(/HTTP\/1.1 200/g)).toHaveLength(2);
    expect(made.size).toBe(2);
  });
});

describe('what goes wrong', () => {
  const broken = () => {
    throw new Error('broken');
  };

  it.each<[what: string, handle: (handler: MinimalHttpHandler) => unknown]>([
    ['throws', broken],
    ['rejects', async () => broken()],
    ['rejects without a reason', () => Promise.reject()],
    ['throws 0', () => Promise.reject(0)],
    [
      'throws before its head is out',
      (handler) => {
        handler.sendResponse(200);
        handler.sendHeader('Content-Length', 1000);
        broken();
      },
    ],
    ['sends what is no status', (handler) => handler.sendResponse(9)],
    ['sends a second head in a header', (handler) => handler.sendHeader('X-A', 'b\r\n\r\n<html>')],
    ['sends a line end in the name of a header', (handler) => handler.sendHeader('X-A\r\nX-B', 'c')],
    ['sends a line end in the message', (handler) => handler.sendResponse(200, 'OK\r\nX-A: b')],
    [
      'sends a header too late',
      (handler) => {
        handler.endHeaders();
        handler.sendHeader('X-A', 'b');
      },
    ],
  ])('is logged, and the client gets nothing of it: one that %s', async (what, handle) => {
    const log = vi.spyOn(console, 'error').mockReturnValue();
    const wire = await answerOf(handle);
    expect(wire).not.toMatch(/broken|X-A|<html>/);
    if (what.endsWith('late')) expect(wire).toMatch(/^HTTP\/1.1 200 OK\r\n(?!.*\r\n0\r\n)/s);
    else expect(wire).toMatch(/^HTTP\/1.1 500 Internal Server Error\r\n.*<pre>Internal Server Error<\/pre>/s);
    expect(log).toHaveBeenCalledOnce();
    log.mockRestore();
  });
});

it('a class of handlers is told from a function', () => {
  class Hello extends MinimalHttpHandler {
    handle() {}
  }
  expect(isMinimalHttpHandler(Hello)).toBe(true);
  expect([() => {}, class {}, {}, undefined].map(isMinimalHttpHandler)).toEqual([false, false, false, false]);
});
