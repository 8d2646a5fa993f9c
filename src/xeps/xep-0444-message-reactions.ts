/**
 * XEP-0444 Message Reactions, 0.2.1 (Experimental). https://xmpp.org/extensions/xep-0444.html
 *
 * A message's reactions replace all earlier ones of the same sender to the same message (§3.2). In a room they refer to the stanza-id that
 * the room assigned (§4.2); `referenceId` finds it. `ReactionTally` collects reactions.
 */
import { definePlugin, senders } from '../xmpp-core/plugin.js';
import type { Jid } from '../xmpp-core/jid/jid.js';
import { BoundedMap } from '../xmpp-core/bounded-map.js';
import { writeMessage, type Message } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { authorKey, authorOf, messageOf, type Author, type AnyMessage } from './message-identity.js';
import { fieldValue, fieldValues } from './xep-0004-data-forms.js';
import type { DiscoInfo } from './xep-0030-service-discovery.js';
import { extendedInfo } from './xep-0128-service-discovery-extensions.js';
import { readDelay } from './xep-0203-delayed-delivery.js';
import { writeHint } from './xep-0334-message-processing-hints.js';

/** The namespace of reactions. */
export const NS_REACTIONS = 'urn:xmpp:reactions:0';

/** All reactions of a sender to a message; an empty set removes the earlier ones. */
export interface Reactions {
  readonly id: string;
  readonly emoji: ReadonlySet<string>;
}

/** Limits against abuse: more or longer reactions are left out. */
const MAX_EMOJI = 50;
const MAX_EMOJI_LENGTH = 100;

/** Reads the reactions in a message; `undefined` if there are none. */
export function readReactions(message: Element): Reactions | undefined {
  const reactions = message.child('reactions', NS_REACTIONS);
  const id = reactions?.attr('id');
  if (reactions === undefined || id === undefined) return undefined;
  const emoji = reactions.children('reaction').map((one) => one.text.trim());
  const fit = emoji.filter((one) => one !== '' && one.length <= MAX_EMOJI_LENGTH);
  return { id, emoji: new Set(fit.slice(0, MAX_EMOJI)) };
}

/** Writes reactions. */
export function writeReactions({ id, emoji }: Reactions): Element {
  const reactions = [...emoji].map((one) => el('reaction', NS_REACTIONS, {}, one));
  return el('reactions', NS_REACTIONS, { id }, ...reactions);
}

/** Which reactions an entity accepts (§2.2), such as a gateway or a room. */
export interface ReactionRestrictions {
  readonly maxPerUser: number | undefined;
  /** All, if `undefined`. */
  readonly allowed: ReadonlySet<string> | undefined;
}

/** Reads the restrictions from an entity's disco information. */
export function readReactionRestrictions(info: DiscoInfo): ReactionRestrictions {
  const form = extendedInfo(info, `${NS_REACTIONS}:restrictions`);
  const max = Number(fieldValue(form, 'max_reactions_per_user'));
  const allowed = fieldValues(form, 'allowlist');
  return {
    maxPerUser: Number.isSafeInteger(max) && max > 0 ? max : undefined,
    allowed: allowed.length === 0 ? undefined : new Set(allowed),
  };
}

/** Whether an entity accepts these reactions to one message. */
export function isAllowedReaction(emoji: readonly string[], { maxPerUser, allowed }: ReactionRestrictions): boolean {
  return emoji.length <= (maxPerUser ?? Infinity) && emoji.every((one) => allowed?.has(one) ?? true);
}

/** Received reactions. */
export interface ReceivedReactions extends Reactions {
  readonly message: Message;
}

/** Reactions: `client.get(messageReactions).react(…)` sends them. */
export const messageReactions = definePlugin({
  name: 'message-reactions',
  xep: 444,
  features: [NS_REACTIONS],
  setup(context) {
    const events = context.events<{ reacted: ReceivedReactions }>();
    context.onMessage({ ns: NS_REACTIONS, name: 'reactions' }, senders.anyone, (_payload, message) => {
      const reactions = readReactions(message.element);
      if (reactions !== undefined) events.emit('reacted', { ...reactions, message });
    });
    return {
      events,
      /** Sends our reactions to a message; an empty list removes them. Asks archives to store them (§4). */
      react(to: Jid | string, type: 'chat' | 'groupchat', id: string, emoji: readonly string[]): void {
        const reactions = writeReactions({ id, emoji: new Set(emoji) });
        context.send(writeMessage({ to, type, payloads: [reactions, writeHint('store')] }));
      },
    };
  },
});

/** How many messages the reactions are kept for, at least, and of how many people each. */
const MAX_MESSAGES = 500;
const MAX_PEOPLE = 500;

interface StoredReactions {
  readonly author: Author;
  readonly emoji: ReadonlySet<string>;
  /** In milliseconds since the epoch. */
  readonly at: number;
}

/**
 * Collects reactions, received in any order (§4.1): add every message of the client and of `muc`. Bounded: the reactions to messages that
 * were not used for longest are dropped.
 */
export class ReactionTally {
  readonly #messages = new BoundedMap<string, Map<string, StoredReactions>>(MAX_MESSAGES);
  readonly #account: Jid;

  /** @param account our own account, whose reactions belong to the conversation with their addressee */
  constructor(account: Jid) {
    this.#account = account;
  }

  /** Adds a message; ignored unless it has reactions. @returns whether it changed anything */
  add(received: AnyMessage): boolean {
    const message = messageOf(received);
    const reactions = readReactions(message.element);
    const conversation = this.#conversation(message);
    // Only `muc` knows the author behind a nickname (§4.1).
    if (message.type === 'groupchat' && !('message' in received)) return false;
    if (reactions === undefined || conversation === undefined) return false;
    const key = messageKey(conversation, reactions.id);
    const stored = this.#messages.get(key) ?? new Map<string, StoredReactions>();
    const author = authorOf(received);
    const authorId = authorKey(author);
    const delay = readDelay(message.element);
    const at = Math.min(delay?.stamp?.getTime() ?? Infinity, Date.now());
    const before = stored.get(authorId);
    if (before === undefined ? stored.size >= MAX_PEOPLE : at < before.at) return false;
    // Removed reactions stay recorded, or older ones could restore them.
    stored.set(authorId, { author, emoji: reactions.emoji, at });
    this.#messages.set(key, stored);
    return true;
  }

  /** The reactions to a message. @param conversation the other party: a contact, an occupant or a room */
  of(conversation: Jid, id: string): { readonly author: Author; readonly emoji: ReadonlySet<string> }[] {
    const stored = this.#messages.use(messageKey(conversation, id)) ?? new Map<string, StoredReactions>();
    return [...stored.values()].flatMap(({ author, emoji }) => (emoji.size === 0 ? [] : [{ author, emoji }]));
  }

  #conversation({ from: sender, to }: Message): Jid | undefined {
    return sender.bare.equals(this.#account) ? to?.bare : sender.bare;
  }
}

function messageKey(conversation: Jid, id: string): string {
  return `${conversation.bare.toString()} ${id}`;
}
