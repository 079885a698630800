import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import escapeHtml from 'escape-html';
import type { Response } from '../../core/response.ts';
import { frameOf, locate, PageError } from './page-error.ts';
import type { Site } from './site.ts';

/** What went wrong in a page, in the terms of the page. */
export interface Failure {
  /** Its lines and columns are the page's. */
  stack: string;
  /** The page's lines around the place; empty where the fault is not in a page. */
  frame: string;
}

export function describeFailure(error: unknown, site: Site): Failure {
  const place = locate(error, (file, line, column) => site.cache.place(file, line, column));
  const stack = error instanceof Error ? withoutOwn(String(error.stack)) : `the page threw ${inspect(error)}`;
  if (place === undefined) return { stack, frame: '' };
  const source = error instanceof PageError ? error.source : (site.cache.source(place.file) ?? '');
  return { stack, frame: `${place.file}:${place.line}:${place.column}\n${frameOf(source, place)}` };
}

/** What runs the page says nothing of what is wrong in it. */
function withoutOwn(stack: string): string {
  const own = new URL('../pages', import.meta.url);
  const isOwn = (line: string) => line.includes(own.href) || line.includes(fileURLToPath(own));
  return stack
    .split('\n')
    .filter((line) => !isOwn(line))
    .join('\n');
}

/** Shows a failure in the browser, for whoever is writing the page. */
export function showFailure(res: Response, error: unknown, { stack, frame }: Failure): void {
  const title = error instanceof Error ? `${error.name}: ${error.message}` : inspect(error);
  for (const name of res.getHeaderNames()) res.removeHeader(name);
  res
    .status(500)
    .set('Cache-Control', 'no-store')
    .type('html')
    .send(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${escapeHtml(title)}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em; color: #222 }
h1 { font-size: 1.25em; color: #b00020 }
pre { overflow: auto; padding: 1em; background: #f6f6f4; border-left: 4px solid #b00020 }
pre + pre { border-color: #ccc }
</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
${frame === '' ? '' : `<pre>${escapeHtml(frame)}</pre>\n`}<pre>${escapeHtml(stack)}</pre>
</body>
</html>
`);
}
