import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { createApp } from '../../src/core/app.ts';
import { Request } from '../../src/core/request.ts';
import { Response } from '../../src/core/response.ts';

type Listener = (req: Request, res: Response) => unknown;

export interface Answer {
  status: number;
  message: string;
  headers: http.IncomingHttpHeaders;
  body: string;
}

/** A real HTTP server around the pair; of the application there are only the settings: what reaches `req.next` is answered with its status. */
export async function serve(listener: Listener, settings: Record<string, unknown> = {}) {
  const app = createApp(settings);
  const failed: unknown[] = [];
  const server = http.createServer({ IncomingMessage: Request, ServerResponse: Response }, async (message, res) => {
    const req = message as Request;
    req.app = app;
    res.app = app;
    req.res = res;
    res.locals = {};
    req.next = (error) => {
      const { status = 500, code, message } = error as { status?: number; code?: string; message: string };
      if (res.headersSent) res.destroy();
      else res.status(status).type('txt').send(`${code} ${message}`);
    };
    try {
      await listener(req, res);
    } catch (error) {
      if ((error as Error).name === 'AssertionError') failed.push(error);
      req.next?.(error);
    }
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
    // What a listener expected in vain is the test's failure.
    if (failed.length > 0) throw failed[0];
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    /** As fetch cannot: any header, no body unless asked, nothing inflated. */
    ask: (path = '/', options: http.RequestOptions = {}, body?: string | Buffer) => ask(port, path, options, body),
    /** The bytes as they are on the wire, up to the end of the connection. */
    wire: (bytes: string) => wire(port, bytes),
  };
}

/** A promise that is settled from outside: for an event that a test waits for. */
export function deferred<T>() {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

function ask(port: number, path: string, options: http.RequestOptions, body?: string | Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = http.request({ host: '127.0.0.1', port, path, agent: false, ...options }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk) => chunks.push(chunk));
      res.on('error', reject);
      res.on('end', () => {
        const { statusCode = 0, statusMessage = '', headers } = res;
        resolve({ status: statusCode, message: statusMessage, headers, body: Buffer.concat(chunks).toString() });
      });
    });
    req.on('error', reject);
    req.end(body);
  });
}

function wire(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1');
    let received = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.on('end', () => resolve(received));
    socket.on('error', reject);
    socket.write(bytes);
  });
}
