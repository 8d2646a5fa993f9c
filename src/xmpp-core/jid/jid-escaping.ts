/**
 * XEP-0106 JID Escaping, 1.1.1 (Stable). https://xmpp.org/extensions/xep-0106.html
 *
 * How a localpart carries what it may not hold, such as `d\27artagnan` for `d'artagnan`. For showing and for what people type; addresses
 * are compared as they are, escaped (Security Considerations).
 */
import { XmppError } from '../errors.js';

/** A text can be no localpart, not even escaped. */
export class EscapingError extends XmppError {
  override readonly name = 'EscapingError';
}

/** What is escaped; the backslash itself only where it would be read as the beginning of an escape. */
const ESCAPED = /[ "&'/:<>@]|\\(?=20|22|26|27|2f|3a|3c|3e|40|5c)/g;
const ESCAPE = /\\(20|22|26|27|2f|3a|3c|3e|40|5c)/g;

/**
 * Escapes what a person typed, to be used as a localpart.
 * @throws {EscapingError} when it begins or ends with a space: `\20` may stand at neither end (XEP-0106, Escaping Transformations)
 */
export function escapeLocalpart(text: string): string {
  if (text.startsWith(' ') || text.endsWith(' '))
    throw new EscapingError('a localpart cannot begin or end with a space');
  return text.replaceAll(ESCAPED, (character) => `\\${character.charCodeAt(0).toString(16)}`);
}

/** Gives a localpart back its characters, to be shown to a person. What is no escape, or a space at an end, stays as it is. */
export function unescapeLocalpart(localpart: string): string {
  return localpart.replaceAll(ESCAPE, (escape: string, hex: string, index: number) => {
    const atAnEnd = index === 0 || index + escape.length === localpart.length;
    return hex === '20' && atAnEnd ? escape : String.fromCharCode(Number.parseInt(hex, 16));
  });
}
