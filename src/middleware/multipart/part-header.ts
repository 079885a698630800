import contentType from 'content-type';
import { fcgiError } from '../../core/errors.ts';
import { safeFilename } from './filename.ts';
import type { MultipartLimits } from './limits.ts';

/** What a part says of itself (RFC 7578, section 4). */
export interface PartHeader {
  /** The name of the form's field. */
  name: string;
  /** Of a file, what the client calls it, made fit to be a file's name; undefined for a field. */
  filename?: string;
  /** The same as it was sent: to be shown, and never to be a path. */
  rawFilename?: string;
  /** The media type that the client says it is, in lower case and without parameters; `text/plain` if it says nothing. */
  type: string;
  /** The charset of a text, if the client says one. */
  charset?: string;
  /** All of its headers, by their names in lower case; it has no prototype. */
  headers: Record<string, string>;
}

/** A parameter of Content-Disposition: in quotes, in which a backslash stands for itself unless a quote or backslash follows. */
const PARAMETER = /;[\t ]*([^\s"=;]+)[\t ]*=[\t ]*(?:"((?:[^"\\]|\\["\\]|\\(?!["\\]))*)"|([^\s";]*))[\t ]*/y;

/**
 * @param raw The values by their names in lower case, a character a byte.
 * @throws FcgiError FCGI_ERR_BODY_SYNTAX, FCGI_ERR_BODY_TYPE, FCGI_ERR_BODY_TOO_LARGE
 */
export function readPartHeader(raw: Record<string, string[]>, limits: MultipartLimits): PartHeader {
  checkSize(raw, limits);
  const disposition = raw['content-disposition'] ?? [];
  if (disposition.length !== 1) throw malformed('needs one Content-Disposition, with colon and CRLF');
  const { name, filename: rawFilename, 'filename*': extended } = readDisposition(disposition[0]!);
  if (name === undefined) throw malformed('has no name');
  if (Buffer.byteLength(name) > limits.fieldNameSize) {
    throw fcgiError('FCGI_ERR_BODY_TOO_LARGE', `the name of a part has more than ${limits.fieldNameSize} bytes`);
  }
  // RFC 7578, section 4.2, forbids it. Some send both; of one alone, the receivers would not agree whether it is a file.
  if (extended !== undefined && rawFilename === undefined) throw malformed('has filename* without filename');

  const encoding = raw['content-transfer-encoding']?.join() ?? '';
  if (/base64|quoted-printable/i.test(encoding)) {
    throw fcgiError('FCGI_ERR_BODY_TYPE', `a part of the form has the Content-Transfer-Encoding ${encoding}`);
  }
  const { type, parameters } = contentType.parse(raw['content-type']?.[0] ?? '');
  const header: PartHeader = {
    name,
    type: /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/.test(type) ? type : 'text/plain',
    charset: parameters.charset,
    headers: Object.create(null),
  };
  if (rawFilename !== undefined || type === 'application/octet-stream') {
    header.rawFilename = rawFilename;
    header.filename = safeFilename(rawFilename ?? '');
  }
  for (const [key, values] of Object.entries(raw)) header.headers[key] = utf8(values.join(', '));
  return header;
}

function checkSize(raw: Record<string, string[]>, { headerPairs, headerSize }: MultipartLimits): void {
  let pairs = 0;
  let size = 0;
  for (const [name, values] of Object.entries(raw)) {
    pairs += values.length;
    for (const value of values) size += name.length + value.length;
  }
  if (pairs > headerPairs) {
    throw fcgiError('FCGI_ERR_BODY_TOO_LARGE', `a part of the form has more than ${headerPairs} headers`);
  }
  if (size > headerSize) {
    throw fcgiError('FCGI_ERR_BODY_TOO_LARGE', `the header of a part has more than ${headerSize} bytes`);
  }
}

function readDisposition(value: string): Record<string, string | undefined> {
  const parameters: Record<string, string> = Object.create(null);
  const [start] = /^form-data[\t ]*/i.exec(value) ?? [];
  if (start === undefined) throw malformed('is no form-data');
  PARAMETER.lastIndex = start.length;
  let end = start.length;
  for (let match = PARAMETER.exec(value); match; match = PARAMETER.exec(value)) {
    const key = match[1]!.toLowerCase();
    if (key in parameters) throw malformed(`has ${key} more than once`);
    parameters[key] = decode(match[2] ?? match[3]!);
    end = PARAMETER.lastIndex;
  }
  if (!/^;?\s*$/.test(value.slice(end))) throw malformed('has a Content-Disposition that cannot be read');
  return parameters;
}

/** Browsers send these three percent-encoded, and nothing else (HTML, "multipart/form-data encoding algorithm"). */
const ESCAPED: Record<string, string> = { '%22': '"', '%0d': '\r', '%0a': '\n' };

function decode(value: string): string {
  return utf8(value)
    .replaceAll(/\\(["\\])/g, '$1')
    .replaceAll(/%(?:22|0d|0a)/gi, (escaped) => ESCAPED[escaped.toLowerCase()]!);
}

function utf8(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString();
}

function malformed(what: string): Error {
  return fcgiError('FCGI_ERR_BODY_SYNTAX', `a part of the form ${what}`);
}
