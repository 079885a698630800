import http from 'node:http';
import { Request } from '../core/request.ts';
import { Response } from '../core/response.ts';

/**
 * `http.createServer` with this package's two classes, so that an application finds the same on both doors.
 *
 * @param options Node's own.
 */
export function createHttpServer(options: http.ServerOptions, listener: http.RequestListener): http.Server {
  const classes = { IncomingMessage: Request, ServerResponse: Response };
  return http.createServer({ ...options, ...classes } as http.ServerOptions, listener);
}
