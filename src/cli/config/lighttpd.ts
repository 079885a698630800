import { type Address, formatAddress } from '../../adapters/address.ts';
import type { ConfigOptions } from '../config.ts';

export function lighttpd({ socket, listen, program, files, pages }: ConfigOptions): string {
  const app = appOf(socket, program, files);
  return `# lighttpd: put this beside your other sites, as /etc/lighttpd/conf-enabled/90-app.conf.

server.modules += ( "mod_access", ${pages === undefined ? '' : '"mod_rewrite", '}"mod_fastcgi" )
${
  files === undefined
    ? ''
    : `
# It remembers the sizes of files for a second or two: one that has changed is cut off, under the app's ETag for the whole.
server.stat-cache-engine = "disable"
`
}
# Where lighttpd listens there already, only what is inside is needed; with $HTTP["host"] == "example.com" around it.
$SERVER["socket"] == ${quoted(formatAddress(listen))} {
  # lighttpd collects the whole answer before it sends any of it: no server-sent events, and downloads on its disk.
  # 2: sends what there is, and holds the app back where the client is slow.
  server.stream-response-body = 2

  # A body is spooled before the app is asked. 2 would pass it on as it comes, but then lighttpd answers 411 where it
  # does not know the length.
  server.stream-request-body = 0
  # In KB. It spools without any limit otherwise.
  server.max-request-size = 32768

${
  files === undefined && pages === undefined
    ? `  # It would promise \`Accept-Ranges: bytes\` for every answer. Where ranges make sense, the app does them itself.
  server.range-requests = "disable"`
    : `  # For the files that it sends; it promises \`Accept-Ranges: bytes\` for every answer then.
  server.range-requests = "enable"`
}

  # Debian's configuration answers 403 to paths that end in ~ or .inc, as if they were files.
  url.access-deny = ( )

${pages === undefined ? everything(app) : pagesOf(pages, app)}}

# Four things that need no line. REQUEST_URI, by which the app routes, is as the client sent it, though QUERY_STRING is
# normalized by server.http-parseopts. The Authorization header is passed on. HTTPS is there wherever TLS is at work.
# A client's \`Proxy:\` header is dropped (CVE-2016-5385).
`;
}

/** How the app is reached. */
function appOf(socket: Address, program: string | undefined, files: string | undefined): string {
  const where =
    'path' in socket
      ? `"socket" => ${quoted(socket.path)},`
      : `"host" => ${quoted(socket.host)},\n"port" => ${socket.port},`;
  const start =
    program === undefined
      ? '# The user that lighttpd runs as must be allowed to write to the socket.'
      : `# lighttpd starts this and starts it again, with the socket as its file descriptor 0; arguments cannot contain
# spaces. One process has room for many requests, so do not let lighttpd start four. It puts a number behind the
# socket's name, and must be allowed to write into its folder.
"bin-path" => ${quoted(program)},
"max-procs" => 1,`;
  return `${start}
${where}

# Every path is the app's, whether there is a file of that name or not.
"check-local" => "disable",

# Without it, lighttpd takes the first segment of each path for SCRIPT_NAME.
"fix-root-scriptname" => "enable",

# The app hears at once that the client has left, not when it next writes to it.
"tcp-fin-propagate" => "enable",
${
  files === undefined
    ? ''
    : `
# What the app hands over: app.set('offload', { header: 'X-Sendfile', root: '${files}' }).
# The user that lighttpd runs as must be allowed to read it.
"x-sendfile" => "enable",
"x-sendfile-docroot" => ( ${quoted(files)} ),
`
}`;
}

function everything(app: string): string {
  return `  fastcgi.server = ( "/" => ( (
${indented(app, 4)}  ) ) )
`;
}

/** Files by lighttpd, and everything else by the app. */
function pagesOf(folder: string, app: string): string {
  return `  server.document-root = ${quoted(folder)}

  # Files that are there lighttpd sends itself. Everything else, folders too, gets a name that no file has, and is asked
  # of the app: /about may be about.jhtml, /users/7 may be users/[id].jhtml, / is index.jhtml, and what is not there is
  # 404.jhtml. REQUEST_URI stays what the client sent.
  url.rewrite-if-not-file = ( "^(?![^?]*\\.jhtml(?:[/?]|$))" => "/_\${qsa}" )

  # Pages, with or without a path behind their name; and what is not for everybody: names that begin with a dot or an
  # underscore, and pages under another name, such as x.JHTML or x.jhtml.bak. lighttpd must never send these as the
  # files that they are: the app knows what to answer.
  $HTTP["url"] =~ "(?i)\\.jhtml|/[._]" {
    var.app = (
${indented(app, 6)}    )
    fastcgi.server = ( ".jhtml" => ( var.app ), "/" => ( var.app ) )
  }
`;
}

function indented(text: string, by: number): string {
  return text.replace(/^(?=.)/gm, ' '.repeat(by));
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
