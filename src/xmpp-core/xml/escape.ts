/** Escaping for character data and attribute values. One place decides what may stand in XML, and how. */

import { XmlError } from '../errors.js';

/*
 * A first look decides whether a string can be written as it is; most can. Surrogates are in both patterns only to have
 * the closer look, which knows pairs from lone halves.
 */
const NEEDS_CARE_IN_TEXT = /[&<>\r\0-\x08\v\f\x0E-\x1F\uD800-\uDFFF\uFFFE\uFFFF]/;
const NEEDS_CARE_IN_VALUE = /[&<>'"\0-\x1F\uD800-\uDFFF\uFFFE\uFFFF]/;

/** What may be no character, found quicker than by the pattern that knows. */
const SUSPECT = /[\0-\x08\v\f\x0E-\x1F\uD800-\uDFFF\uFFFE\uFFFF]/;

/** `>`: no character after it is ever escaped. */
const LAST_SPECIAL = 0x3e;

/** Whatever is not a Char (XML 1.0 §2.2); under the `u` flag a surrogate matches only where it stands alone. */
const NOT_A_CHARACTER = /[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;

/** Character data, escaped; quotes stand for themselves in it. CR is a reference, since a reader turns a bare one into LF (XML 1.0 §2.11). */
export function escapeText(text: string): string {
  return NEEDS_CARE_IN_TEXT.test(text) ? escapeWithCare(text, false) : text;
}

/** An attribute value, escaped for either quote. TAB, LF and CR are references: a reader makes spaces of bare ones (§3.3.3). */
export function escapeValue(value: string): string {
  return NEEDS_CARE_IN_VALUE.test(value) ? escapeWithCare(value, true) : value;
}

function escapeWithCare(text: string, inValue: boolean): string {
  if (SUSPECT.test(text)) refuseNonCharacters(text);
  let escaped = '';
  let copied = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > LAST_SPECIAL) continue;
    const reference = referenceFor(unit, inValue);
    if (reference === undefined) continue;
    escaped += text.slice(copied, i) + reference;
    copied = i + 1;
  }
  return copied === 0 ? text : escaped + text.slice(copied);
}

function referenceFor(unit: number, inValue: boolean): string | undefined {
  switch (unit) {
    case 0x26:
      return '&amp;';
    case 0x3c:
      return '&lt;';
    case 0x3e:
      return '&gt;';
    case 0x27:
      return inValue ? '&apos;' : undefined;
    case 0x22:
      return inValue ? '&quot;' : undefined;
    case 0x0d:
      return '&#xD;';
    case 0x09:
      return inValue ? '&#x9;' : undefined;
    case 0x0a:
      return inValue ? '&#xA;' : undefined;
    default:
      return undefined;
  }
}

/** The error names the character, never the text around it. */
function refuseNonCharacters(text: string): void {
  const found = NOT_A_CHARACTER.exec(text)?.[0].codePointAt(0);
  if (found === undefined) return;
  const hex = found.toString(16).toUpperCase().padStart(4, '0');
  throw new XmlError(`U+${hex} cannot be written in XML 1.0; remove it before sending`);
}
