import { formatAddress } from '../../adapters/address.ts';
import type { ConfigOptions } from '../config.ts';

export function apache({ socket, listen, files, pages }: ConfigOptions): string {
  // Over a unix socket, the host is but a name that tells this worker from others.
  const upstream = 'path' in socket ? `unix:${socket.path}|fcgi://app` : `fcgi://${formatAddress(socket)}`;
  return `# Apache: put this beside your other sites, as /etc/apache2/sites-enabled/app.conf. It needs its event MPM and three
# modules: \`a2enmod proxy proxy_fcgi env\`.

# Drop this line where Apache listens there already, and give the site its name with ServerName.
Listen ${formatAddress(listen)}

<VirtualHost *:${listen.port}>
  # The user that Apache runs as must be allowed to write to the socket.
  #
  # enablereuse    keeps connections. Without it, every request pays for a new one.
  # ttl            seconds; less than the 75 after which the app closes what is idle, so that no request is lost.
  # timeout        seconds for which the app may be silent; raise it where answers stay open, as server-sent events do.
  # flushpackets   what the app writes goes on at once; auto: unless more comes within 10 ms. Without it, Apache
  #                collects 8 KB, and server-sent events do not arrive.
${pages === undefined ? everything(upstream) : pagesOf(pages, upstream)}
  # Apache answers 404 to any path with %2F in it.
  AllowEncodedSlashes NoDecode

  # Apache drops the app's Content-Length, since a CGI program's may be wrong: no download would know its size, and
  # HEAD no length. The app's is right, it sees to that itself. (Apache 2.4.59 and newer.)
  SetEnv ap_trust_cgilike_cl 1

  # The file that it would be, for pages: Apache says proxy:fcgi://… here.
  ProxyFCGISetEnvIf true SCRIPT_FILENAME "%{reqenv:DOCUMENT_ROOT}%{reqenv:SCRIPT_NAME}"

  <Location />
    # Apache keeps the Authorization header from applications. Who logged in to Apache itself is REMOTE_USER.
    CGIPassAuth On
  </Location>

  # Three things that need no line. REQUEST_URI, by which the app routes, is as the client sent it. HTTPS is there
  # wherever mod_ssl is at work. A client's \`Proxy:\` header is dropped (CVE-2016-5385).
  #
  # LimitRequestBody does not count for what is passed on: Apache spools nothing, and maxBodyBytes is the app's limit.
${files === undefined ? '' : sendFiles(files)}</VirtualHost>
`;
}

const PARAMETERS = 'enablereuse=on ttl=60 timeout=60 flushpackets=auto';

function everything(upstream: string): string {
  return `  ProxyPass / "${upstream}/" ${PARAMETERS}
`;
}

/** Files by Apache, and everything else by the app. */
function pagesOf(folder: string, upstream: string): string {
  return `  <Proxy "${upstream}">
    ProxySet ${PARAMETERS}
  </Proxy>

  DocumentRoot "${folder}"
  <Directory "${folder}">
    Require all granted
    AllowOverride None
    AcceptPathInfo On
    # It would look for folders first, and redirect to them.
    DirectorySlash Off
    DirectoryIndex disabled

    # Files that are there Apache sends itself, but for names that begin with a dot or an underscore, and for pages under
    # whatever name, such as x.JHTML or x.jhtml.bak. Everything else is asked of the app, folders too: /about may be
    # about.jhtml, /users/7 may be users/[id].jhtml, / is index.jhtml, and what is not there is 404.jhtml.
    <If "! -f %{REQUEST_FILENAME} || %{REQUEST_URI} =~ m#\\.jhtml|/[._]#i">
      SetHandler "proxy:${upstream}"
    </If>
  </Directory>
`;
}

function sendFiles(files: string): string {
  return `
  # What the app hands over: app.set('offload', { header: 'X-Sendfile', root: '${files}' }). It needs
  # libapache2-mod-xsendfile, and \`a2enmod xsendfile\`. The user that Apache runs as must be allowed to read it.
  XSendFile on
  XSendFilePath "${files}"
  # The app's ETag is sent. Where it sends none, mod_xsendfile would give every file the same one.
  FileETag None
`;
}
