/**
 * XEP-0203 Delayed Delivery, 2.0 (Final). https://xmpp.org/extensions/xep-0203.html
 *
 * When a stanza was first sent, where it was held back on its way. Anybody on the way can have written it (§5).
 */
import { Jid } from '../xmpp-core/jid/jid.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { readDateTime, writeDateTime } from './xep-0082-date-time.js';

export const NS_DELAY = 'urn:xmpp:delay';

/** When a stanza was first sent, and who held it back. */
export interface Delay {
  readonly stamp: Date;
  readonly from: Jid | undefined;
  /** Why, for people. */
  readonly reason?: string;
}

/** The delay of a stanza; where several are told, the first that can be read. */
export function readDelay(stanza: Element): Delay | undefined {
  return readDelays(stanza)[0];
}

/** The delay that this entity says it caused, such as a room of its history: others in the stanza are others' words. */
export function readDelayBy(stanza: Element, by: Jid): Delay | undefined {
  return readDelays(stanza).find(({ from }) => from?.equals(by) === true);
}

export function writeDelay({ stamp, from, reason }: Delay): Element {
  return el('delay', NS_DELAY, { from: from?.toString(), stamp: writeDateTime(stamp) }, reason);
}

function readDelays(stanza: Element): Delay[] {
  return stanza.children('delay', NS_DELAY).flatMap((delay) => {
    const stamp = readDateTime(delay.attr('stamp'));
    const reason = delay.text.trim();
    if (stamp === undefined) return [];
    return [{ stamp, from: Jid.tryParse(delay.attr('from')), ...(reason === '' ? {} : { reason }) }];
  });
}
