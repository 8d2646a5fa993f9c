/**
 * XEP-0393 Message Styling, 1.1.1 (Stable). https://xmpp.org/extensions/xep-0393.html
 *
 * Parses styled text: asterisks, underscores, tildes, backticks and greater-than signs form blocks, and spans inside them. One pass over
 * the text; quotations nested deeper than ten levels are plain text.
 *
 * Left out: announcing support (§5), which is up to clients that render the result.
 */
import { el, type Element } from '../xmpp-core/xml/element.js';

/** The namespace of styling. */
export const NS_STYLING = 'urn:xmpp:styling:0';

/** A part of a line (§6). A `code` span contains plain text only. */
export type StyledSpan =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'code'; readonly text: string }
  | { readonly kind: 'strong' | 'emphasis' | 'strike'; readonly spans: readonly StyledSpan[] };

/** A line, preformatted lines, or a quotation (§5.1). */
export type StyledBlock =
  | { readonly kind: 'line'; readonly spans: readonly StyledSpan[] }
  | {
      readonly kind: 'preformatted';
      readonly text: string;
      /** The text after the opening backticks, such as the name of a language. */
      readonly label: string;
    }
  | { readonly kind: 'quotation'; readonly blocks: readonly StyledBlock[] };

/** Whether the sender asks to show the text as it is (§7). */
export function isUnstyled(message: Element): boolean {
  return message.child('unstyled', NS_STYLING) !== undefined;
}

/** Writes the request to show the text as it is. */
export function writeUnstyled(): Element {
  return el('unstyled', NS_STYLING);
}

/** Parses a text. Do not parse messages that are `isUnstyled`. */
export function parseStyling(text: string): StyledBlock[] {
  return parseBlocks(text.split('\n'), 0);
}

/** The plain text of blocks, without styling directives; quotations keep their `>`, since nothing else would show them. */
export function withoutStyling(blocks: readonly StyledBlock[]): string {
  return linesOf(blocks).join('\n');
}

const FENCE = '```';
const MAX_DEPTH = 10;

function parseBlocks(lines: readonly string[], depth: number): StyledBlock[] {
  const blocks: StyledBlock[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? '';
    if (line.startsWith(FENCE)) {
      const end = endOf(lines, at + 1, (one) => one === FENCE);
      blocks.push({ kind: 'preformatted', text: lines.slice(at + 1, end).join('\n'), label: line.slice(FENCE.length) });
      at = end;
    } else if (line.startsWith('>') && depth < MAX_DEPTH) {
      const end = endOf(lines, at + 1, (one) => !one.startsWith('>'));
      const quoted = lines.slice(at, end).map((one) => one.slice(1).replace(LEADING_SPACE, ''));
      blocks.push({ kind: 'quotation', blocks: parseBlocks(quoted, depth + 1) });
      at = end - 1;
    } else {
      blocks.push({ kind: 'line', spans: new LineParser(line).parse() });
    }
  }
  return blocks;
}

/** The index of the first matching line from `at` on, or the number of lines. */
function endOf(lines: readonly string[], at: number, isEnd: (line: string) => boolean): number {
  let end = at;
  while (end < lines.length && !isEnd(lines[end] ?? '')) end++;
  return end;
}

/** §4: white space according to Unicode, or category Z. All of it is in the basic plane. */
const SPACE = /[\p{White_Space}\p{Z}]/u;
const LEADING_SPACE = /^[\p{White_Space}\p{Z}]/u;

const DIRECTIVES: ReadonlyMap<string, 'strong' | 'emphasis' | 'strike' | 'code'> = new Map([
  ['*', 'strong'],
  ['_', 'emphasis'],
  ['~', 'strike'],
  ['`', 'code'],
] as const);

/** Parses one line (§6), from start to end. */
class LineParser {
  readonly #line: string;
  /** The next possible closing of each directive. It only moves forward, so that a line of opening directives costs one pass in all. */
  readonly #closings = new Map<string, number>();

  constructor(line: string) {
    this.#line = line;
  }

  parse(): StyledSpan[] {
    return this.#spans(0, this.#line.length);
  }

  #spans(from: number, to: number): StyledSpan[] {
    const spans: StyledSpan[] = [];
    let plainFrom = from;
    for (let at = from; at < to; at++) {
      const kind = DIRECTIVES.get(this.#line.charAt(at));
      if (kind === undefined || !this.#mayOpen(at, from)) continue;
      const close = this.#closing(at);
      if (close >= to) continue;
      if (at > plainFrom) spans.push({ kind: 'text', text: this.#line.slice(plainFrom, at) });
      if (kind === 'code') spans.push({ kind, text: this.#line.slice(at + 1, close) });
      else spans.push({ kind, spans: this.#spans(at + 1, close) });
      at = close;
      plainFrom = close + 1;
    }
    if (to > plainFrom) spans.push({ kind: 'text', text: this.#line.slice(plainFrom, to) });
    return spans;
  }

  /**
   * Whether a directive can open here: at the start of the line or of the enclosing span, or after white space; and not before white space.
   */
  #mayOpen(at: number, from: number): boolean {
    const next = this.#line.charAt(at + 1);
    return (at === from || SPACE.test(this.#line.charAt(at - 1))) && next !== '' && !SPACE.test(next);
  }

  /**
   * Where the span that opens here closes: at the next such directive without white space before it. Infinity if there is none, or if the
   * span would be empty.
   */
  #closing(opening: number): number {
    const directive = this.#line.charAt(opening);
    if (this.#line.charAt(opening + 1) === directive) return Infinity;
    let close = this.#closings.get(directive) ?? 0;
    while (close <= opening) close = this.#nextClosing(directive, Math.max(close, opening) + 1);
    this.#closings.set(directive, close);
    return close;
  }

  #nextClosing(directive: string, from: number): number {
    for (let at = this.#line.indexOf(directive, from); at !== -1; at = this.#line.indexOf(directive, at + 1)) {
      if (!SPACE.test(this.#line.charAt(at - 1))) return at;
    }
    return Infinity;
  }
}

function linesOf(blocks: readonly StyledBlock[]): string[] {
  return blocks.flatMap((block) => {
    if (block.kind === 'line') return [textOf(block.spans)];
    if (block.kind === 'preformatted') return [block.text];
    return linesOf(block.blocks).flatMap((text) => text.split('\n').map((line) => `> ${line}`));
  });
}

function textOf(spans: readonly StyledSpan[]): string {
  return spans.map((span) => ('text' in span ? span.text : textOf(span.spans))).join('');
}
