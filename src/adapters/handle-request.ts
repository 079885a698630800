import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import type { Server } from 'node:net';

/** Has a server serve exactly one request, and close; who comes beside it gets a 503. Resolves when it is closed. */
export function handleRequest(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.once('close', resolve);
    // Before the application's own: those are still called for this one, although they are removed.
    server.prependOnceListener('request', () => {
      server.removeAllListeners('request');
      server.on('request', refuse);
      // Otherwise a kept connection stays open for another five seconds.
      if ('keepAliveTimeout' in server) (server as HttpServer).keepAliveTimeout = 1;
      server.close();
    });
  });
}

function refuse(_req: IncomingMessage, res: ServerResponse): void {
  res.writeHead(503, { Connection: 'close' }).end();
}
