/** Finds word and grapheme boundaries, in scripts with and without spaces. */

/** Word characters, for use in a `u` character class: letters, combining marks, digits, the underscore. */
export const WORD = String.raw`\p{L}\p{M}\p{N}_`;

/** The scripts without spaces between words, for use in a `u` character class: word boundaries need a dictionary there. */
export const UNSPACED =
  String.raw`\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}\u30FC` +
  String.raw`\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}`;

/** A segmenter needs quadratic time for a long text, so it gets windows of this length, with some context around them. */
const WINDOW = 512;
const CONTEXT = 64;

/**
 * The word boundaries by UAX #29 and the dictionaries of ICU, as ascending UTF-16 offsets, without 0 and the end. Linear time.
 */
export function wordBoundaries(text: string): number[] {
  const boundaries: number[] = [];
  for (let from = 0; from < text.length; from += WINDOW) {
    const start = Math.max(0, from - CONTEXT);
    for (const { index } of segmenter('word').segment(text.slice(start, from + WINDOW + CONTEXT))) {
      const offset = start + index;
      if (offset > 0 && offset >= from && offset < from + WINDOW) boundaries.push(offset);
    }
  }
  return boundaries;
}

/** The last grapheme boundary (UAX #29) at or before `offset`; 0 when it is inside the first grapheme. */
export function graphemeStart(text: string, offset: number): number {
  return segmenter('grapheme').segment(text).containing(offset)?.index ?? offset;
}

const segmenters = new Map<'word' | 'grapheme', Intl.Segmenter>();

/** Created on demand, because it loads dictionaries. The language is fixed, so that every machine gives the same result. */
function segmenter(granularity: 'word' | 'grapheme'): Intl.Segmenter {
  let found = segmenters.get(granularity);
  if (found === undefined) {
    found = new Intl.Segmenter('en', { granularity });
    segmenters.set(granularity, found);
  }
  return found;
}
