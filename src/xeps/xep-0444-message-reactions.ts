/**
 * XEP-0444 Message Reactions, 0.2.1 (Experimental). https://xmpp.org/extensions/xep-0444.html
 *
 * A reaction replaces all that its sender said of that message before (§3.2). In a room it names the stanza-id that the room assigned
 * (§4.2); `referenceId` finds it. `ReactionTally` keeps who thinks what.
 */
import { definePlugin, from } from '../xmpp-core/plugin.js';
import type { Jid } from '../xmpp-core/jid/jid.js';
import { BoundedMap } from '../xmpp-core/bounded-map.js';
import { writeMessage, type Message } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { authorKey, authorOf, messageOf, type Author, type Said } from './message-identity.js';
import { fieldValue, fieldValues } from './xep-0004-data-forms.js';
import type { DiscoInfo } from './xep-0030-service-discovery.js';
import { extendedInfo } from './xep-0128-service-discovery-extensions.js';
import { readDelay } from './xep-0203-delayed-delivery.js';
import { writeHint } from './xep-0334-message-processing-hints.js';

export const NS_REACTIONS = 'urn:xmpp:reactions:0';

/** What somebody thinks of a message: all of it, so that an empty set takes back what was there. */
export interface Reactions {
  readonly id: string;
  readonly emoji: ReadonlySet<string>;
}

/** More of them, or longer ones, are nobody's honest opinion: they are left out. */
const MAX_EMOJI = 50;
const MAX_EMOJI_LENGTH = 100;

export function readReactions(message: Element): Reactions | undefined {
  const reactions = message.child('reactions', NS_REACTIONS);
  const id = reactions?.attr('id');
  if (reactions === undefined || id === undefined) return undefined;
  const emoji = reactions.children('reaction').map((one) => one.text.trim());
  const fit = emoji.filter((one) => one !== '' && one.length <= MAX_EMOJI_LENGTH);
  return { id, emoji: new Set(fit.slice(0, MAX_EMOJI)) };
}

export function writeReactions({ id, emoji }: Reactions): Element {
  const reactions = [...emoji].map((one) => el('reaction', NS_REACTIONS, {}, one));
  return el('reactions', NS_REACTIONS, { id }, ...reactions);
}

/** Which reactions an entity takes (§2.2): of a gateway or a room, mostly. */
export interface ReactionRestrictions {
  readonly maxPerUser: number | undefined;
  /** All of them, where it is absent. */
  readonly allowed: ReadonlySet<string> | undefined;
}

export function readReactionRestrictions(info: DiscoInfo): ReactionRestrictions {
  const form = extendedInfo(info, `${NS_REACTIONS}:restrictions`);
  const max = Number(fieldValue(form, 'max_reactions_per_user'));
  const allowed = fieldValues(form, 'allowlist');
  return {
    maxPerUser: Number.isSafeInteger(max) && max > 0 ? max : undefined,
    allowed: allowed.length === 0 ? undefined : new Set(allowed),
  };
}

export function isAllowedReaction(emoji: readonly string[], { maxPerUser, allowed }: ReactionRestrictions): boolean {
  return emoji.length <= (maxPerUser ?? Infinity) && emoji.every((one) => allowed?.has(one) ?? true);
}

/** A set of reactions that came in. */
export interface Reacted extends Reactions {
  readonly message: Message;
}

export const messageReactions = definePlugin({
  name: 'message-reactions',
  xep: 444,
  features: [NS_REACTIONS],
  setup(context) {
    const events = context.events<{ reacted: Reacted }>();
    context.onMessage({ ns: NS_REACTIONS, name: 'reactions' }, from.anyone, (_payload, message) => {
      const reactions = readReactions(message.element);
      if (reactions !== undefined) events.emit('reacted', { ...reactions, message });
    });
    return {
      events,
      /** Says what we think of a message; an empty list takes it back. The archive is asked to keep it (§4). */
      react(to: Jid, type: 'chat' | 'groupchat', id: string, emoji: readonly string[]): void {
        const reactions = writeReactions({ id, emoji: new Set(emoji) });
        context.send(writeMessage({ to, type, payloads: [reactions, writeHint('store')] }));
      },
    };
  },
});

/** Of how many messages the reactions are kept, at least, and of how many people for each. */
const MAX_MESSAGES = 500;
const MAX_PEOPLE = 500;

interface Opinion {
  readonly author: Author;
  readonly emoji: ReadonlySet<string>;
  /** In milliseconds of the epoch. */
  readonly at: number;
}

/**
 * Who thinks what of which message, from all that came in, in whatever order (§4.1): feed it with what the client tells, and with what
 * `muc` tells of rooms. Bounded: of a message that nobody has asked for or reacted to for long, it forgets all.
 */
export class ReactionTally {
  readonly #messages = new BoundedMap<string, Map<string, Opinion>>(MAX_MESSAGES);
  readonly #account: Jid;

  /** @param account our own, whose words belong to the conversation with whom they went to */
  constructor(account: Jid) {
    this.#account = account;
  }

  /** Takes what somebody says; anything but a reaction is passed over. @returns whether it changed something */
  take(said: Said): boolean {
    const message = messageOf(said);
    const reactions = readReactions(message.element);
    const conversation = this.#conversation(message);
    // Who is behind a nick is known to `muc` alone (§4.1).
    if (message.type === 'groupchat' && !('message' in said)) return false;
    if (reactions === undefined || conversation === undefined) return false;
    const key = messageKey(conversation, reactions.id);
    const opinions = this.#messages.get(key) ?? new Map<string, Opinion>();
    const author = authorOf(said);
    const who = authorKey(author);
    const delay = readDelay(message.element);
    const at = Math.min(delay?.stamp.getTime() ?? Infinity, Date.now());
    const before = opinions.get(who);
    if (before === undefined ? opinions.size >= MAX_PEOPLE : at < before.at) return false;
    // Who took everything back stays known, or an older reaction could still bring it back.
    opinions.set(who, { author, emoji: reactions.emoji, at });
    this.#messages.set(key, opinions);
    return true;
  }

  /** Who thinks what of a message. @param conversation with whom: a person, an occupant or a room */
  of(conversation: Jid, id: string): { readonly author: Author; readonly emoji: ReadonlySet<string> }[] {
    const opinions = this.#messages.use(messageKey(conversation, id)) ?? new Map<string, Opinion>();
    return [...opinions.values()].flatMap(({ author, emoji }) => (emoji.size === 0 ? [] : [{ author, emoji }]));
  }

  #conversation({ from: sender, to }: Message): Jid | undefined {
    return sender.bare.equals(this.#account) ? to?.bare : sender.bare;
  }
}

function messageKey(conversation: Jid, id: string): string {
  return `${conversation.bare.toString()} ${id}`;
}
