/**
 * XEP-0444 Message Reactions, 0.2.1. https://xmpp.org/extensions/xep-0444.html
 *
 * A reaction replaces all that its sender said of that message before (§3.1). In a room it names the stanza-id that the room
 * assigned (§4). Restricting which emoji are allowed (§5) is left out.
 */
import { definePlugin, from } from '../xmpp-core/plugin.js';
import type { Jid } from '../xmpp-core/jid/jid.js';
import { writeMessage, type Message } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';

export const NS_REACTIONS = 'urn:xmpp:reactions:0';
const NS_HINTS = 'urn:xmpp:hints';

/** What somebody thinks of a message: all of it, so that an empty set takes back what was there. */
export interface Reactions {
  readonly id: string;
  readonly emoji: ReadonlySet<string>;
}

export function readReactions(message: Element): Reactions | undefined {
  const reactions = message.child('reactions', NS_REACTIONS);
  const id = reactions?.attr('id');
  if (reactions === undefined || id === undefined) return undefined;
  const emoji = reactions.children('reaction').map((one) => one.text.trim());
  return { id, emoji: new Set(emoji.filter((one) => one !== '')) };
}

export function writeReactions({ id, emoji }: Reactions): Element {
  const reactions = [...emoji].map((one) => el('reaction', NS_REACTIONS, {}, one));
  return el('reactions', NS_REACTIONS, { id }, ...reactions);
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
      /** Says what we think of a message; an empty list takes it back. The archive is asked to keep it (§3.1). */
      react(to: Jid, type: 'chat' | 'groupchat', id: string, emoji: readonly string[]): void {
        const store = el('store', NS_HINTS);
        context.send(writeMessage({ to, type, payloads: [writeReactions({ id, emoji: new Set(emoji) }), store] }));
      },
    };
  },
});
