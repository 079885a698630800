import { formatAddress } from '../../adapters/address.ts';
import type { ConfigOptions } from '../config.ts';

export function caddy({ socket, listen, files }: ConfigOptions): string {
  const upstream = 'path' in socket ? `unix/${socket.path}` : formatAddress(socket);
  return `# Caddy: put this into your Caddyfile, and give the site its name (\`example.com {\`): then Caddy also fetches the
# certificate itself.
http://:${listen.port} {
	bind ${listen.host}

	# reverse_proxy and not php_fastcgi: the latter looks for .php files and rewrites what it does not find.
	reverse_proxy ${upstream} {
		transport fastcgi

		# What the app writes goes on at once. Without this, Caddy keeps what has no Content-Length until 4 KB are
		# together; only server-sent events never wait.
		flush_interval -1

		# FastCGI's \`Status\` has become the status: without this, Caddy sends it as a header, too.
		header_down -Status
${files === undefined ? '' : handleFiles(files)}	}
}
`;
}

function handleFiles(files: string): string {
  return `
		# What the app hands over: app.set('offload', { header: 'X-Sendfile', root: '${files}' }).
		@file header X-Sendfile *
		handle_response @file {
			copy_response_headers {
				exclude X-Sendfile Content-Length Status
			}
			root * "${files}"
			rewrite * {rp.header.X-Sendfile}
			uri strip_prefix "${files}"
			file_server {
				# By the URL's path, Caddy would redirect to one with a slash or without.
				disable_canonical_uris
			}
		}
`;
}
