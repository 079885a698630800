import { statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Address, formatAddress } from '../adapters/address.ts';
import { serve } from '../adapters/serve.ts';
import { createApp } from '../core/app.ts';
import { fcgiError } from '../core/errors.ts';
import { cgi as programs } from '../middleware/index.ts';

/** `fcgi cgi DIR`: serves the CGI programs of a folder. */
export const cgi = {
  usage: `fcgi cgi DIR [--fastcgi ADDRESS] [--http ADDRESS] [--mount PATH] [--env NAME=VALUE]…
  Serves the CGI programs of a folder. Without an address: as what it was started, by a person over HTTP on port 8080.
  --fastcgi        where web servers reach it: a path, a port or host:port
  --http           where browsers do
  --mount          the path of the URL below which the programs are (default /)
  --env            a variable for the programs; may come several times
  --timeout        seconds in which nothing may pass between client and program (default 60)
  --max-processes  programs at a time (default 4 for each processor)`,

  async run(args: string[]): Promise<void> {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        fastcgi: { type: 'string' },
        http: { type: 'string' },
        mount: { type: 'string', default: '/' },
        env: { type: 'string', multiple: true, default: [] },
        timeout: { type: 'string' },
        'max-processes': { type: 'string' },
      },
    });
    const [dir = '', ...rest] = positionals;
    if (dir === '' || rest.length > 0) throw fcgiError('FCGI_ERR_ARGUMENT', 'expected one folder');
    if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) {
      throw fcgiError('FCGI_ERR_ARGUMENT', `${dir} is no folder`);
    }
    const { fastcgi, http, mount, timeout } = values;
    // Nothing is shown of an error's stack unless somebody asks for it.
    const app = createApp({ env: process.env.NODE_ENV || 'production' });
    const options = {
      env: Object.fromEntries(values.env.map(variable)),
      timeout: timeout === undefined ? undefined : Number(timeout) * 1000,
      maxProcesses: values['max-processes'] === undefined ? undefined : Number(values['max-processes']),
    };
    app.use(mount, programs(dir, options));
    const doors = await serve(app, { fastcgi, http });
    if (fastcgi !== undefined) console.log(`Listening on ${formatAddress(doors.fastcgi as Address)}`);
    if (http !== undefined) console.log(`Listening on http://${formatAddress(doors.http as Address)}`);
  },
};

function variable(text: string): [name: string, value: string] {
  const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/s.exec(text) ?? [];
  if (name === undefined) throw fcgiError('FCGI_ERR_ARGUMENT', `--env takes NAME=VALUE, not ${text}`);
  return [name, value!];
}
