import { extname } from 'node:path';

/** What most file systems take (NAME_MAX), in bytes. */
const MAX_BYTES = 255;
/** A longer one is no extension, but a name with a dot in it. */
const MAX_EXTENSION_BYTES = 32;

/** Devices on Windows, whatever extension follows. */
const RESERVED = /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(?=[ .]|$)/i;

/**
 * What a client calls a file, made fit to be a file's name in a folder on any system, and to be shown: its last component
 * whichever way the slashes lean; without control characters and those that do not show, such as the ones that turn the
 * direction of text; without dots and spaces at either end; with `_` for what Windows forbids, and before the names of its
 * devices; of at most 255 bytes, the extension kept. `'unnamed'` where nothing is left.
 */
export function safeFilename(given: string): string {
  let name = given.normalize();
  name = name.slice(Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\')) + 1);
  name = trim(name.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '').replaceAll(/[<>:"|?*]/g, '_'));
  return shorten(name.replace(RESERVED, '_$&')) || 'unnamed';
}

function trim(name: string): string {
  return name.replace(/^[.\s]+/, '').replace(/(?<![.\s])[.\s]+$/, '');
}

function shorten(name: string): string {
  if (Buffer.byteLength(name) <= MAX_BYTES) return name;
  let extension = extname(name);
  if (Buffer.byteLength(extension) > MAX_EXTENSION_BYTES) extension = '';
  const { length } = Buffer.from(extension);
  // A character that is cut in two becomes U+FFFD.
  const stem = Buffer.from(name)
    .toString('utf8', 0, MAX_BYTES - length)
    .replace(/\ufffd+$/, '');
  return trim(stem) + extension;
}
