import { formatAddress } from '../../adapters/address.ts';
import type { ConfigOptions } from '../config.ts';

export function caddy({ socket, listen, files, pages }: ConfigOptions): string {
  const upstream = 'path' in socket ? `unix/${socket.path}` : formatAddress(socket);
  return `# Caddy: put this into your Caddyfile, and give the site its name (\`example.com {\`): then Caddy also fetches the
# certificate itself.
http://:${listen.port} {
	bind ${listen.host}

${pages === undefined ? everything(upstream, files) : pagesOf(pages, upstream, files)}}
`;
}

function everything(upstream: string, files: string | undefined): string {
  return `	# reverse_proxy and not php_fastcgi: the latter looks for .php files and rewrites what it does not find.
	reverse_proxy "${upstream}" {
		transport fastcgi

		# What the app writes goes on at once. Without this, Caddy keeps what has no Content-Length until 4 KB are
		# together; only server-sent events never wait.
		flush_interval -1

		# FastCGI's \`Status\` has become the status: without this, Caddy sends it as a header, too.
		header_down -Status
${handleFiles(files)}	}
`;
}

/** Pages by their files' names, files by Caddy, and everything else by the app. */
function pagesOf(folder: string, upstream: string, files: string | undefined): string {
  return `	root * "${folder}"

	route {
		# Pages by their files' names, as PHP's.
		php_fastcgi "${upstream}" {
			split .jhtml
			# Which page /about or / is, the app knows, too. Caddy would lose the query where it redirects to a folder,
			# and parts of a path behind a page.
			index off

			# What a page writes goes on at once. Without this, Caddy keeps what has no Content-Length until 4 KB are
			# together.
			flush_interval -1

			# FastCGI's \`Status\` has become the status: without this, Caddy sends it as a header, too.
			header_down -Status
${indented(handleFiles(files))}		}

		# Files that are there, but for names that begin with a dot or an underscore, and for pages under another name,
		# such as x.JHTML or x.jhtml.bak.
		@files {
			file
			not path_regexp (?i)\\.jhtml|/[._]
		}
		file_server @files

		# Everything else, folders too, is asked of the app: /about may be about.jhtml, /users/7 may be users/[id].jhtml,
		# / is index.jhtml, and what is not there is 404.jhtml.
		reverse_proxy "${upstream}" {
			transport fastcgi
			flush_interval -1
			header_down -Status
${indented(handleFiles(files))}		}
	}
`;
}

function handleFiles(files: string | undefined): string {
  if (files === undefined) return '';
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

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, '\t');
}
