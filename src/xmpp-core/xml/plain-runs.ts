/**
 * Finds how far characters stand for themselves: the greater part of all traffic, and so the part that must be quick. Four
 * bytes are looked at in one step, and all that could end a run or spoil it is asked for in one test, so that validity costs
 * no second look.
 */

import { CLASSES, PLAIN_IN_TEXT, PLAIN_IN_VALUE } from './bytes.js';
import type { Source } from './source.js';

/*
 * How the steps of four work. Take four bytes as one number x. Of `(x - 0x01010101) & ~x`, the highest bit of some byte is set
 * exactly if some byte of x is zero (a borrow can set it for others too, but only next to a zero). Thus `x ^ 0x26262626` tells
 * whether there is an `&`, and subtracting 0x20 instead of 1 tells whether some byte is below a space. Bytes above 0x7F
 * have their highest bit set already.
 */
const HIGHEST_BITS = 0x80808080 | 0;

/** The index of the first byte from `at` on that is not plain in text, or the end of the bytes. */
export function endOfPlainText(source: Source, at: number): number {
  const { bytes, view } = source;
  const lastWord = bytes.length - 4;
  for (;;) {
    while (at <= lastWord && isPlainText(view.getInt32(at))) at += 4;
    const end = Math.min(at + 4, bytes.length);
    while (at < end && ((CLASSES[bytes[at] as number] as number) & PLAIN_IN_TEXT) !== 0) at++;
    if (at < end || at === bytes.length) return at;
  }
}

/** The index of the first byte from `at` on that is not plain in an attribute value, or the end of the bytes. */
export function endOfPlainValue(source: Source, at: number): number {
  const { bytes, view } = source;
  const lastWord = bytes.length - 4;
  for (;;) {
    while (at <= lastWord && isPlainValue(view.getInt32(at))) at += 4;
    const end = Math.min(at + 4, bytes.length);
    while (at < end && ((CLASSES[bytes[at] as number] as number) & PLAIN_IN_VALUE) !== 0) at++;
    if (at < end || at === bytes.length) return at;
  }
}

/** May say no of a line end or TAB, which are plain in text; the single steps see to them. */
function isPlainText(x: number): boolean {
  const ampersand = x ^ 0x26262626;
  const angle = (x | 0x02020202) ^ 0x3e3e3e3e; // `<` and `>` differ in one bit
  const found = x | ((x - 0x20202020) & ~x) | ((ampersand - 0x01010101) & ~ampersand) | ((angle - 0x01010101) & ~angle);
  return (found & HIGHEST_BITS) === 0;
}

/** May say no of a `#`, which is plain; the single steps see to it. */
function isPlainValue(x: number): boolean {
  const quote = (x | 0x05050505) ^ 0x27272727; // `"`, `#`, `&` and `'` differ in these two bits
  const lessThan = x ^ 0x3c3c3c3c;
  const found = x | ((x - 0x20202020) & ~x) | ((quote - 0x01010101) & ~quote) | ((lessThan - 0x01010101) & ~lessThan);
  return (found & HIGHEST_BITS) === 0;
}
