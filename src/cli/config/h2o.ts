import type { ConfigOptions } from '../config.ts';

export function h2o({ socket, listen, program }: ConfigOptions): string {
  return `# H2O: put this into /etc/h2o/h2o.conf; what is below \`hosts:\` goes below the one that is there.

# H2O takes all of a body into memory before it passes it on, 1 GB of it unless told. This can only be set for all sites.
limit-request-body: 33554432

hosts:
  # The name of your site: H2O tells it as SERVER_NAME. \`default\` is for whatever name.
  "default":
    listen:
      host: ${JSON.stringify(listen.host)}
      port: ${listen.port}
    paths:
      "/":
${program === undefined ? connectTo(socket) : spawnWith(program)}

        # How long the app may be silent, in ms; raise it where answers stay open, as server-sent events do.
        fastcgi.timeout.io: 60000

        # Every request gets a new connection. Do not keep them: H2O aborts, with all that it serves, where the app
        # answers while H2O still writes a body to a connection that is to be kept.
        fastcgi.timeout.keepalive: 0

        setenv:
          GATEWAY_INTERFACE: "CGI/1.1"
          # A client's \`Proxy:\` header must not look like the variable of that name (CVE-2016-5385). The app drops it
          # as well; this protects whatever else is behind the same lines.
          HTTP_PROXY: ""
`;
}

function connectTo(socket: ConfigOptions['socket']): string {
  if ('path' in socket) {
    return `        # H2O's user must be allowed to write to the socket.
        fastcgi.connect:
          type: unix
          port: ${JSON.stringify(socket.path)}`;
  }
  return `        fastcgi.connect:
          host: ${JSON.stringify(socket.host)}
          port: ${socket.port}`;
}

function spawnWith(program: string): string {
  return `        # H2O starts the app as its own user, with a socket of its own, and ends it when it ends itself. It does so by
        # a shell, which without \`exec\` would end in the place of the app and leave it behind.
        fastcgi.spawn: ${JSON.stringify(`exec ${program}`)}`;
}
