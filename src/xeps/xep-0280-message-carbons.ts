/**
 * XEP-0280 Message Carbons, 1.0.1 (Stable). https://xmpp.org/extensions/xep-0280.html
 *
 * Receives copies of the messages that other clients of the account receive and send. Copies are separate events: they never reach message
 * handlers, so that nothing answers them automatically (§10.4). Copies that do not come from our own account, or do not contain exactly one
 * message of the right direction, are dropped.
 */
import { definePlugin, senders, handled } from '../xmpp-core/plugin.js';
import type { Message } from '../xmpp-core/stanza/stanzas.js';
import { inlineOnly, type Negotiation } from '../xmpp-core/stream/stream-feature.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { readForwarded, readForwardedMessage, writeForwarded, type Forwarded } from './xep-0297-stanza-forwarding.js';
import { writeHint } from './xep-0334-message-processing-hints.js';
import { stanzaIds } from './xep-0359-stable-ids.js';
import { offersInBind } from './xep-0386-bind2.js';

/** The namespace of carbons. */
export const NS_CARBONS = 'urn:xmpp:carbons:2';

/** Whether another client received or sent the message. */
export type CarbonDirection = 'received' | 'sent';

/** A carbon copy of a message. */
export interface Carbon extends Forwarded {
  readonly direction: CarbonDirection;
}

/** Reads the copy in a message; `undefined` unless there is exactly one. The caller has to check the sender. */
export function readCarbon(message: Element): Carbon | undefined {
  const [wrapper, ...others] = message.children().filter(isWrapper);
  if (wrapper === undefined || others.length > 0) return undefined;
  const forwarded = readForwarded(wrapper);
  return forwarded === undefined ? undefined : { direction: wrapper.name as CarbonDirection, ...forwarded };
}

/** Writes a copy. */
export function writeCarbon({ direction, ...forwarded }: Carbon): Element {
  return el(direction, NS_CARBONS, {}, writeForwarded(forwarded));
}

/** The payloads of a message that is not to be copied to other clients, neither ours nor the addressee's (§9). */
export function writePrivate(): Element[] {
  return [el('private', NS_CARBONS), writeHint('no-copy')];
}

/** Whether a message is not to be copied. */
export function isPrivate(message: Element): boolean {
  return message.child('private', NS_CARBONS) !== undefined;
}

function isWrapper({ name, ns }: Element): boolean {
  return ns === NS_CARBONS && (name === 'received' || name === 'sent');
}

/** The events of the plugin. */
export interface CarbonEvents {
  /** Another client of the account received a message. */
  received: Message;
  /** Another client of the account sent a message. */
  sent: Message;
  /** The server refused to send copies, or does not support them. */
  refused: { readonly error: unknown };
}

/** Carbons: `client.get(carbons).events` reports the messages of other clients. Enabled at each login. */
export const carbons = definePlugin({
  name: 'carbons',
  xep: 280,
  requires: [stanzaIds],
  setup(context) {
    const events = context.events<CarbonEvents>();
    const ids = context.get(stanzaIds);
    let isEnabled = false;

    const request = async (name: 'enable' | 'disable', signal?: AbortSignal): Promise<void> => {
      const payload = el(name, NS_CARBONS);
      await context.iq({ type: 'set', payload, ...(signal === undefined ? {} : { signal }) });
      isEnabled = name === 'enable';
    };

    /** §11: the direction has to match the addresses of the message. */
    const isOurs = (direction: CarbonDirection, message: Message): boolean =>
      (direction === 'sent' ? message.from : message.to)?.bare.equals(context.account) === true;

    context.onMessage({ ns: NS_CARBONS }, senders.ownAccount, (_payload, outer) => {
      const carbon = readCarbon(outer.element);
      const message = carbon === undefined ? undefined : readForwardedMessage(carbon, outer.language);
      if (carbon === undefined || message === undefined || !isOurs(carbon.direction, message)) return;
      if (!ids.isDuplicate(message.element)) events.emit(carbon.direction, message);
    });
    // Messages that wrap a copy are never messages to us, whoever sent them.
    context.onMessage({ ns: NS_CARBONS }, senders.anyone, (_payload, outer) =>
      outer.element.children().some(isWrapper) ? handled : undefined,
    );

    let enabledInBind: Negotiation | undefined;
    context.streamFeature(
      inlineOnly('carbons', 400, {
        within: 'bind',
        offered: (inline, negotiation) =>
          offersInBind(inline, NS_CARBONS)
            ? {
                element: el('enable', NS_CARBONS),
                // Enabling cannot fail, and has no answer of its own (XEP-0386 §3.2).
                answered() {
                  enabledInBind = negotiation;
                },
              }
            : undefined,
      }),
    );
    // Before the initial presence, so that no message is missed.
    context.onBound(() => {
      isEnabled = enabledInBind?.jid !== undefined && context.jid()?.equals(enabledInBind.jid) === true;
      enabledInBind = undefined;
      if (!isEnabled)
        context.background(
          () => request('enable'),
          (error) => events.emit('refused', { error }),
        );
    });

    return {
      events,
      /** Whether the server sends copies. */
      get enabled(): boolean {
        return isEnabled;
      },
      /** Requests copies; done at each login. @throws what `PluginContext.iq` throws */
      enable: (signal?: AbortSignal): Promise<void> => request('enable', signal),
      /** Stops copies until the next login. @throws what `PluginContext.iq` throws */
      disable: (signal?: AbortSignal): Promise<void> => request('disable', signal),
    };
  },
});
