import type { IncomingMessage, ServerResponse } from 'node:http';
import { Request } from './request.ts';
import { Response } from './response.ts';
import type { Handler, NextFunction } from './types.ts';

/**
 * HOT. Makes a request and a response of another server or framework ours, until they leave through the `next` it
 * gives back. Those that are ours already pass at no cost.
 */
export function adopt(
  req: IncomingMessage,
  res: ServerResponse,
  next: NextFunction | undefined,
): NextFunction | undefined {
  if (req instanceof Request && res instanceof Response) return next;
  const leave = next && restoring(req, res, next);
  Object.setPrototypeOf(req, Request.prototype);
  Object.setPrototypeOf(res, Response.prototype);
  return leave;
}

/** Whether a handler is an Express application: these replace the prototypes of what they are called with. */
export function isExpress(handler: unknown): handler is Handler {
  const { handle, set } = handler as { handle?: unknown; set?: unknown };
  return typeof handle === 'function' && typeof set === 'function';
}

/** Calls an Express application with a request that is of no application yet, and takes back what it passes on. */
export function mountExpress(express: Handler): Handler {
  return (req, res, next) => {
    const leave = restoring(req, res, next);
    Reflect.deleteProperty(req, 'app');
    Reflect.deleteProperty(res, 'app');
    return express(req, res, leave);
  };
}

function restoring(req: IncomingMessage, res: ServerResponse, next: NextFunction): NextFunction {
  const restoreRequest = snapshot(req);
  const restoreResponse = snapshot(res);
  return (error) => {
    restoreRequest();
    restoreResponse();
    next(error);
  };
}

/** Remembers whose a message is. In Express its `app` comes from the prototype, and before 5 `query` does not. */
function snapshot(message: object): () => void {
  const prototype = Object.getPrototypeOf(message);
  const own = ['app', 'query'].map((name) => [name, Object.getOwnPropertyDescriptor(message, name)] as const);
  return () => {
    Object.setPrototypeOf(message, prototype);
    for (const [name, property] of own) {
      if (property === undefined) Reflect.deleteProperty(message, name);
      else Object.defineProperty(message, name, property);
    }
  };
}
