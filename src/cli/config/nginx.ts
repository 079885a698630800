import { formatAddress } from '../../adapters/address.ts';
import type { ConfigOptions } from '../config.ts';

/** What nginx drops of the app's answer when it sends a file in its place. Others it keeps: see docs/files.md. */
const DROPPED = [
  'Vary',
  'Content-Language',
  'Content-Security-Policy',
  'Content-Security-Policy-Report-Only',
  'X-Content-Type-Options',
  'X-Frame-Options',
  'Referrer-Policy',
  'Permissions-Policy',
  'Strict-Transport-Security',
  'Cross-Origin-Embedder-Policy',
  'Cross-Origin-Opener-Policy',
  'Cross-Origin-Resource-Policy',
  'Access-Control-Allow-Origin',
  'Access-Control-Allow-Credentials',
  'Access-Control-Expose-Headers',
  'Timing-Allow-Origin',
  'X-Robots-Tag',
  'Link',
];

function filesLocation(files: string): string {
  const variable = (name: string) => `$upstream_http_${name.toLowerCase().replaceAll('-', '_')}`;
  return `
  # What the app hands over: app.set('offload', { header: 'X-Accel-Redirect', prefix: '/_files', root: '${files}' }).
  # The user that nginx's workers run as must be allowed to read it.
  location ^~ /_files/ {
    # For clients it is not there.
    internal;
    alias "${files}/";

    # Of the app's headers nginx keeps Content-Type, Content-Disposition, Cache-Control, Expires and Set-Cookie; the
    # others have to be named. One that the app has not set is not sent.
${DROPPED.map((name) => `    add_header ${name} ${variable(name)};`).join('\n')}
  }
`;
}

export function nginx({ socket, listen, files, pages }: ConfigOptions): string {
  return `# nginx: put this beside your other sites, as /etc/nginx/conf.d/app.conf; it belongs into the \`http\` block.

upstream app {
  # The user that nginx's workers run as must be allowed to write to the socket.
  server "${formatAddress(socket)}";
  # Idle connections that are kept: without it, and fastcgi_keep_conn below, every request pays for a new one.
  keepalive 16;
}

server {
  listen ${formatAddress(listen)};

  # nginx refuses a body of more than 1 MB. It also spools what it takes, so leave it some limit.
  client_max_body_size 32m;

${pages === undefined ? everything() : pagesOf(pages)}${files === undefined ? '' : filesLocation(files)}}
`;
}

/** What belongs to `fastcgi_pass`: how, and what is told of the request. */
const FASTCGI = `# Without it, nginx asks the app to close the connection after each answer.
fastcgi_keep_conn on;

# Answers are collected in these before they are passed on. Do not turn buffering off for the sake of streams
# and server-sent events: the app says so for one answer with the header \`X-Accel-Buffering: no\`.
fastcgi_buffer_size 16k;
fastcgi_buffers 8 16k;

# How long the app may be silent; raise it where answers stay open, as server-sent events do.
fastcgi_read_timeout 60s;

# What the request is, as the client sent it: the app routes by REQUEST_URI.
fastcgi_param REQUEST_METHOD $request_method;
fastcgi_param REQUEST_URI $request_uri;
fastcgi_param QUERY_STRING $query_string;
fastcgi_param CONTENT_TYPE $content_type;
fastcgi_param CONTENT_LENGTH $content_length;
fastcgi_param SERVER_PROTOCOL $server_protocol;
# Every header follows as HTTP_*, without being named here. nginx's packaged \`fastcgi_params\` may replace
# HTTP_HOST by $host, which has no port; this file does not include it.

# Which file it would be: for pages and for CGI's own variables.
fastcgi_param DOCUMENT_ROOT $document_root;
fastcgi_param SCRIPT_NAME $fastcgi_script_name;
fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;

# Who asks, and how: req.ip, req.secure and req.protocol.
fastcgi_param REMOTE_ADDR $remote_addr;
fastcgi_param REMOTE_PORT $remote_port;
fastcgi_param REQUEST_SCHEME $scheme;
fastcgi_param HTTPS $https if_not_empty;
# Not REMOTE_USER: nginx's $remote_user is whatever name the client sends, with any password. Only where
# \`auth_basic\` checks it, add: fastcgi_param REMOTE_USER $remote_user;

fastcgi_param GATEWAY_INTERFACE CGI/1.1;
fastcgi_param SERVER_SOFTWARE nginx/$nginx_version;
# $server_name would be empty where the site has no name, and the same for each name that it has.
fastcgi_param SERVER_NAME $host;
fastcgi_param SERVER_ADDR $server_addr;
fastcgi_param SERVER_PORT $server_port;

# A client's \`Proxy:\` header must not look like the variable of that name (CVE-2016-5385). The app drops it
# as well; this protects whatever else is behind the same lines.
fastcgi_param HTTP_PROXY "" if_not_empty;`;

function everything(): string {
  return `  location / {
    fastcgi_pass app;

${indented(FASTCGI, 4)}
  }
`;
}

/** Files by nginx, and everything else by the app. */
function pagesOf(folder: string): string {
  return `  root "${folder}";

  # Pages, with or without a path behind their name; and what is not for everybody: names that begin with a dot or an
  # underscore, and pages under another name, such as x.JHTML or x.jhtml.bak. nginx must never send these as the files
  # that they are: the app knows what to answer.
  location ~* \\.jhtml|/[._] {
    fastcgi_split_path_info ^(.+?\\.jhtml)(/.*)$;
    fastcgi_pass app;
  }

  # Files that are there. Everything else, folders too, is asked of the app: /about may be about.jhtml, /users/7 may be
  # users/[id].jhtml, / is index.jhtml, and what is not there is 404.jhtml.
  location / {
    try_files $uri @app;
  }

  location @app {
    fastcgi_pass app;
  }

${indented(FASTCGI, 2)}
  fastcgi_param PATH_INFO $fastcgi_path_info;
`;
}

function indented(text: string, by: number): string {
  return text.replace(/^(?=.)/gm, ' '.repeat(by));
}
