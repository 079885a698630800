import type { HostileRow, HostileSubject } from './subject.ts';

const SHOWN = 100;

/** The document as it has to be: what stands before its first section is written by hand, the sections are the subjects. */
export function documentOf(subjects: HostileSubject[], document: string): string {
  const [introduction] = document.split(/^## /m, 1);
  return introduction + subjects.map(sectionOf).join('\n');
}

function sectionOf({ title, about, rows }: HostileSubject): string {
  const head = ['| attack | request | answer |', '| --- | --- | --- |'];
  const lines = rows.map((row) => `| ${row.attack} | ${requestOf(row)} | ${code(row.answer)} |`);
  return [`## ${title}`, '', about, '', ...head, ...lines, ''].join('\n');
}

function requestOf({ request }: HostileRow): string {
  const { path, body, method = body === undefined ? 'GET' : 'POST', headers = {}, chunked } = request;
  const parts = [`${method} ${path}`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)];
  if (chunked) parts.push('Transfer-Encoding: chunked');
  if (body !== undefined) parts.push(body.toString('latin1'));
  return parts.map(code).join(' ');
}

/** In one line; of what is no text, or very long, how much it is. */
function code(text: string): string {
  const length = Buffer.byteLength(text);
  if (text === '') return '(empty)';
  if (length > 100_000 || /[^\n\r -\uffff]/.test(text)) return `(${length} bytes)`;
  const shown = text
    .slice(0, SHOWN)
    .replaceAll('|', '\\|')
    .replaceAll(/[^ -~]/g, escaped);
  return `\`${shown}\`${text.length > SHOWN ? `… (${length} bytes)` : ''}`;
}

function escaped(char: string): string {
  return { '\r': '\\r', '\n': '\\n' }[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
