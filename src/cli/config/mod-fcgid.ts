import { formatAddress } from '../../adapters/address.ts';
import { fcgiError } from '../../core/errors.ts';
import type { ConfigOptions } from '../config.ts';
import { plain } from './plain.ts';

export function modFcgid({ listen, program = '' }: ConfigOptions): string {
  const file = program.split(/\s+/).findLast((word) => word.startsWith('/'));
  if (file === undefined) {
    throw fcgiError('FCGI_ERR_ARGUMENT', 'mod_fcgid starts the app itself: --program says how, with absolute paths');
  }
  plain('program', program);
  const here = formatAddress(listen);
  return `# Apache with mod_fcgid, which starts the app itself: put this beside your other sites, as
# /etc/apache2/sites-enabled/app.conf. It needs two modules: \`a2enmod fcgid alias\`.

Listen ${here}
<VirtualHost ${here}>
  # Every path is the program's, whatever file or folder has that name. It need not be in DocumentRoot.
  ScriptAlias "/" "${file}/"
  <Location "/">
    SetHandler fcgid-script
    Options +ExecCGI
    Require all granted
  </Location>

  # How it is started; 'virtual' for every path that comes to it, not for that file alone.
  FcgidWrapper "${program}" virtual

  # Apache keeps the Authorization header from applications. Who logged in to Apache itself is REMOTE_USER.
  FcgidPassHeader Authorization

  # Of Apache's own environment it gets nothing but PATH.
  FcgidInitialEnv NODE_ENV production

  # Otherwise Apache answers 404 itself where a path has %2F in it.
  AllowEncodedSlashes NoDecode

  # mod_fcgid answers 500 to a body of more than 128 KB. It also spools what it takes, so leave it some limit; where the
  # length is known the answer is 413. LimitRequestBody must not be the lower limit: then the app would get no body at
  # all, and a CONTENT_LENGTH of 0.
  FcgidMaxRequestLen 33554432
  <If "req_novary('Content-Length') -gt 33554432">
    Redirect 413 "/"
  </If>

  # Where an answer breaks off, mod_fcgid puts Apache's page for an error behind what has come of it: up to its
  # Content-Length, as if it were whole. So this page has one character; those that the app makes are not touched.
  ErrorDocument 500 " "

  # What the app writes goes on at once. Without this, mod_fcgid keeps it until 64 KB are together.
  FcgidOutputBufferSize 0

  # How long the app may be silent, and how long one answer may take in all, in seconds: raise them where answers stay
  # open, as server-sent events do.
  FcgidIOTimeout 60
  FcgidBusyTimeout 300

  # A process has one request at a time, so that each slow one takes a process more: by default up to 100, which for
  # Node.js is a matter of memory. One remains when there is nothing to do, so that the next request need not wait for
  # it to start.
  FcgidMaxProcessesPerClass 8
  FcgidMinProcessesPerClass 1
</VirtualHost>
`;
}
