/**
 * XEP-0426 Character counting in message bodies, 0.3.0 (Experimental). https://xmpp.org/extensions/xep-0426.html
 *
 * How places in a text are counted: in Unicode code points of the text as it was received, never in the UTF-16 units of a JavaScript
 * string. Fallbacks (XEP-0428) and references (XEP-0372) are counted so.
 */
import type { Element } from '../xmpp-core/xml/element.js';

/** A part of a text, in code points: from `start` up to `end`, which is the first that is no longer part of it. */
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
 * The range that two attributes of an element give.
 * @returns `'none'` when both are absent, `undefined` when they are no range: one is missing, is no number, or they are in the wrong order
 */
export function readRange(element: Element, start: string, end: string): TextRange | 'none' | undefined {
  const from = element.attr(start);
  const to = element.attr(end);
  if (from === undefined && to === undefined) return 'none';
  if (from === undefined || to === undefined || !INDEX.test(from) || !INDEX.test(to)) return undefined;
  const range = { start: Number(from), end: Number(to) };
  return range.start <= range.end ? range : undefined;
}

/** The part of the text in a range; empty where the range goes beyond its end. */
export function textIn(text: string, { start, end }: TextRange): string {
  const [from = text.length, to = text.length] = unitsAt(text, [start, end]);
  return text.slice(from, to);
}

/** What is left of a text without these ranges, which may come in any order and overlap. Those that do not lie in it are ignored. */
export function textWithout(text: string, ranges: readonly TextRange[]): string {
  const length = codePointLength(text);
  const inside = ranges.filter(({ start, end }) => start < end && end <= length).sort((a, b) => a.start - b.start);
  // Overlapping ranges become one, so that the points ascend.
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

/** Nine digits are more characters than any message has. */
const INDEX = /^\d{1,9}$/;

/** Where code points begin, in UTF-16 units; `points` ascend. Those beyond the end are left out. */
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

/** Whether the code point that begins there takes two units. */
function isPair(text: string, at: number): boolean {
  return (text.codePointAt(at) ?? 0) > 0xffff;
}
