/** Where words begin and end, in scripts with spaces and in those without. */

/** What words are made of (for the inside of a `u` character class): letters, the marks on them, digits, the underscore. */
export const WORD = String.raw`\p{L}\p{M}\p{N}_`;

/** The scripts that put no spaces between words (for a `u` character class): there only a dictionary finds a word's end. */
export const UNSPACED =
  String.raw`\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}\u30FC` +
  String.raw`\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}`;

/** A segmenter takes quadratic time over a long text, so it is given this much at once, with some of what stands around it. */
const WINDOW = 512;
const CONTEXT = 64;

/**
 * The boundaries between words by UAX #29 and the dictionaries of ICU, as UTF-16 offsets into the text, ascending, 0 and the end
 * left out. Linear in the text.
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

/** The last place at or before `offset` where no grapheme (UAX #29) is cut; 0 when it lies within the first. */
export function graphemeStart(text: string, offset: number): number {
  return segmenter('grapheme').segment(text).containing(offset)?.index ?? offset;
}

const segmenters = new Map<'word' | 'grapheme', Intl.Segmenter>();

/** Made when first needed, for it loads dictionaries. The language is fixed, so that every machine cuts alike. */
function segmenter(granularity: 'word' | 'grapheme'): Intl.Segmenter {
  let found = segmenters.get(granularity);
  if (found === undefined) {
    found = new Intl.Segmenter('en', { granularity });
    segmenters.set(granularity, found);
  }
  return found;
}
