import { Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Server } from 'node:net';

type Listener = (...args: unknown[]) => void;

/**
 * Has a server serve exactly one request, and close; who comes beside it gets a 503. Resolves when it is closed, and can
 * listen anew.
 */
export function handleRequest(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const listeners = server.rawListeners('request') as Listener[];
    server.once('close', () => {
      server.removeAllListeners('request');
      for (const listener of listeners) server.on('request', listener);
      resolve();
    });
    // Before the application's own: those are still called for this one, although they are removed.
    server.prependOnceListener('request', (req: IncomingMessage, res: ServerResponse) => {
      server.removeAllListeners('request');
      server.on('request', refuse);
      res.setHeader('Connection', 'close');
      // Clients that are connected and say nothing would keep it open.
      if (server instanceof HttpServer) req.socket.once('close', () => server.closeAllConnections());
      server.close();
    });
  });
}

function refuse(_req: IncomingMessage, res: ServerResponse): void {
  res.writeHead(503, { Connection: 'close' }).end();
}
