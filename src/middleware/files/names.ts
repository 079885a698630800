import { decodePath, ENCODED_UNRESERVED } from '../cgi/url-text.ts';

/** What a URL's path names: the way down to a file or a folder, decoded. */
export interface Names {
  names: string[];
  /** Whether it ends in a slash, as a folder's. */
  isFolder: boolean;
}

/**
 * The names in a URL's path. Undefined for what names no file, the same on every system: no name is empty, `.` or `..`, has a
 * slash, a backslash or a control character, or means something else to Windows. Nor may a letter, digit, `-`, `.` or `_` be
 * percent-encoded, which no honest client does (RFC 3986, section 2.3): `/%61dmin` would get past who guards `/admin`.
 */
export function namesIn(path: string): Names | undefined {
  if (!path.startsWith('/') || ENCODED_UNRESERVED.test(path)) return undefined;
  const names = decodePath(path)?.slice(1).split('/');
  if (names === undefined) return undefined;
  const isFolder = names.at(-1) === '';
  if (isFolder) names.pop();
  return names.every(isName) ? { names, isFolder } : undefined;
}

function isName(name: string): boolean {
  return name !== '' && !UNFIT.test(name) && !DEVICE.test(name) && !SHORT_NAME.test(name);
}

/** A drive or a stream of data (`a.txt::$DATA`); and Windows drops dots and spaces from the end. */
const UNFIT = /[\p{Cc}:]|[. ]$/u;

/** Windows' devices, in any folder and with any extension. */
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[\d¹²³]) *(?:\.|$)/i;

/** By which Windows also finds `.git`, as `GIT~1`. */
const SHORT_NAME = /^[^.]{1,6}~\d{1,6}(?:\.[^.]{0,3})?$/;
