/**
 * XEP-0280 Message Carbons, 1.0.1 (Stable). https://xmpp.org/extensions/xep-0280.html
 *
 * Shows what the account's other clients receive and send. A copy is an event of its own: it never reaches who handles messages, so that
 * nothing answers it by itself (§10.4). One that does not come from our own account, or carries anything but one message of the right
 * direction, reaches nobody.
 */
import { definePlugin, from, handled } from '../xmpp-core/plugin.js';
import type { Message } from '../xmpp-core/stanza/stanzas.js';
import { inlineOnly, type Negotiation } from '../xmpp-core/stream/stream-feature.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { readForwarded, readForwardedMessage, writeForwarded, type Forwarded } from './xep-0297-stanza-forwarding.js';
import { writeHint } from './xep-0334-message-processing-hints.js';
import { stanzaIds } from './xep-0359-stable-ids.js';
import { offersInBind } from './xep-0386-bind2.js';

export const NS_CARBONS = 'urn:xmpp:carbons:2';

/** What another client of the account received, or sent. */
export type CarbonDirection = 'received' | 'sent';

/** A copy of a message. */
export interface Carbon extends Forwarded {
  readonly direction: CarbonDirection;
}

/** Reads the copy in a message; `undefined` unless it is exactly one. Whether the sender may send copies is for the caller to say. */
export function readCarbon(message: Element): Carbon | undefined {
  const [wrapper, ...others] = message.children().filter(isWrapper);
  if (wrapper === undefined || others.length > 0) return undefined;
  const forwarded = readForwarded(wrapper);
  return forwarded === undefined ? undefined : { direction: wrapper.name as CarbonDirection, ...forwarded };
}

export function writeCarbon({ direction, ...forwarded }: Carbon): Element {
  return el(direction, NS_CARBONS, {}, writeForwarded(forwarded));
}

/** The payloads of a message that is to be copied to no other client, neither of ours nor of the addressee (§9). */
export function writePrivate(): Element[] {
  return [el('private', NS_CARBONS), writeHint('no-copy')];
}

export function isPrivate(message: Element): boolean {
  return message.child('private', NS_CARBONS) !== undefined;
}

function isWrapper({ name, ns }: Element): boolean {
  return ns === NS_CARBONS && (name === 'received' || name === 'sent');
}

export interface CarbonEvents {
  /** Somebody wrote to another client of the account. */
  received: Message;
  /** Another client of the account wrote to somebody. */
  sent: Message;
  /** The server copies nothing to us: it does not want to, or does not know how. */
  refused: { readonly error: unknown };
}

export const carbons = definePlugin({
  name: 'carbons',
  xep: 280,
  requires: [stanzaIds],
  setup(context) {
    const events = context.events<CarbonEvents>();
    const ids = context.get(stanzaIds);
    let isEnabled = false;

    const order = async (name: 'enable' | 'disable', signal?: AbortSignal): Promise<void> => {
      const payload = el(name, NS_CARBONS);
      await context.iq({ type: 'set', payload, ...(signal === undefined ? {} : { signal }) });
      isEnabled = name === 'enable';
    };

    /** §11: the direction has to be that of the message, too. */
    const concernsUs = (direction: CarbonDirection, message: Message): boolean =>
      (direction === 'sent' ? message.from : message.to)?.bare.equals(context.account) === true;

    context.onMessage({ ns: NS_CARBONS }, from.ownAccount, (_payload, outer) => {
      const carbon = readCarbon(outer.element);
      const message = carbon === undefined ? undefined : readForwardedMessage(carbon, outer.language);
      if (carbon === undefined || message === undefined || !concernsUs(carbon.direction, message)) return;
      if (!ids.isRepeated(message.element)) events.emit(carbon.direction, message);
    });
    // Whoever it is from, and whatever else it carries: what wraps a copy is nothing that was said to us.
    context.onMessage({ ns: NS_CARBONS }, from.anyone, (_payload, outer) =>
      outer.element.children().some(isWrapper) ? handled : undefined,
    );

    let agreed: Negotiation | undefined;
    context.streamFeature(
      inlineOnly('carbons', 400, {
        within: 'bind',
        offered: (inline, negotiation) =>
          offersInBind(inline, NS_CARBONS)
            ? {
                element: el('enable', NS_CARBONS),
                // It cannot fail, and has no answer of its own (XEP-0386 §3.2).
                answered() {
                  agreed = negotiation;
                },
              }
            : undefined,
      }),
    );
    // Before the initial presence, so that nothing is missed in between.
    context.onBound(() => {
      isEnabled = agreed?.jid !== undefined && context.jid()?.equals(agreed.jid) === true;
      agreed = undefined;
      if (!isEnabled)
        context.background(
          () => order('enable'),
          (error) => events.emit('refused', { error }),
        );
    });

    return {
      events,
      /** Whether the server has agreed to send copies. */
      get enabled(): boolean {
        return isEnabled;
      },
      /** Asks for copies, as is done at each login by itself. @throws what `PluginContext.iq` throws */
      enable: (signal?: AbortSignal): Promise<void> => order('enable', signal),
      /** Wants no more copies until the next login. @throws what `PluginContext.iq` throws */
      disable: (signal?: AbortSignal): Promise<void> => order('disable', signal),
    };
  },
});
