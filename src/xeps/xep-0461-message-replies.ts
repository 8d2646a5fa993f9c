/**
 * XEP-0461 Message Replies, 0.2.1. https://xmpp.org/extensions/xep-0461.html
 * In a room `id` is the stanza-id that the room assigned (§3.1). The quoted fallback body is left out when writing.
 */
import { Jid } from '../xmpp-core/jid/jid.js';
import { el, type Element } from '../xmpp-core/xml/element.js';

export const NS_REPLY = 'urn:xmpp:reply:0';

/** Which message is answered, and who wrote it. */
export interface Reply {
  readonly id: string;
  readonly to: Jid | undefined;
}

export function readReply(message: Element): Reply | undefined {
  const reply = message.child('reply', NS_REPLY);
  const id = reply?.attr('id');
  return id === undefined ? undefined : { id, to: Jid.tryParse(reply?.attr('to')) };
}

export function writeReply({ id, to }: Reply): Element {
  return el('reply', NS_REPLY, { id, to: to?.toString() });
}
