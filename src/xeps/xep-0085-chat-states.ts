/**
 * XEP-0085 Chat State Notifications, 2.1 (Final). https://xmpp.org/extensions/xep-0085.html
 *
 * Who is typing, who has left the conversation. `notify` follows the rules: it sends states only to contacts that have sent some or are
 * known to support them (§5.1), and never the same twice in a row (§5.3). In rooms there is no `gone` (§5.5).
 */
import { definePlugin, senders } from '../xmpp-core/plugin.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { BoundedMap } from '../xmpp-core/bounded-map.js';
import { writeMessage, type Message } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { writeHint } from './xep-0334-message-processing-hints.js';

/** The namespace of chat states. */
export const NS_CHAT_STATES = 'http://jabber.org/protocol/chatstates';

/** The states of a chat (§2). */
export type ChatState = 'active' | 'composing' | 'paused' | 'inactive' | 'gone';
const STATES: ReadonlySet<string> = new Set<ChatState>(['active', 'composing', 'paused', 'inactive', 'gone']);

/** How many contacts to remember: whether they support states, and the last state sent. */
const MAX_CONTACTS = 1_000;

/** Reads the state in a message; `undefined` if there is none, or an unknown one. */
export function readChatState(message: Element): ChatState | undefined {
  const name = message.children().find(({ ns }) => ns === NS_CHAT_STATES)?.name;
  return name !== undefined && isChatState(name) ? name : undefined;
}

/** Writes a state. */
export function writeChatState(state: ChatState): Element {
  return el(state, NS_CHAT_STATES);
}

/** Chat states: `client.get(chatStates)` sends them and reports those of others. */
export const chatStates = definePlugin({
  name: 'chat-states',
  xep: 85,
  features: [NS_CHAT_STATES],
  setup(context) {
    const events = context.events<{ changed: { readonly message: Message; readonly state: ChatState } }>();
    /** By bare JID. */
    const supportsStates = new BoundedMap<string, boolean>(MAX_CONTACTS);
    /** The last state sent, by addressee. */
    const lastSent = new BoundedMap<string, ChatState>(MAX_CONTACTS);

    context.onMessage('every', senders.anyone, (_payload, { element, from: sender, type, body }) => {
      // §5.1: an answer without a state means that the contact does not want any.
      if (type === 'groupchat') return;
      if (readChatState(element) !== undefined) supportsStates.set(sender.bare.toString(), true);
      else if (body !== undefined) supportsStates.set(sender.bare.toString(), false);
    });
    context.onMessage({ ns: NS_CHAT_STATES }, senders.anyone, (_payload, message) => {
      const state = readChatState(message.element);
      if (state === undefined || (state === 'gone' && message.type === 'groupchat')) return;
      events.emit('changed', { message, state });
    });
    // States are also sent along with messages.
    context.outgoing((stanza) => {
      const to = stanza.name === 'message' ? Jid.fromWire(stanza.attr('to')) : undefined;
      const state = to === undefined ? undefined : readChatState(stanza);
      if (to !== undefined && state !== undefined) lastSent.set(to.toString(), state);
      return stanza;
    });

    const send = (to: Jid | string, type: 'chat' | 'groupchat', state: ChatState): void => {
      if (type === 'groupchat' && state === 'gone') return;
      // A state is useless later, so servers should not store it (XEP-0334).
      context.send(writeMessage({ to, type, payloads: [writeChatState(state), writeHint('no-store')] }));
    };

    return {
      events,
      /** Sends a state on its own (§5.2) without applying the rules, for callers that apply them in another way. */
      send,
      /**
       * Sends a state on its own, if the contact wants it and it is news. Messages should carry `writeChatState('active')`, which also asks
       * whether the contact wants states.
       * @returns whether it was sent
       */
      notify(address: Jid | string, type: 'chat' | 'groupchat', state: ChatState): boolean {
        const to = Jid.from(address);
        const isWanted = type === 'groupchat' ? state !== 'gone' : supportsStates.use(to.bare.toString()) === true;
        if (!isWanted || lastSent.use(to.toString()) === state) return false;
        send(to, type, state);
        return true;
      },
      /** Sets whether a contact supports states, for callers that know its features (XEP-0115). */
      setSupport(contact: Jid | string, isSupported: boolean): void {
        supportsStates.set(Jid.from(contact).bare.toString(), isSupported);
      },
    };
  },
});

function isChatState(name: string): name is ChatState {
  return STATES.has(name);
}
