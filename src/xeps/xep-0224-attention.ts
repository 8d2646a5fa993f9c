/**
 * XEP-0224 Attention, 1.0 (Stable). https://xmpp.org/extensions/xep-0224.html
 *
 * Asks somebody to look at the conversation now, in a stronger way than a message does. Only contacts can call us (§7), and only at once: a
 * call that was held back on its way is none (§4). A user who does not want to be called leaves the plugin out, and nothing is announced (§6).
 *
 * Left out: calls of whom we only sent directed presence (§7); a limit of how often a contact may call (§6), which is for the application,
 * as it knows what a call disturbs.
 */
import { roster } from '../xmpp-core/im/roster.js';
import type { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, type SenderGuard } from '../xmpp-core/plugin.js';
import { writeMessage, type Message } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { NS_DELAY } from './xep-0203-delayed-delivery.js';

export const NS_ATTENTION = 'urn:xmpp:attention:0';

/** Whether the message calls for attention now. Whatever says of a message that it is late makes it no call, readable or not (§4). */
export function readAttention(message: Element): boolean {
  return message.child('attention', NS_ATTENTION) !== undefined && message.child('delay', NS_DELAY) === undefined;
}

/** The call, for a message; one of type `headline` is not kept for who is offline (§4). */
export function writeAttention(): Element {
  return el('attention', NS_ATTENTION);
}

/** A contact calls. */
export interface Called {
  readonly from: Jid;
  /** What is to be shown with the call is its `body` (§4). */
  readonly message: Message;
}

/** Calls somebody, and hears when a contact calls. */
export const attention = definePlugin({
  name: 'attention',
  xep: 224,
  features: [NS_ATTENTION],
  requires: [roster],
  setup(context) {
    const events = context.events<{ called: Called }>();
    const contacts = context.get(roster);
    const fromRoster: SenderGuard = {
      name: 'fromRoster',
      admits: (sender) => contacts.get(sender) !== undefined,
    };
    context.onMessage({ ns: NS_ATTENTION, name: 'attention' }, fromRoster, (_payload, message) => {
      if (readAttention(message.element)) events.emit('called', { from: message.from, message });
    });
    return {
      events,
      /**
       * Calls somebody, perhaps with a text. Whether they can be called is what their client announces (§5):
       * `entityCapabilities.supports(to, NS_ATTENTION)` tells it. No answer is to be expected (§6).
       * @throws OfflineError
       */
      call(to: Jid | string, body?: string): void {
        const text = body === undefined ? {} : { body };
        context.send(writeMessage({ to, type: 'headline', ...text, payloads: [writeAttention()] }));
      },
    };
  },
});
