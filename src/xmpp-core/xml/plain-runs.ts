/**
 * Finds where a run of plain characters ends. Most traffic is plain, so this must be fast: each step tests four bytes at once, for
 * everything that ends a run or is invalid, so that validation needs no second pass.
 */

import type { Source } from './source.js';

const TAB = 0x09;
const LF = 0x0a;
const HASH = 0x23;

/*
 * How the steps of four work. Take four bytes as one number x, the first byte lowest. Of `(x - 0x01010101) & ~x`, the highest
 * bit of some byte is set exactly if some byte of x is zero. A borrow can set it for other bytes too, but only above a zero: the
 * lowest such bit, `found & -found`, is always right, and its position gives the byte. So `x ^ 0x26262626` finds an `&`, and
 * subtracting 0x20 instead of 1 finds bytes below a space. Bytes above 0x7F have their highest bit set already.
 */
const HIGHEST_BITS = 0x80808080 | 0;

/** Three spaces, to pad the last bytes to four. A space is plain everywhere. */
const PADDING = 0x20202000;

/**
 * The index of the first byte from `at` on that is not plain in text, or the end of the bytes. Not plain are `<`, `&`, `>` (which may
 * end a `]]>`), control characters but TAB and LF, and everything beyond ASCII.
 */
export function endOfPlainText(source: Source, at: number): number {
  const { bytes, view } = source;
  const lastWord = bytes.length - 4;
  for (;;) {
    let found = 0;
    while (at <= lastWord && (found = specialInText(view.getInt32(at, true))) === 0) at += 4;
    if (at > lastWord) {
      while (at < bytes.length && (found = specialInText(PADDING | (bytes[at] as number))) === 0) at++;
      if (at === bytes.length) return at;
    }
    at += (31 - Math.clz32(found & -found)) >> 3;
    if (bytes[at] !== LF && bytes[at] !== TAB) return at;
    at++;
  }
}

/**
 * The index of the first byte from `at` on that is not plain in an attribute value, or the end of the bytes. Not plain are quotes, `<`, `&`,
 * control characters, and everything beyond ASCII.
 */
export function endOfPlainValue(source: Source, at: number): number {
  const { bytes, view } = source;
  const lastWord = bytes.length - 4;
  for (;;) {
    let found = 0;
    while (at <= lastWord && (found = specialInValue(view.getInt32(at, true))) === 0) at += 4;
    if (at > lastWord) {
      while (at < bytes.length && (found = specialInValue(PADDING | (bytes[at] as number))) === 0) at++;
      if (at === bytes.length) return at;
    }
    at += (31 - Math.clz32(found & -found)) >> 3;
    if (bytes[at] !== HASH) return at;
    at++;
  }
}

/** Not 0 if one of the four bytes is special. TAB and LF, which are plain in text, are false positives. */
function specialInText(x: number): number {
  const ampersand = x ^ 0x26262626;
  const angle = (x | 0x02020202) ^ 0x3e3e3e3e; // `<` and `>` differ in one bit
  const found = x | ((x - 0x20202020) & ~x) | ((ampersand - 0x01010101) & ~ampersand) | ((angle - 0x01010101) & ~angle);
  return found & HIGHEST_BITS;
}

/** Not 0 if one of the four bytes is special. `#`, which is plain in values, is a false positive. */
function specialInValue(x: number): number {
  const quote = (x | 0x05050505) ^ 0x27272727; // `"`, `#`, `&` and `'` differ in these two bits
  const lessThan = x ^ 0x3c3c3c3c;
  const found = x | ((x - 0x20202020) & ~x) | ((quote - 0x01010101) & ~quote) | ((lessThan - 0x01010101) & ~lessThan);
  return found & HIGHEST_BITS;
}
