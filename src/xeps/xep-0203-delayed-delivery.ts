/**
 * XEP-0203 Delayed Delivery, 2.0 (Final). https://xmpp.org/extensions/xep-0203.html
 *
 * When a delayed stanza was originally sent. Any entity on its way can have added this (§5). XEP-0091, its predecessor, is read as well.
 */
import { Jid } from '../xmpp-core/jid/jid.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { readAnyDateTime, writeDateTime } from './xep-0082-date-time.js';

/** The namespace of delays. */
export const NS_DELAY = 'urn:xmpp:delay';

/** Its predecessor, XEP-0091, which some servers still send alone. */
const NS_LEGACY_DELAY = 'jabber:x:delay';

/** When a stanza was originally sent, and who delayed it. */
export interface Delay {
  /** `undefined` when it cannot be read: then the stanza is delayed by an unknown time. */
  readonly stamp: Date | undefined;
  readonly from: Jid | undefined;
  /** The reason, for people. */
  readonly reason?: string;
}

/** Reads the delay of a stanza; if there are several, the first one with a time that can be read. */
export function readDelay(stanza: Element): Delay | undefined {
  return best(readDelays(stanza));
}

/** Reads the delay that this entity added, such as a room to its history. Other delays in the stanza may be forged. */
export function readDelayBy(stanza: Element, by: Jid): Delay | undefined {
  return best(readDelays(stanza).filter(({ from }) => from?.equals(by) === true));
}

/** Writes a delay. */
export function writeDelay({ stamp, from, reason }: Delay): Element {
  const written = stamp === undefined ? undefined : writeDateTime(stamp);
  return el('delay', NS_DELAY, { from: from?.toString(), stamp: written }, reason);
}

function best(delays: readonly Delay[]): Delay | undefined {
  return delays.find(({ stamp }) => stamp !== undefined) ?? delays[0];
}

function readDelays(stanza: Element): Delay[] {
  const elements = [...stanza.children('delay', NS_DELAY), ...stanza.children('x', NS_LEGACY_DELAY)];
  return elements.map((delay) => {
    const reason = delay.text.trim();
    return {
      stamp: readAnyDateTime(delay.attr('stamp')),
      from: Jid.fromWire(delay.attr('from')),
      ...(reason === '' ? {} : { reason }),
    };
  });
}
