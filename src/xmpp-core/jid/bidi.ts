/** The Bidi Rule (RFC 5893 §2): a name must not be displayed like another one where text runs from right to left. */
import { bidiClass } from './code-points.js';

/** Conditions 1 to 3, for a name that begins right to left. The letters are those of `BidiClass`. */
const RIGHT_TO_LEFT = /^[RA](?:[RANESM]*[RANE])?M*$/;
/** Condition 4: European and Arabic-Indic digits do not mix. */
const BOTH_KINDS_OF_DIGITS = /E.*N|N.*E/;
/** Conditions 1, 5 and 6, for a name that begins left to right. */
const LEFT_TO_RIGHT = /^L(?:[LESM]*[LE])?M*$/;

/** Whether the Bidi Rule applies: the text has a character of a right-to-left script or an Arabic-Indic digit. */
export function isRightToLeft(text: string): boolean {
  return /[^\0-\x7F]/.test(text) && /[RAN]/.test(bidiClasses(text));
}

/** Whether the text meets the six conditions, so that it may be used beside right-to-left text. */
export function satisfiesBidiRule(text: string): boolean {
  const classes = bidiClasses(text);
  return LEFT_TO_RIGHT.test(classes) || (RIGHT_TO_LEFT.test(classes) && !BOTH_KINDS_OF_DIGITS.test(classes));
}

/** The Bidi_Class of each character, as one letter. */
function bidiClasses(text: string): string {
  return Array.from(text, (character) => bidiClass(character.codePointAt(0) ?? 0)).join('');
}
