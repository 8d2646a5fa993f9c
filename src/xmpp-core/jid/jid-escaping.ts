/**
 * XEP-0106 JID Escaping, 1.1.1 (Stable). https://xmpp.org/extensions/xep-0106.html
 *
 * Escapes characters that a localpart may not hold, such as `d\27artagnan` for `d'artagnan`. For display and input only; JIDs are
 * compared in their escaped form (Security Considerations).
 */
import { XmppError } from '../errors.js';

/** Thrown for a text that cannot be a localpart, not even escaped. */
export class EscapingError extends XmppError {
  override readonly name = 'EscapingError';
}

/** The characters to escape; the backslash only where it would begin an escape. */
const ESCAPED = /[ "&'/:<>@]|\\(?=20|22|26|27|2f|3a|3c|3e|40|5c)/g;
const ESCAPE = /\\(20|22|26|27|2f|3a|3c|3e|40|5c)/g;

/**
 * Escapes what a person typed, for use as a localpart.
 * @throws {EscapingError} when it begins or ends with a space: `\20` is not allowed at either end (XEP-0106, Escaping Transformations)
 */
export function escapeLocalpart(text: string): string {
  if (text.startsWith(' ') || text.endsWith(' '))
    throw new EscapingError('a localpart cannot begin or end with a space');
  return text.replaceAll(ESCAPED, (character) => `\\${character.charCodeAt(0).toString(16)}`);
}

/** Unescapes a localpart, to show it to a person. Other backslashes, and `\20` at either end, stay unchanged. */
export function unescapeLocalpart(localpart: string): string {
  return localpart.replaceAll(ESCAPE, (escape: string, hex: string, index: number) => {
    const atAnEnd = index === 0 || index + escape.length === localpart.length;
    return hex === '20' && atAnEnd ? escape : String.fromCharCode(Number.parseInt(hex, 16));
  });
}
