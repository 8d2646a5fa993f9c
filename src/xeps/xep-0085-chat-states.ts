/**
 * XEP-0085 Chat State Notifications, 2.1 (Final). https://xmpp.org/extensions/xep-0085.html
 *
 * Who is typing, who is away from the conversation. `tell` keeps the rules: a state goes only to who has sent one, or is known to understand
 * them (§5.1), and never twice in a row (§5.3). In rooms nobody is `gone` (§5.5).
 */
import { definePlugin, from } from '../xmpp-core/plugin.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { BoundedMap } from '../xmpp-core/bounded-map.js';
import { writeMessage, type Message } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { writeHint } from './xep-0334-message-processing-hints.js';

export const NS_CHAT_STATES = 'http://jabber.org/protocol/chatstates';

export type ChatState = 'active' | 'composing' | 'paused' | 'inactive' | 'gone';
const STATES: ReadonlySet<string> = new Set<ChatState>(['active', 'composing', 'paused', 'inactive', 'gone']);

/** Of how many people it is remembered whether they understand states, and of how many which they were sent last. */
const MAX_PEOPLE = 1_000;

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
    /** By bare JID. */
    const understood = new BoundedMap<string, boolean>(MAX_PEOPLE);
    /** What was sent last, by addressee. */
    const told = new BoundedMap<string, ChatState>(MAX_PEOPLE);

    context.onMessage('every', from.anyone, (_payload, { element, from: sender, type, body }) => {
      // §5.1: who answers without a state does not want any.
      if (type === 'groupchat') return;
      if (readChatState(element) !== undefined) understood.set(sender.bare.toString(), true);
      else if (body !== undefined) understood.set(sender.bare.toString(), false);
    });
    context.onMessage({ ns: NS_CHAT_STATES }, from.anyone, (_payload, message) => {
      const state = readChatState(message.element);
      if (state === undefined || (state === 'gone' && message.type === 'groupchat')) return;
      events.emit('changed', { message, state });
    });
    // States also go out with what is said.
    context.outgoing((stanza) => {
      const to = stanza.name === 'message' ? Jid.tryParse(stanza.attr('to')) : undefined;
      const state = to === undefined ? undefined : readChatState(stanza);
      if (to !== undefined && state !== undefined) told.set(to.toString(), state);
      return stanza;
    });

    const send = (to: Jid, type: 'chat' | 'groupchat', state: ChatState): void => {
      if (type === 'groupchat' && state === 'gone') return;
      // It is worth nothing later, so nobody is to keep it (XEP-0334).
      context.send(writeMessage({ to, type, payloads: [writeChatState(state), writeHint('no-store')] }));
    };

    return {
      events,
      /** Sends a state on its own (§5.2), whoever the other is and whatever was sent before: for who keeps the rules in another way. */
      send,
      /**
       * Tells a state on its own, if it is wanted and news. What is said should carry `writeChatState('active')`, which also asks whether
       * states are wanted.
       * @returns whether it was sent
       */
      tell(to: Jid, type: 'chat' | 'groupchat', state: ChatState): boolean {
        const isWanted = type === 'groupchat' ? state !== 'gone' : understood.use(to.bare.toString()) === true;
        if (!isWanted || told.use(to.toString()) === state) return false;
        send(to, type, state);
        return true;
      },
      /** Notes that somebody's client announces states, or that it does not: for who knows its features (XEP-0115). */
      note(who: Jid, understands: boolean): void {
        understood.set(who.bare.toString(), understands);
      },
    };
  },
});

function isChatState(name: string): name is ChatState {
  return STATES.has(name);
}
