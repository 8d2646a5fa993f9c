/** Splits a long answer into messages, at natural places. Works on Markdown, before `toMessageStyling`, which never lengthens it. */
import { closesFence, type Fence, readFence } from './fence.js';
import { graphemeStart, UNSPACED, WORD, wordBoundaries } from './word-boundaries.js';

/**
 * Splits a text into messages of at most `limit` Unicode code points.
 *
 * Cuts at the last place that fits, of the best kind that occurs: between paragraphs, lines, sentences, words, graphemes; before a
 * code block rather than in it. Only a grapheme longer than the limit is cut itself, between code points. A code block that is cut is
 * closed and reopened with its language, unless its fences would take more than half of the limit. Only white space at the cuts and
 * at both ends is lost, and fences at a cut without code between them. No message is blank: a blank text yields no messages.
 * @throws {RangeError} when the limit is not a whole number from 1
 */
export function chunk(text: string, limit: number): string[] {
  const chunker = new Chunker(limit);
  const chunks = chunker.push(text);
  const rest = chunker.rest();
  return rest === '' ? chunks : [...chunks, rest];
}

/** The same for a growing text: full messages are returned once and never change, however the text is divided into pieces. */
export class Chunker {
  readonly #limit: number;
  /** The text not returned yet. */
  #text = '';
  /** The code block in which `#text` begins, its header already removed. */
  #fence: Fence | undefined;

  /** @throws {RangeError} when the limit is not a whole number from 1 */
  constructor(limit: number) {
    if (!Number.isInteger(limit) || limit < 1) {
      throw new RangeError(`the limit of a message must be a whole number from 1, not ${limit}`);
    }
    this.#limit = limit;
  }

  /** Adds the next piece. Returns the messages that are now full, often none. */
  push(piece: string): string[] {
    this.#text += piece;
    // White space never fills a message, so a flood of it need not be examined each time.
    if (piece.trim() === '') return [];
    const full: string[] = [];
    while (this.#startMessage()) {
      const message = this.#cut();
      if (message !== '') full.push(message);
    }
    return full;
  }

  /** The message that is still growing, within the limit; the last one at the end of the text. `''` when there is none. */
  rest(): string {
    const body = sendable(this.#text);
    if (body === '' || (this.#fence !== undefined && closesFence(this.#fence, body))) return '';
    return this.#withHeader(body);
  }

  /** Removes what does not belong at the start of a message. Returns whether the rest is more than one message. */
  #startMessage(): boolean {
    for (;;) {
      this.#text = this.#text.replace(BLANK_LINES, '');
      // Whenever the text is too long for a message, its first half limit is complete: the result does not depend on the pieces.
      const eol = this.#text.slice(0, this.#limit / 2).indexOf('\n');
      const line = this.#text.slice(0, Math.max(0, eol));
      if (this.#fence !== undefined && closesFence(this.#fence, line)) {
        this.#fence = undefined;
      } else {
        if (sendable(this.#text).length <= pointOffset(this.#text, this.#room)) return false;
        if (this.#fence !== undefined) return true;
        this.#fence = repeatable(readFence(line), this.#limit);
        if (this.#fence?.header !== line.trimEnd()) {
          this.#fence = undefined;
          return true;
        }
      }
      this.#text = this.#text.slice(eol + 1);
    }
  }

  /** Removes one full message from the text and returns it; `''` when it would be blank. */
  #cut(): string {
    const offset = pointOffset(this.#text, this.#room);
    const seen = this.#text.slice(0, offset + (LOOKAHEAD.exec(this.#text.slice(offset, offset + 3))?.[0].length ?? 0));
    const cut = lineCut(seen, this.#room, this.#fence, this.#limit) ?? this.#inlineCut(seen);
    const body = this.#text.slice(0, cut.end);
    const message = body.trim() === '' ? '' : this.#withHeader(body) + (cut.fence ? `\n${closing(cut.fence)}` : '');
    this.#text = this.#text.slice(cut.next);
    this.#fence = cut.fence;
    return message;
  }

  #inlineCut(seen: string): Cut {
    const end = inlineEnd(seen, this.#room - closingPoints(this.#fence));
    return { end, next: afterGap(this.#text, end), fence: this.#fence };
  }

  /** Code points left for the body after the header of a reopened block. */
  get #room(): number {
    return this.#limit - (this.#fence === undefined ? 0 : this.#fence.header.length + 1);
  }

  #withHeader(body: string): string {
    return this.#fence === undefined ? body : `${this.#fence.header}\n${body}`;
  }
}

/** A place to cut: the message ends at `end`, the next begins at `next`, inside `fence` if it is defined. */
interface Cut {
  readonly end: number;
  readonly next: number;
  readonly fence: Fence | undefined;
}

const BLANK_LINES = /^(?:[^\S\n]*\n)+/;
const BLANK_LINE = /[^\S\n]*\n/y;

/** The text after the end that a cut may depend on: one character, and another after a line break, to detect a paragraph's end. */
const LOOKAHEAD = /^(?:\n[^]|[^])/u;

/** The kinds of line ends, the best first. */
const PARAGRAPH = 0;
const LINE = 1;
const CODE_PARAGRAPH = 2;
const CODE_LINE = 3;
const CODE_OPENING = 4;

/** The best cut at the end of a line. `undefined` when not even the first line fits. */
function lineCut(text: string, room: number, fence: Fence | undefined, limit: number): Cut | undefined {
  let best: (Cut & { readonly kind: number }) | undefined;
  let points = 0;
  let at = 0;
  for (let eol = text.indexOf('\n'); eol >= 0; eol = text.indexOf('\n', at)) {
    const line = text.slice(at, eol);
    const content = line.trimEnd();
    const opens = fence === undefined;
    fence = fence === undefined ? repeatable(readFence(line), limit) : closesFence(fence, line) ? undefined : fence;
    if (content !== '' && points + pointCount(content) + closingPoints(fence) <= room) {
      BLANK_LINE.lastIndex = eol + 1;
      const kind = lineKind(fence !== undefined, opens, BLANK_LINE.test(text));
      if (best === undefined || kind <= best.kind) best = { kind, end: at + content.length, next: eol + 1, fence };
    }
    points += pointCount(line) + 1;
    at = eol + 1;
  }
  return best;
}

function lineKind(inCode: boolean, wasOutside: boolean, beforeBlank: boolean): number {
  if (!inCode) return beforeBlank ? PARAGRAPH : LINE;
  if (wasOutside) return CODE_OPENING;
  return beforeBlank ? CODE_PARAGRAPH : CODE_LINE;
}

const SPACE = String.raw`[\t\v\f\r \u1680\u2000-\u2006\u2008-\u200A\u2028\u2029\u205F\u3000]`;
/** Not before characters that form a grapheme with the preceding space (UAX #29, GB9). */
const NOT_GLUED = String.raw`(?![\p{M}\p{Emoji_Modifier}\u200C\u200D])`;

/** The end of a sentence: a full stop or similar before a space; Chinese and Japanese ones need no space. */
const SENTENCE_END = new RegExp(
  String.raw`(?:(?<![.!?…])[.!?…]+["'”’»)\]]*(?=${SPACE})|[。！？｡]+[」』”’）】》]*)${NOT_GLUED}`,
  'gu',
);
const WORD_END = new RegExp(String.raw`(?<=\S)(?=${SPACE})`, 'gu');
const GAP = new RegExp(`${SPACE}*${NOT_GLUED}`, 'uy');

/** Where to cut the first line, at most `points` into it. */
function inlineEnd(text: string, points: number): number {
  const line = text.split('\n', 1)[0] ?? '';
  const max = Math.min(pointOffset(line, points), line.length - 1);
  return lastEnd(SENTENCE_END, line, max) || wordEnd(line, max) || graphemeStart(line, max) || max;
}

/** The end of the last match that ends at or before `max`; 0 if there is none. */
function lastEnd(pattern: RegExp, line: string, max: number): number {
  let last = 0;
  for (const match of line.matchAll(pattern)) {
    const end = match.index + match[0].length;
    if (end > max) break;
    last = end;
  }
  return last;
}

const HAS_UNSPACED = new RegExp(`[${UNSPACED}]`, 'u');
const ENDS_UNSPACED = new RegExp(`[${UNSPACED}，、；：]$`, 'u');
const STARTS_WORD = new RegExp(`^[${WORD}]`, 'u');

/** The end of the last word: at a space; later at a dictionary boundary, if the text continues in a script without spaces. */
function wordEnd(line: string, max: number): number {
  const spaced = lastEnd(WORD_END, line, max);
  const tail = line.slice(spaced);
  if (!HAS_UNSPACED.test(tail)) return spaced;
  const boundary = wordBoundaries(tail).findLast(
    (offset) =>
      spaced + offset <= max &&
      ENDS_UNSPACED.test(tail.slice(Math.max(0, offset - 2), offset)) &&
      STARTS_WORD.test(tail.slice(offset, offset + 2)),
  );
  return spaced + (boundary ?? 0);
}

/** The offset after the spaces at a cut, without spaces that are part of a grapheme. */
function afterGap(text: string, end: number): number {
  GAP.lastIndex = end;
  return GAP.test(text) ? GAP.lastIndex : end;
}

/** A fence that fits at every cut: without its language if that is too long, `undefined` if it leaves no room for code. */
function repeatable(fence: Fence | undefined, limit: number): Fence | undefined {
  if (fence === undefined) return undefined;
  const bare: Fence = { ...fence, header: fence.indent + fence.marker };
  return [fence, bare].find(({ header }) => header.length + 1 + closingPoints(fence) <= limit / 2);
}

function closing({ indent, marker }: Fence): string {
  return indent + marker;
}

/** The length of a closing fence with its line break, in UTF-16 code units, which are no fewer than code points. */
function closingPoints(fence: Fence | undefined): number {
  return fence === undefined ? 0 : closing(fence).length + 1;
}

/** Without trailing white space, and without the first half of a surrogate pair whose second half has not arrived. */
function sendable(text: string): string {
  const isHalf = /[\uD800-\uDBFF]/.test(text.slice(-1));
  return (isHalf ? text.slice(0, -1) : text).trimEnd();
}

/** The UTF-16 offset after `points` code points, or the end. */
function pointOffset(text: string, points: number): number {
  let offset = 0;
  for (; points > 0 && offset < text.length; points -= 1) offset += (text.codePointAt(offset) ?? 0) > 0xffff ? 2 : 1;
  return offset;
}

function pointCount(text: string): number {
  let count = 0;
  for (let offset = 0; offset < text.length; count += 1) offset += (text.codePointAt(offset) ?? 0) > 0xffff ? 2 : 1;
  return count;
}
