/** Escaping for character data and attribute values. This is the only place that decides which characters XML may carry, and how. */

import { XmlError } from '../errors.js';

/*
 * A first test decides whether a string can be written unchanged; most can. Surrogates are in both patterns so that the slower
 * test below can tell pairs from lone halves.
 */
const SPECIAL_IN_TEXT = /[&<>\r\0-\x08\v\f\x0E-\x1F\uD800-\uDFFF\uFFFE\uFFFF]/;
const SPECIAL_IN_VALUE = /[&<>'"\0-\x1F\uD800-\uDFFF\uFFFE\uFFFF]/;

/** Possibly not a Char: a faster test than `NOT_A_CHARACTER`, with false positives. */
const SUSPECT = /[\0-\x08\v\f\x0E-\x1F\uD800-\uDFFF\uFFFE\uFFFF]/;

/** `>`: no character above it is ever escaped. */
const LAST_SPECIAL = 0x3e;

/** Anything that is not a Char (XML 1.0 §2.2); with the `u` flag only a lone surrogate matches. */
const NOT_A_CHARACTER = /[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;

/**
 * Escapes character data; quotes stay. CR becomes a reference, since a parser turns a literal one into LF (XML 1.0 §2.11).
 * @throws {XmlError} for a character that XML cannot carry
 */
export function escapeText(text: string): string {
  return SPECIAL_IN_TEXT.test(text) ? escapeCharacters(text, false) : text;
}

/**
 * Escapes an attribute value for either quote. TAB, LF and CR become references: a parser turns literal ones into spaces (XML 1.0 §3.3.3).
 * @throws {XmlError} for a character that XML cannot carry
 */
export function escapeValue(value: string): string {
  return SPECIAL_IN_VALUE.test(value) ? escapeCharacters(value, true) : value;
}

function escapeCharacters(text: string, inValue: boolean): string {
  if (SUSPECT.test(text)) rejectNonCharacters(text);
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
function rejectNonCharacters(text: string): void {
  const found = NOT_A_CHARACTER.exec(text)?.[0].codePointAt(0);
  if (found === undefined) return;
  const hex = found.toString(16).toUpperCase().padStart(4, '0');
  throw new XmlError(`U+${hex} cannot be written in XML 1.0; remove it before sending`);
}
