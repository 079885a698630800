import { fcgiError } from '../../core/errors.ts';

/** What quotes do not keep from meaning something to one of the web servers; and what `offload` does not hand over. */
const SPECIAL = /[\p{Cc}"'`$\\{}%?*[\]]/u;

/**
 * Gives the text again, which may stand in quotes.
 *
 * @param more What is special there beside SPECIAL.
 * @throws FcgiError FCGI_ERR_ARGUMENT
 */
export function plain(option: string, text: string, more?: RegExp): string {
  if (!SPECIAL.test(text) && !more?.test(text)) return text;
  throw fcgiError('FCGI_ERR_ARGUMENT', `--${option} takes nothing with special characters in it, as has ${text}`);
}
