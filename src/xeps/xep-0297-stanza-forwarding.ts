/**
 * XEP-0297 Stanza Forwarding, 1.0 (Stable). https://xmpp.org/extensions/xep-0297.html
 *
 * The only codec for a stanza inside another stanza; carbons and archives use it.
 *
 * Only the sender vouches for a forwarded stanza. The module of the wrapping protocol has to check whether the sender may forward it (§6);
 * it never reaches the application as if it had been received.
 */
import { Jid } from '../xmpp-core/jid/jid.js';
import { languageOf } from '../xmpp-core/stanza/language.js';
import { NS_CLIENT } from '../xmpp-core/stanza/namespaces.js';
import { readMessage, type Message } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { readDelay, writeDelay, type Delay } from './xep-0203-delayed-delivery.js';

/** The namespace of forwarded stanzas. */
export const NS_FORWARD = 'urn:xmpp:forward:0';

/** A forwarded stanza. */
export interface Forwarded {
  /** A `message`, `presence` or `iq`. */
  readonly stanza: Element;
  /** When the forwarding entity received it. */
  readonly delay?: Delay;
}

const STANZAS: ReadonlySet<string> = new Set(['message', 'presence', 'iq']);

/** Reads the stanza in `parent`; `undefined` unless there is exactly one `<forwarded/>` with exactly one stanza. */
export function readForwarded(parent: Element): Forwarded | undefined {
  const [forwarded, ...others] = parent.children('forwarded', NS_FORWARD);
  if (forwarded === undefined || others.length > 0) return undefined;
  const [stanza, ...more] = forwarded.children().filter(({ name, ns }) => ns === NS_CLIENT && STANZAS.has(name));
  if (stanza === undefined || more.length > 0) return undefined;
  const delay = readDelay(forwarded);
  return delay === undefined ? { stanza } : { stanza, delay };
}

/**
 * Reads a forwarded message as if it had arrived on its own.
 * @param language of the outer stanza, which its texts inherit
 * @returns `undefined` for other stanzas, errors, and messages without a sender
 */
export function readForwardedMessage({ stanza }: Forwarded, language: string | undefined): Message | undefined {
  const from = Jid.fromWire(stanza.attr('from'));
  if (stanza.name !== 'message' || stanza.attr('type') === 'error' || from === undefined) return undefined;
  const to = Jid.fromWire(stanza.attr('to'));
  return readMessage({ element: stanza, from, to, id: stanza.attr('id'), language: languageOf(stanza, language) });
}

/** Writes a forwarded stanza. */
export function writeForwarded({ stanza, delay }: Forwarded): Element {
  return el('forwarded', NS_FORWARD, {}, delay === undefined ? undefined : writeDelay(delay), stanza);
}
