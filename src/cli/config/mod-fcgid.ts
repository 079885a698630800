import { formatAddress } from '../../adapters/address.ts';
import { fcgiError } from '../../core/errors.ts';
import type { ConfigOptions } from '../config.ts';

export function modFcgid({ listen, program = '' }: ConfigOptions): string {
  const file = program.split(/\s+/).findLast((word) => word.startsWith('/'));
  if (file === undefined) {
    throw fcgiError('FCGI_ERR_ARGUMENT', 'mod_fcgid starts the app itself: --program says how, with absolute paths');
  }
  const here = formatAddress(listen);
  return `# Apache with mod_fcgid, which starts the app itself: put this beside your other sites, as
# /etc/apache2/sites-enabled/app.conf. It needs three modules: \`a2enmod fcgid alias env\`.

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

  # Apache drops the app's Content-Length, since a CGI program's may be wrong. The app's is right, it sees to that
  # itself. (Apache 2.4.59 and newer.)
  SetEnv ap_trust_cgilike_cl 1

  # mod_fcgid answers 500 to a body of more than 128 KB. What it takes it also spools, so leave it some limit; the
  # second one is there to answer 413.
  FcgidMaxRequestLen 33554432
  LimitRequestBody 33554432

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
