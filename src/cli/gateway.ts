import { parseArgs } from 'node:util';
import { FcgiClient } from '../adapters/client/client.ts';
import { upstream } from '../adapters/client/upstream.ts';
import { createApp } from '../core/app.ts';
import { fcgiError } from '../core/errors.ts';
import { proxy } from '../middleware/index.ts';
import { ENV, variables } from './arguments.ts';
import { serveApp } from './serve-app.ts';

/** `fcgi gateway ADDRESS`: what a web server does, where none is installed. */
export const gateway = {
  usage: `fcgi gateway ADDRESS… [--http ADDRESS] [--root DIR] [--index FILE] [--split .EXT]… [--env NAME=VALUE]…
  Serves a FastCGI application over HTTP, for development and tests: a web server where none is installed.
  ADDRESS    of the application: the path of a socket, a port or host:port; several that do the same share the requests
  --http     where browsers reach it: a port or host:port (default 8080)
  --root     the folder of its scripts, as PHP has it: files in it are sent, scripts run. Default: all is passed on
  --index    the script for folders, and for what is neither file nor script (default index.php)
  --split    what the names of scripts end with (default .php); may come several times
  --env      a CGI parameter; may come several times
  --timeout  seconds in which nothing may come of the application (default 60)`,

  async run(args: string[]): Promise<void> {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        ...ENV,
        http: { type: 'string', default: '8080' },
        root: { type: 'string' },
        index: { type: 'string' },
        split: { type: 'string', multiple: true },
        timeout: { type: 'string', default: '60' },
      },
    });
    if (positionals.length === 0) throw fcgiError('FCGI_ERR_ARGUMENT', 'expected the address of an application');
    const { root, index, split } = values;
    const timeout = Number(values.timeout) * 1000;
    const client = new FcgiClient(upstream(positionals), { headersTimeout: timeout, bodyTimeout: timeout });
    // Nothing is shown of an error's stack unless somebody asks for it.
    const app = createApp({ env: process.env.NODE_ENV || 'production' });
    app.use(proxy(client, { root, index, split, env: variables(values.env) }));
    await serveApp(app, { http: values.http });
  },
};
