/**
 * XEP-0426 Character counting in message bodies, 0.3.0 (Experimental). https://xmpp.org/extensions/xep-0426.html
 *
 * Positions in a text are counted in Unicode code points of the received text, not in UTF-16 units as in JavaScript strings. Used by
 * fallbacks (XEP-0428) and references (XEP-0372).
 */
import type { Element } from '../xmpp-core/xml/element.js';

/** A range of a text in code points: `start` is included, `end` is not. */
export interface TextRange {
  readonly start: number;
  readonly end: number;
}

/** The number of code points in a text. */
export function codePointLength(text: string): number {
  let length = 0;
  for (let at = 0; at < text.length; at += isPair(text, at) ? 2 : 1) length++;
  return length;
}

/**
 * Reads a range from two attributes of an element.
 * @returns `'none'` if both are absent; `undefined` if they are invalid: one is missing, is not a number, or they are in the wrong order
 */
export function readRange(element: Element, start: string, end: string): TextRange | 'none' | undefined {
  const from = element.attr(start);
  const to = element.attr(end);
  if (from === undefined && to === undefined) return 'none';
  if (from === undefined || to === undefined || !INDEX.test(from) || !INDEX.test(to)) return undefined;
  const range = { start: Number(from), end: Number(to) };
  return range.start <= range.end ? range : undefined;
}

/** The part of a text in a range; empty if the range extends beyond the text. */
export function textIn(text: string, { start, end }: TextRange): string {
  const [from = text.length, to = text.length] = unitsAt(text, [start, end]);
  return text.slice(from, to);
}

/** Removes ranges from a text. They may be unordered and overlap; those beyond the end of the text are ignored. */
export function textWithout(text: string, ranges: readonly TextRange[]): string {
  const length = codePointLength(text);
  const inside = ranges.filter(({ start, end }) => start < end && end <= length).sort((a, b) => a.start - b.start);
  // Overlapping ranges are merged, so that the points ascend.
  const merged: { start: number; end: number }[] = [];
  for (const { start, end } of inside) {
    const last = merged.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else merged.push({ start, end });
  }
  const cuts = unitsAt(
    text,
    merged.flatMap(({ start, end }) => [start, end]),
  );
  let kept = '';
  let at = 0;
  for (let i = 0; i < cuts.length; i += 2) {
    kept += text.slice(at, cuts[i]);
    at = cuts[i + 1] ?? text.length;
  }
  return kept + text.slice(at);
}

/** More than any message is long. */
const INDEX = /^\d{1,9}$/;

/** The positions of ascending code points in UTF-16 units. Points beyond the end are left out. */
function unitsAt(text: string, points: readonly number[]): number[] {
  const units: number[] = [];
  let point = 0;
  let at = 0;
  for (const wanted of points) {
    while (point < wanted && at < text.length) {
      at += isPair(text, at) ? 2 : 1;
      point++;
    }
    if (point < wanted) break;
    units.push(at);
  }
  return units;
}

/** Whether the code point at this position takes two units. */
function isPair(text: string, at: number): boolean {
  return (text.codePointAt(at) ?? 0) > 0xffff;
}
