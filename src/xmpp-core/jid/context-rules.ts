/** The characters that are allowed only in certain contexts (RFC 5892, Appendix A): CONTEXTJ and CONTEXTO. */
import { joiningType, virama } from './code-points.js';

/** Each pattern finds a misplaced character, by its section of the appendix. */
const MISPLACED: readonly RegExp[] = [
  /(?<!l)\u00B7|\u00B7(?!l)/u, // A.3, MIDDLE DOT: only between two l, as Catalan has it
  /\u0375(?!\p{Script=Greek})/u, // A.4, GREEK LOWER NUMERAL SIGN: only before Greek
  /(?<!\p{Script=Hebrew})[\u05F3\u05F4]/u, // A.5 and A.6, GERESH and GERSHAYIM: only after Hebrew
];

const KATAKANA_MIDDLE_DOT = '\u30FB';
const JAPANESE_OR_HAN = /[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/u;
const ARABIC_INDIC_DIGIT = /[\u0660-\u0669]/;
const EXTENDED_ARABIC_INDIC_DIGIT = /[\u06F0-\u06F9]/;

const JOINERS: ReadonlyMap<string, string> = new Map([
  ['\u200C', 'N'],
  ['\u200D', 'Z'],
]);
/** A.1 and A.2, in the letters of `joiningTypes`: both after a virama, and the non-joiner between two letters that would join. */
const ALLOWED_JOINERS = /(?<=V)[NZ]|(?<=[LD][TV]*)N(?=[TV]*[RD])/g;

/** Finds a character that its context rule does not allow at its position; `undefined` if there is none. */
export function findMisplaced(text: string): string | undefined {
  for (const pattern of MISPLACED) {
    const found = pattern.exec(text);
    if (found) return found[0];
  }
  // A.7: only in a text with Japanese or Chinese characters.
  if (text.includes(KATAKANA_MIDDLE_DOT) && !JAPANESE_OR_HAN.test(text)) return KATAKANA_MIDDLE_DOT;
  // A.8 and A.9: the two kinds of digits look alike, so they must not mix.
  if (ARABIC_INDIC_DIGIT.test(text)) {
    const otherKind = EXTENDED_ARABIC_INDIC_DIGIT.exec(text);
    if (otherKind) return otherKind[0];
  }
  return misplacedJoiner(text);
}

function misplacedJoiner(text: string): string | undefined {
  const joiner = /[\u200C\u200D]/.exec(text);
  if (!joiner) return undefined;
  const left = joiningTypes(text).replaceAll(ALLOWED_JOINERS, '');
  return [...JOINERS].find(([, letter]) => left.includes(letter))?.[0];
}

/** One letter per character: N and Z for the joiners, V for a virama, else the Joining_Type. */
function joiningTypes(text: string): string {
  return Array.from(text, (character) => {
    const codePoint = character.codePointAt(0) ?? 0;
    return JOINERS.get(character) ?? (virama(codePoint) === 'V' ? 'V' : joiningType(codePoint));
  }).join('');
}
