/** The Bidi Rule (RFC 5893 §2): a name must not look like another one where text runs from right to left. */
import { bidiClass } from './code-points.js';

/** Conditions 1 to 3, for a name that begins right to left. In letters of `BidiClass`. */
const RIGHT_TO_LEFT = /^[RA](?:[RANESM]*[RANE])?M*$/;
/** Condition 4: European and Arabic-Indic digits do not meet. */
const BOTH_KINDS_OF_DIGITS = /E.*N|N.*E/;
/** Conditions 1, 5 and 6, for a name that begins left to right. */
const LEFT_TO_RIGHT = /^L(?:[LESM]*[LE])?M*$/;

/** True when the text holds a character of a right-to-left script, or an Arabic-Indic digit: the rule then applies to it. */
export function isRightToLeft(text: string): boolean {
  return /[^\0-\x7F]/.test(text) && /[RAN]/.test(bidiClasses(text));
}

/** True when the text is fit to stand beside right-to-left text, by the six conditions. */
export function satisfiesBidiRule(text: string): boolean {
  const classes = bidiClasses(text);
  return LEFT_TO_RIGHT.test(classes) || (RIGHT_TO_LEFT.test(classes) && !BOTH_KINDS_OF_DIGITS.test(classes));
}

/** The Bidi_Class of each character in turn, a letter each. */
function bidiClasses(text: string): string {
  return Array.from(text, (character) => bidiClass(character.codePointAt(0) ?? 0)).join('');
}
