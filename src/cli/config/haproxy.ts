import { formatAddress } from '../../adapters/address.ts';
import type { ConfigOptions } from '../config.ts';

export function haproxy({ socket, listen, multiplex = false }: ConfigOptions): string {
  const server = 'path' in socket ? `unix@${socket.path}` : formatAddress(socket);
  return `# HAProxy, from 2.6 on: put this into /etc/haproxy/haproxy.cfg, below \`global\` and \`defaults\`.
#
# In \`global\`, leave \`tune.bufsize\` as it is, 64 KB at the most: with more, HAProxy (before 3.4, if not mended) writes
# wrong lengths, and a body can pass for further requests. All headers of a request must fit into it; else it answers 400.

listen app
  mode http
  bind ${formatAddress(listen)}

  # How long the client, and the app, may be silent; raise it where answers stay open, as server-sent events do.
  timeout client 60s
  timeout server 60s
  timeout connect 5s
  # How long the head of a request may take, and of its body the first 16 KB: the app hears of it after that.
  timeout http-request 10s

  # It needs to know how long a body is: if it is not told, a buffer (16 KB) must hold all of it. Otherwise HAProxy
  # answers 400, which tells the client nothing.
  acl length_unknown req.hdr_cnt(content-length) eq 0
  http-request wait-for-body time 10s if length_unknown
  http-request return status 411 content-type text/plain string "Length Required" if length_unknown { req.body_len gt 8192 }

  # A request whose client has left is given up. HAProxy does not tell the app, but closes the connection when the app
  # next writes and nobody else uses it; with \`no option keep-conn\` below, and one request on a connection, at once.
  option abortonclose

  # What the app writes goes on at once. Without this, it waits up to 200 ms for more.
  option http-no-delay

${multiplex ? SAFE : ALWAYS}

  # HAProxy's user must be allowed to write to a socket. Where \`global\` has a \`chroot\`, as in Debian, it looks for the
  # path in there: for /run/app.sock it would be /var/lib/haproxy/run/app.sock.
  server app "${server}" proto fcgi
  use-fcgi-app app

fcgi-app app
  # What the app writes to its web server's error log; HAProxy throws it away unless told.
  log-stderr global

  # Must be there. The app routes by REQUEST_URI, and does not look for files.
  docroot /

  # Connections are kept for further requests.
  option keep-conn
${multiplex ? MULTIPLEX : ''}
  # HAProxy keeps this header to itself unless told.
  pass-header Authorization

  # HAProxy's own REMOTE_USER is whatever name the client sends, with any password. So the app gets none, but what you
  # set above, once you have looked:
  #   http-request auth unless { http_auth(users) }
  #   http-request set-var(txn.remote_user) http_auth_user
  #   http-request set-var(txn.auth_type) http_auth_type
  set-param REMOTE_USER %[var(txn.remote_user)]
  set-param AUTH_TYPE %[var(txn.auth_type)]

  # HAProxy's own is the Host header, with its port.
  set-param SERVER_NAME %[req.hdr(host),host_only]
`;
}

const ALWAYS = `  # The first request of a client may also take a kept connection. Unless told, HAProxy makes a new one for it.
  http-reuse always`;

const SAFE = `  # Several requests on one connection are those of one client, which comes with HTTP/2. With \`always\`, they would be
  # those of several, and one that stops reading would stop the others.
  http-reuse safe`;

const MULTIPLEX = `
  # Several requests at a time on one connection, as many as the app says that it takes: 100, unless its
  # maxRequestsPerConnection is another.
  # Only for HAProxy 3.4, or an older one with haproxy/haproxy#3346 mended (which the 2.6 of Debian 12 is not): before,
  # those that do not fit into one buffer with the others, as where many begin at once, are answered with 500.
  option mpxs-conns
  option get-values
  option max-reqs 100
`;
