/**
 * XEP-0428 Fallback Indication, 0.2.1 (Experimental). https://xmpp.org/extensions/xep-0428.html
 *
 * Marks the parts of a text that are there only for clients without support for an extension. Clients that support it remove these parts.
 * Ranges beyond the end of the text are ignored.
 */
import { el, type Element } from '../xmpp-core/xml/element.js';
import { readRange, textWithout, type TextRange } from './xep-0426-character-counting.js';

/** The namespace of fallbacks. */
export const NS_FALLBACK = 'urn:xmpp:fallback:0';

/** The whole text, or ranges of it; an empty list if no part is a fallback. */
export type FallbackPart = 'whole' | readonly TextRange[];

/** The fallback for one extension. */
export interface Fallback {
  /** The namespace of the extension. */
  readonly for: string | undefined;
  readonly body: FallbackPart;
  readonly subject: FallbackPart;
}

/** Reads the fallbacks of a message, possibly for several extensions. */
export function readFallbacks(message: Element): Fallback[] {
  return message.children('fallback', NS_FALLBACK).map((fallback) => {
    const about = fallback.attr('for');
    // §2.2: without children, the whole body and subject are meant.
    if (fallback.children().length === 0) return { for: about, body: 'whole', subject: 'whole' };
    return { for: about, body: readPart(fallback, 'body'), subject: readPart(fallback, 'subject') };
  });
}

/** Writes a fallback. @param about the namespace of the extension @param parts the whole body and subject by default */
export function writeFallback(about: string, parts?: { body?: FallbackPart; subject?: FallbackPart }): Element {
  const { body = [], subject = [] } = parts ?? {};
  return el('fallback', NS_FALLBACK, { for: about }, ...writePart('body', body), ...writePart('subject', subject));
}

/**
 * Removes the fallbacks of supported extensions from a text.
 * @param text the received body or subject
 * @param known the namespaces of the supported extensions
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
