/**
 * XEP-0297 Stanza Forwarding, 1.0 (Stable). https://xmpp.org/extensions/xep-0297.html
 *
 * A stanza inside a stanza. This is the one reader of it; carbons and archives carry their messages so.
 *
 * A forwarded stanza is only somebody's word that there was such a stanza. Who takes it for more has to know that its bringer may say so (§6):
 * the module of the protocol that wraps it checks that, and nothing here is ever handed to the application as if it had been received.
 */
import { Jid } from '../xmpp-core/jid/jid.js';
import { languageOf } from '../xmpp-core/stanza/language.js';
import { NS_CLIENT } from '../xmpp-core/stanza/namespaces.js';
import { readMessage, type Message } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { readDelay, writeDelay, type Delay } from './xep-0203-delayed-delivery.js';

export const NS_FORWARD = 'urn:xmpp:forward:0';

export interface Forwarded {
  /** A `message`, `presence` or `iq`. */
  readonly stanza: Element;
  /** When whoever forwards it received it. */
  readonly delay?: Delay;
}

const STANZAS: ReadonlySet<string> = new Set(['message', 'presence', 'iq']);

/** The stanza that `parent` carries; `undefined` unless it carries exactly one `<forwarded/>`, with exactly one stanza in it. */
export function readForwarded(parent: Element): Forwarded | undefined {
  const [forwarded, ...others] = parent.children('forwarded', NS_FORWARD);
  if (forwarded === undefined || others.length > 0) return undefined;
  const [stanza, ...more] = forwarded.children().filter(({ name, ns }) => ns === NS_CLIENT && STANZAS.has(name));
  if (stanza === undefined || more.length > 0) return undefined;
  const delay = readDelay(forwarded);
  return delay === undefined ? { stanza } : { stanza, delay };
}

/**
 * The view of a forwarded message, as if it had come by itself.
 * @param language that of the stanza around it, which its texts inherit
 * @returns `undefined` for what is no message, for an error, and for one that does not say from whom it is
 */
export function readForwardedMessage({ stanza }: Forwarded, language: string | undefined): Message | undefined {
  const from = Jid.tryParse(stanza.attr('from'));
  if (stanza.name !== 'message' || stanza.attr('type') === 'error' || from === undefined) return undefined;
  const to = Jid.tryParse(stanza.attr('to'));
  return readMessage({ element: stanza, from, to, id: stanza.attr('id'), language: languageOf(stanza, language) });
}

export function writeForwarded({ stanza, delay }: Forwarded): Element {
  return el('forwarded', NS_FORWARD, {}, delay === undefined ? undefined : writeDelay(delay), stanza);
}
