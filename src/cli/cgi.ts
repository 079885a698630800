import { parseArgs } from 'node:util';
import { createApp } from '../core/app.ts';
import { cgi as programs } from '../middleware/index.ts';
import { DOORS, DOORS_USAGE, ENV, folder, variables } from './arguments.ts';
import { serveApp } from './serve-app.ts';

/** `fcgi cgi DIR`: serves the CGI programs of a folder. */
export const cgi = {
  usage: `fcgi cgi DIR [--fastcgi ADDRESS] [--http ADDRESS] [--mount PATH] [--env NAME=VALUE]…
  Serves the CGI programs of a folder. Without an address: as what it was started, by a person over HTTP on port 8080.
${DOORS_USAGE}
  --mount          the path of the URL below which the programs are (default /)
  --env            a variable for the programs; may come several times
  --timeout        seconds in which nothing may pass between client and program (default 60)
  --max-processes  programs at a time (default 4 for each processor)`,

  async run(args: string[]): Promise<void> {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        ...DOORS,
        ...ENV,
        mount: { type: 'string', default: '/' },
        timeout: { type: 'string' },
        'max-processes': { type: 'string' },
      },
    });
    const dir = folder(positionals);
    const { fastcgi, http, mount, timeout } = values;
    // Nothing is shown of an error's stack unless somebody asks for it.
    const app = createApp({ env: process.env.NODE_ENV || 'production' });
    const options = {
      env: variables(values.env),
      timeout: timeout === undefined ? undefined : Number(timeout) * 1000,
      maxProcesses: values['max-processes'] === undefined ? undefined : Number(values['max-processes']),
    };
    app.use(mount, programs(dir, options));
    await serveApp(app, { fastcgi, http });
  },
};
