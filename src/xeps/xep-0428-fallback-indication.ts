/**
 * XEP-0428 Fallback Indication, 0.2.1 (Experimental). https://xmpp.org/extensions/xep-0428.html
 *
 * Which parts of a text are there only for clients that do not know an extension. Who knows it reads the text without them. A range that
 * does not lie in the text is ignored.
 */
import { el, type Element } from '../xmpp-core/xml/element.js';
import { readRange, textWithout, type TextRange } from './xep-0426-character-counting.js';

export const NS_FALLBACK = 'urn:xmpp:fallback:0';

/** All of a text, or parts of it; no parts where it is all meant. */
export type FallbackPart = 'whole' | readonly TextRange[];

export interface Fallback {
  /** The namespace of the extension that the text stands in for. */
  readonly for: string | undefined;
  readonly body: FallbackPart;
  readonly subject: FallbackPart;
}

/** All that a message says about its fallbacks, which may be for several extensions. */
export function readFallbacks(message: Element): Fallback[] {
  return message.children('fallback', NS_FALLBACK).map((fallback) => {
    const about = fallback.attr('for');
    // §2.2: without children it is all of them.
    if (fallback.children().length === 0) return { for: about, body: 'whole', subject: 'whole' };
    return { for: about, body: readPart(fallback, 'body'), subject: readPart(fallback, 'subject') };
  });
}

/** @param parts the whole body and subject unless told */
export function writeFallback(about: string, parts?: { body?: FallbackPart; subject?: FallbackPart }): Element {
  const { body = [], subject = [] } = parts ?? {};
  return el('fallback', NS_FALLBACK, { for: about }, ...writePart('body', body), ...writePart('subject', subject));
}

/**
 * A text of a message without what stands in it for extensions that the reader knows.
 * @param text the body or subject as it was received
 * @param known the namespaces of these extensions
 */
export function withoutFallback(
  message: Element,
  text: string,
  known: readonly string[],
  part: 'body' | 'subject' = 'body',
): string {
  const parts = readFallbacks(message)
    .filter((fallback) => fallback.for !== undefined && known.includes(fallback.for))
    .map((fallback) => fallback[part]);
  return parts.includes('whole')
    ? ''
    : textWithout(
        text,
        parts.flatMap((ranges) => (ranges === 'whole' ? [] : ranges)),
      );
}

function readPart(fallback: Element, name: 'body' | 'subject'): FallbackPart {
  const ranges: TextRange[] = [];
  for (const part of fallback.children(name)) {
    const range = readRange(part, 'start', 'end');
    if (range === 'none') return 'whole';
    if (range !== undefined) ranges.push(range);
  }
  return ranges;
}

function writePart(name: 'body' | 'subject', part: FallbackPart): Element[] {
  if (part === 'whole') return [el(name, NS_FALLBACK)];
  return part.map(({ start, end }) => el(name, NS_FALLBACK, { start, end }));
}
