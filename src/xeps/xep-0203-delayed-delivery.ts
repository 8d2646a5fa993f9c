/** XEP-0203 Delayed Delivery, 2.0. https://xmpp.org/extensions/xep-0203.html Reading only: this client delays nothing. */
import { Jid } from '../xmpp-core/jid/jid.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { readDateTime, writeDateTime } from './xep-0082-date-time.js';

export const NS_DELAY = 'urn:xmpp:delay';

/** When a stanza was first sent, and who held it back. */
export interface Delay {
  readonly stamp: Date;
  readonly from: Jid | undefined;
}

export function readDelay(stanza: Element): Delay | undefined {
  const delay = stanza.child('delay', NS_DELAY);
  const stamp = readDateTime(delay?.attr('stamp'));
  return stamp === undefined ? undefined : { stamp, from: Jid.tryParse(delay?.attr('from')) };
}

export function writeDelay({ stamp, from }: Delay): Element {
  return el('delay', NS_DELAY, { from: from?.toString(), stamp: writeDateTime(stamp) });
}
