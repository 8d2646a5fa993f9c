/**
 * XEP-0085 Chat State Notifications, 2.1. https://xmpp.org/extensions/xep-0085.html
 *
 * Left out: the negotiation by a first `active` (§5.1), which no client of today needs.
 */
import { definePlugin, from } from '../xmpp-core/plugin.js';
import type { Jid } from '../xmpp-core/jid/jid.js';
import { writeMessage, type Message } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';

export const NS_CHAT_STATES = 'http://jabber.org/protocol/chatstates';
const NS_HINTS = 'urn:xmpp:hints';

export type ChatState = 'active' | 'composing' | 'paused' | 'inactive' | 'gone';
const STATES: ReadonlySet<string> = new Set<ChatState>(['active', 'composing', 'paused', 'inactive', 'gone']);

export function readChatState(message: Element): ChatState | undefined {
  const name = message.children().find(({ ns }) => ns === NS_CHAT_STATES)?.name;
  return name !== undefined && isChatState(name) ? name : undefined;
}

export function writeChatState(state: ChatState): Element {
  return el(state, NS_CHAT_STATES);
}

export const chatStates = definePlugin({
  name: 'chat-states',
  xep: 85,
  features: [NS_CHAT_STATES],
  setup(context) {
    const events = context.events<{ changed: { readonly message: Message; readonly state: ChatState } }>();
    context.onMessage({ ns: NS_CHAT_STATES }, from.anyone, (_payload, message) => {
      const state = readChatState(message.element);
      if (state !== undefined) events.emit('changed', { message, state });
    });
    return {
      events,
      /** Tells a state on its own (§5.2). It is worth nothing later, so nobody is to keep it (XEP-0334). */
      send(to: Jid, type: 'chat' | 'groupchat', state: ChatState): void {
        context.send(writeMessage({ to, type, payloads: [writeChatState(state), el('no-store', NS_HINTS)] }));
      },
    };
  },
});

function isChatState(name: string): name is ChatState {
  return STATES.has(name);
}
