/**
 * XEP-0359 Unique and Stable Stanza IDs, 0.7.0. https://xmpp.org/extensions/xep-0359.html
 *
 * Whether the entity that assigns ids can be believed (§5) is for the caller to say: it names the entity only after that
 * entity announced `NS_STABLE_IDS` through service discovery.
 */
import type { Jid } from '../xmpp-core/jid/jid.js';
import { el, type Element } from '../xmpp-core/xml/element.js';

export const NS_STABLE_IDS = 'urn:xmpp:sid:0';

/** The id that `by` assigned; ids that name somebody else as assigner do not count. */
export function readStanzaId(stanza: Element, by: Jid): string | undefined {
  return stanza
    .children('stanza-id', NS_STABLE_IDS)
    .find((one) => one.attr('by') === by.toString())
    ?.attr('id');
}

export function writeStanzaId(id: string, by: Jid): Element {
  return el('stanza-id', NS_STABLE_IDS, { id, by: by.toString() });
}

/** The id that the sending client says it gave the message. It is the sender's word and nobody else's. */
export function readOriginId(stanza: Element): string | undefined {
  return stanza.child('origin-id', NS_STABLE_IDS)?.attr('id');
}

export function writeOriginId(id: string): Element {
  return el('origin-id', NS_STABLE_IDS, { id });
}
