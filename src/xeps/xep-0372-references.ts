/**
 * XEP-0372 References, 0.5.0 (Experimental). https://xmpp.org/extensions/xep-0372.html
 *
 * Says what a part of a text refers to: mostly somebody who is mentioned. Places are counted in code points; a reference to a place that
 * is not in the text is ignored.
 */
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin } from '../xmpp-core/plugin.js';
import type { Message } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { codePointLength, readRange, type TextRange } from './xep-0426-character-counting.js';

export const NS_REFERENCES = 'urn:xmpp:reference:0';

export interface Reference {
  /** `mention`, `data`, or what is yet to be invented. */
  readonly type: string;
  /** What is referred to. */
  readonly uri: string;
  /** Which part of the body it is about; all of it when it is absent. */
  readonly range?: TextRange;
  /** The message that the place is in, when it is not this one. */
  readonly anchor?: string;
}

/** The references of a message. Those without a type or a target are left out, and those whose place is not in its body. */
export function readReferences({ element, body = '' }: Pick<Message, 'element' | 'body'>): Reference[] {
  const length = codePointLength(body);
  return element.children('reference', NS_REFERENCES).flatMap((reference) => {
    const type = reference.attr('type');
    const uri = reference.attr('uri');
    const anchor = reference.attr('anchor');
    const range = readRange(reference, 'begin', 'end');
    if (type === undefined || uri === undefined || range === undefined) return [];
    if (range === 'none') return [{ type, uri, ...(anchor === undefined ? {} : { anchor }) }];
    // §3.1: with an anchor the place is in another message, whose length is not known here.
    if (anchor !== undefined) return [{ type, uri, range, anchor }];
    return range.end <= length ? [{ type, uri, range }] : [];
  });
}

export function writeReference({ type, uri, range, anchor }: Reference): Element {
  return el('reference', NS_REFERENCES, { begin: range?.start, end: range?.end, type, uri, anchor });
}

/** Somebody who is mentioned: an account, or an occupant under the JID in the room. */
export interface Mention {
  readonly jid: Jid;
  readonly range?: TextRange;
}

export function readMentions(message: Pick<Message, 'element' | 'body'>): Mention[] {
  return readReferences(message).flatMap(({ type, uri, range }) => {
    const jid = type === 'mention' ? jidOf(uri) : undefined;
    if (jid === undefined) return [];
    return [range === undefined ? { jid } : { jid, range }];
  });
}

export function writeMention({ jid, range }: Mention): Element {
  // RFC 5122 §2.2: what is no character of a URI is percent-encoded, in each part of its own.
  const resource = jid.resource === '' ? '' : `/${encodeURIComponent(jid.resource)}`;
  const localpart = jid.localpart === '' ? '' : `${encodeURIComponent(jid.localpart)}@`;
  const uri = `xmpp:${localpart}${jid.domainpart}${resource}`;
  return writeReference({ type: 'mention', uri, ...(range === undefined ? {} : { range }) });
}

/** Announces that references are understood. */
export const references = definePlugin({
  name: 'references',
  xep: 372,
  features: [NS_REFERENCES],
  setup: () => undefined,
});

/** The JID in an `xmpp:` URI (RFC 5122), whose query and fragment do not matter here. */
function jidOf(uri: string): Jid | undefined {
  const path = /^xmpp:([^?#]+)/i.exec(uri)?.[1];
  try {
    return path === undefined ? undefined : Jid.tryParse(decodeURIComponent(path));
  } catch {
    // A percent sign that encodes nothing.
    return undefined;
  }
}
