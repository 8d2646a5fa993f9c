/**
 * XEP-0490 Message Displayed Synchronization, 1.0.1 (Stable). https://xmpp.org/extensions/xep-0490.html
 *
 * Our clients tell each other up to which message each chat was displayed, and nobody else: in a private node of our account (XEP-0223),
 * with one item a chat. Nothing is asked for at login: an application that was away catches up with `all` (§4.4). A state only moves
 * forward, and one that names an unknown message is none (§5.1): only who keeps the messages can see to that, which is the application.
 *
 * Left out: server assist (§4.5), which saves a request, and shows the contact our server's id of the message if the server does not take it
 * out (§7).
 */
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, senders } from '../xmpp-core/plugin.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { messageOf, type AnyMessage } from './message-identity.js';
import { onNode, PUBSUB_EVENT, type NodeOptions, type PubsubItem } from './xep-0060-pubsub/index.js';
import { personalEventing } from './xep-0163-personal-eventing.js';
import { privateData } from './xep-0223-private-data.js';
import { NS_STABLE_IDS, readStanzaId, writeStanzaId } from './xep-0359-stable-ids.js';

export const NS_DISPLAYED_SYNCHRONIZATION = 'urn:xmpp:mds:displayed:0';

/** All messages of a chat up to this one were displayed (§4.1). */
export interface DisplayedState {
  /** A contact or a room, bare; for private messages in a room, the occupant. */
  readonly chat: Jid;
  /** The stanza-id of the message. */
  readonly id: string;
  /** Who assigned it: the room of its own messages, else our account. */
  readonly by: Jid;
}

/** Reads an item of the node; `undefined` when its id is no address, or its payload does not name exactly one message (§4.1). */
export function readDisplayedState({ id: itemId, payload }: PubsubItem): DisplayedState | undefined {
  const chat = Jid.fromWire(itemId);
  if (chat === undefined || payload?.is('displayed', NS_DISPLAYED_SYNCHRONIZATION) !== true) return undefined;
  const [stanzaId, ...others] = payload.children('stanza-id', NS_STABLE_IDS);
  const id = stanzaId?.attr('id') ?? '';
  const by = Jid.fromWire(stanzaId?.attr('by'));
  return id === '' || by === undefined || others.length > 0 ? undefined : { chat, id, by };
}

/** The payload of the item whose id is the address of the chat. */
export function writeDisplayedState({ id, by }: Omit<DisplayedState, 'chat'>): Element {
  return el('displayed', NS_DISPLAYED_SYNCHRONIZATION, {}, writeStanzaId(id, by));
}

/** §4.2: an item a chat is kept, and none comes by itself. `privateData` sees to the rest. */
const NODE: NodeOptions = { 'pubsub#max_items': 'max', 'pubsub#send_last_published_item': 'never' };

/** Tells our other clients what was displayed, and hears it of them. */
export const displayedSynchronization = definePlugin({
  name: 'displayed-synchronization',
  xep: 490,
  features: [`${NS_DISPLAYED_SYNCHRONIZATION}+notify`],
  requires: [personalEventing, privateData],
  setup(context) {
    const events = context.events<{ displayed: DisplayedState }>();
    const store = context.get(privateData);
    /** The publication that was begun last; never rejects. */
    let turn: Promise<unknown> = Promise.resolve();

    /** An id that a third party assigned names no message of that chat (§4.2). */
    const readOwn = (item: PubsubItem): DisplayedState | undefined => {
      const state = readDisplayedState(item);
      return state !== undefined && (state.by.equals(context.account) || state.by.equals(state.chat.bare))
        ? state
        : undefined;
    };
    // XEP-0223 §7: a contact who publishes at a node of that name would have unread messages vanish.
    context.onMessage(
      PUBSUB_EVENT,
      senders.ownAccount,
      onNode(NS_DISPLAYED_SYNCHRONIZATION, (event) => {
        if (event.type !== 'items') return;
        for (const state of event.items.flatMap((item) => readOwn(item) ?? [])) events.emit('displayed', state);
      }),
    );

    /** One after the other, or an older state could overtake a newer one. */
    const publish = ({ chat, id, by }: DisplayedState): Promise<void> => {
      const before = turn;
      const result = (async () => {
        await before;
        const payload = writeDisplayedState({ id, by });
        await store.publish(NS_DISPLAYED_SYNCHRONIZATION, payload, chat.toString(), NODE);
      })();
      turn = Promise.allSettled([result]);
      return result;
    };
    /** What displaying a message means; `undefined` for our own (§4.2), and for those that have no id which can be believed. */
    const stateOf = async (said: AnyMessage): Promise<DisplayedState | undefined> => {
      const { element, from: author, type } = messageOf(said);
      const isInRoom = 'message' in said;
      if (author.bare.equals(context.account) || (isInRoom && said.own)) return undefined;
      if (type === 'groupchat') {
        const id = isInRoom ? said.stanzaId : undefined;
        return id === undefined ? undefined : { chat: author.bare, id, by: author.bare };
      }
      const id = readStanzaId(element, context.account);
      if (id === undefined) return undefined;
      // XEP-0359 §6: where our server does not assign such ids, the sender wrote this one.
      const features = await context.get(personalEventing).features();
      if (!features.has(NS_STABLE_IDS)) return undefined;
      return { chat: isInRoom ? author : author.bare, id, by: context.account };
    };

    return {
      /** `displayed`: one of our clients, which may be this one, displayed a chat up to a message. */
      events,
      /** What is known of all chats: to catch up after being away (§4.4). @throws StanzaError, TimeoutError */
      async all(): Promise<DisplayedState[]> {
        return (await store.items(NS_DISPLAYED_SYNCHRONIZATION)).flatMap((item) => readOwn(item) ?? []);
      },
      /**
       * Tells our other clients that a chat was displayed up to this message, which came live. Calls are published in their order.
       * @returns whether it was told: not for our own messages, and for those without a stanza-id that can be believed
       * @throws XmppError when the server would show it to others. StanzaError, TimeoutError, OfflineError
       */
      async mark(said: AnyMessage): Promise<boolean> {
        const state = await stateOf(said);
        if (state === undefined) return false;
        await publish(state);
        return true;
      },
      /** The same for a message that is known by its id, as from an archive. @throws as `mark` does */
      publish,
    };
  },
});
