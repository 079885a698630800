import http from 'node:http';
import { Request } from '../core/request.ts';
import { Response } from '../core/response.ts';
import { handleRequest } from './handle-request.ts';

/** `http.Server` with this package's two classes, so that an application finds the same on both doors. */
export class HttpServer extends http.Server {
  /** @param options Node's own. */
  constructor(options: http.ServerOptions = {}, listener?: http.RequestListener) {
    const classes = { IncomingMessage: Request, ServerResponse: Response };
    super({ ...options, ...classes } as http.ServerOptions, listener);
  }

  /** Serves exactly one request, and closes; resolves when all connections are closed. */
  handleRequest(): Promise<void> {
    return handleRequest(this);
  }
}
