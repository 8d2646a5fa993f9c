/**
 * XEP-0372 References, 0.5.0 (Experimental). https://xmpp.org/extensions/xep-0372.html
 *
 * What a part of a text refers to, mostly somebody who is mentioned. Ranges are counted in code points; references with a range beyond the
 * text are ignored.
 */
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin } from '../xmpp-core/plugin.js';
import type { Message } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { codePointLength, readRange, type TextRange } from './xep-0426-character-counting.js';

/** The namespace of references. */
export const NS_REFERENCES = 'urn:xmpp:reference:0';

/** A reference. */
export interface Reference {
  /** `mention`, `data`, or an unknown type. */
  readonly type: string;
  /** The target. */
  readonly uri: string;
  /** The part of the body that it applies to; the whole body if absent. */
  readonly range?: TextRange;
  /** The message that the range is in, if it is another one. */
  readonly anchor?: string;
}

/** Reads the references of a message. Those without a type or a target are left out, and those with a range beyond the body. */
export function readReferences({ element, body = '' }: Pick<Message, 'element' | 'body'>): Reference[] {
  const length = codePointLength(body);
  return element.children('reference', NS_REFERENCES).flatMap((reference) => {
    const type = reference.attr('type');
    const uri = reference.attr('uri');
    const anchor = reference.attr('anchor');
    const range = readRange(reference, 'begin', 'end');
    if (type === undefined || uri === undefined || range === undefined) return [];
    if (range === 'none') return [{ type, uri, ...(anchor === undefined ? {} : { anchor }) }];
    // §3.1: with an anchor, the range is in another message of unknown length.
    if (anchor !== undefined) return [{ type, uri, range, anchor }];
    return range.end <= length ? [{ type, uri, range }] : [];
  });
}

/** Writes a reference. */
export function writeReference({ type, uri, range, anchor }: Reference): Element {
  return el('reference', NS_REFERENCES, { begin: range?.start, end: range?.end, type, uri, anchor });
}

/** A mention of an account, or of an occupant of a room by the occupant JID. */
export interface Mention {
  readonly jid: Jid;
  readonly range?: TextRange;
}

/** Reads the mentions in a message. */
export function readMentions(message: Pick<Message, 'element' | 'body'>): Mention[] {
  return readReferences(message).flatMap(({ type, uri, range }) => {
    const jid = type === 'mention' ? jidOf(uri) : undefined;
    if (jid === undefined) return [];
    return [range === undefined ? { jid } : { jid, range }];
  });
}

/** Writes a mention. */
export function writeMention({ jid, range }: Mention): Element {
  // RFC 5122 §2.2: each part of the JID is percent-encoded on its own.
  const resource = jid.resource === '' ? '' : `/${encodeURIComponent(jid.resource)}`;
  const localpart = jid.localpart === '' ? '' : `${encodeURIComponent(jid.localpart)}@`;
  const uri = `xmpp:${localpart}${jid.domainpart}${resource}`;
  return writeReference({ type: 'mention', uri, ...(range === undefined ? {} : { range }) });
}

/** Announces support for references. */
export const references = definePlugin({
  name: 'references',
  xep: 372,
  features: [NS_REFERENCES],
  setup: () => undefined,
});

/** Reads the JID of an `xmpp:` URI (RFC 5122), without query and fragment. */
function jidOf(uri: string): Jid | undefined {
  const path = /^xmpp:([^?#]+)/i.exec(uri)?.[1];
  try {
    return path === undefined ? undefined : Jid.fromWire(decodeURIComponent(path));
  } catch {
    // An invalid percent-encoding.
    return undefined;
  }
}
