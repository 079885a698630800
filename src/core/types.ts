import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RouteParams } from './path.ts';
import type { Request } from './request.ts';
import type { Response } from './response.ts';

/** Passes the request on; with an error, to the error handlers; with `'route'` or `'router'`, out of either. */
export type NextFunction = (error?: unknown) => void;

/** Middleware and route handlers alike. What it returns is awaited: a rejection goes to the error handlers. */
export type Handler<Path extends string = string> = (
  req: Request<RouteParams<Path>>,
  res: Response,
  next: NextFunction,
) => unknown;

/** Told from a `Handler` by its four parameters, as in Connect. */
export type ErrorHandler<Path extends string = string> = (
  error: unknown,
  req: Request<RouteParams<Path>>,
  res: Response,
  next: NextFunction,
) => unknown;

/** In the manner of Connect: it serves in any such framework, whose request and response are not ours. */
export type Middleware = (req: IncomingMessage, res: ServerResponse, next: NextFunction) => void;
