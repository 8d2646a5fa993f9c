/**
 * XEP-0203 Delayed Delivery, 2.0 (Final). https://xmpp.org/extensions/xep-0203.html
 *
 * When a delayed stanza was originally sent. Any entity on its way can have added this (§5).
 */
import { Jid } from '../xmpp-core/jid/jid.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { readDateTime, writeDateTime } from './xep-0082-date-time.js';

/** The namespace of delays. */
export const NS_DELAY = 'urn:xmpp:delay';

/** When a stanza was originally sent, and who delayed it. */
export interface Delay {
  readonly stamp: Date;
  readonly from: Jid | undefined;
  /** The reason, for people. */
  readonly reason?: string;
}

/** Reads the delay of a stanza; if there are several, the first valid one. */
export function readDelay(stanza: Element): Delay | undefined {
  return readDelays(stanza)[0];
}

/** Reads the delay that this entity added, such as a room to its history. Other delays in the stanza may be forged. */
export function readDelayBy(stanza: Element, by: Jid): Delay | undefined {
  return readDelays(stanza).find(({ from }) => from?.equals(by) === true);
}

/** Writes a delay. */
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
