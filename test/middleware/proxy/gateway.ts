import { createApp } from '../../../src/core/app.ts';
import type { FcgiError } from '../../../src/core/errors.ts';
import type { ErrorHandler } from '../../../src/core/types.ts';
import { type ProxyOptions, proxy } from '../../../src/middleware/index.ts';
import { type Answerer, type Application, application, clientOf } from '../../adapters/client/application.ts';
import type { Door } from '../../adapters/fastcgi/client.ts';
import type { Ask, DOORS } from '../doors.ts';

export interface Gateway {
  ask: Ask;
  backend: Application;
  /** What the application has of errors; the client gets their codes. */
  errors: FcgiError[];
}

/** An application of ours that hands everything to one that does to the letter what a test says. */
export async function gateway(
  open: (typeof DOORS)[number][1],
  door: Door,
  answerer: Answerer,
  options: ProxyOptions & { mount?: string; client?: Parameters<typeof clientOf>[1] } = {},
): Promise<Gateway> {
  const { mount = '/', client, ...own } = options;
  const backend = await application(answerer);
  const errors: FcgiError[] = [];
  const app = createApp({ env: 'test' });
  app.use(mount, proxy(client ? clientOf(backend.address, client) : backend.address, own));
  app.use((req, res) => res.status(404).send(`passed on ${req.originalUrl}`));
  const onError: ErrorHandler = (error, _req, res, next) => {
    errors.push(error as FcgiError);
    if (res.headersSent) next(error);
    else res.status((error as FcgiError).status).send((error as FcgiError).code);
  };
  app.use(onError);
  return { ask: await open(app, door), backend, errors };
}

/** Says what it was told to run. */
export const telling: Answerer = (request) => {
  const { SCRIPT_FILENAME, SCRIPT_NAME, PATH_INFO, REQUEST_URI, QUERY_STRING, DOCUMENT_ROOT } = request.params;
  const file = DOCUMENT_ROOT === undefined ? SCRIPT_FILENAME : SCRIPT_FILENAME?.replace(DOCUMENT_ROOT, '<root>');
  request.answer([file, SCRIPT_NAME, PATH_INFO, REQUEST_URI, QUERY_STRING].join(' | '));
};
