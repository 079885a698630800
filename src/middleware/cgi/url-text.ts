/** Bytes that Node shows as latin1, as the UTF-8 that they mostly are; what is none stays as it is. */
export function fromLatin1(text: string): string {
  if (!/[\x80-\xff]/.test(text)) return text;
  const utf8 = Buffer.from(text, 'latin1').toString();
  return utf8.includes('\ufffd') ? text : utf8;
}

/**
 * A URL's path as a path of files. Undefined for what has no honest use: NUL, a backslash, a slash in disguise, `.` and
 * `..`, which clients resolve themselves; and for what is no percent-encoding of UTF-8.
 */
export function decodePath(path: string): string | undefined {
  if (/%2f/i.test(path)) return undefined;
  try {
    const decoded = decodeURIComponent(fromLatin1(path));
    return /[\0\\]|(?:^|\/)\.\.?(?:\/|$)/.test(decoded) ? undefined : decoded;
  } catch {
    return undefined;
  }
}

/** What needs no percent-encoding (RFC 3986, section 2.3) and has one; but for `~`, which was not always among it. */
export const ENCODED_UNRESERVED = /%(?:2[de]|3\d|[46][1-9a-f]|[57][\da]|5f)/i;

/** Decodes percent-encoding, whatever bytes it stands for, to a character for each; what is none stays as it is. */
export function decodeBytes(path: string): string {
  return path.replace(/%([\da-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
}
