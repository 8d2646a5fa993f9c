/** The bot's recent messages, by the ids that clients use to reply and react to them. */
import { Jid } from '../../../xmpp-core/jid/jid.js';
import { BoundedMap } from '../../../xmpp-core/bounded-map.js';
import { definePlugin } from '../../../xmpp-core/plugin.js';
import type { Element } from '../../../xmpp-core/xml/element.js';
import { muc } from '../../../xeps/xep-0045-muc/index.js';
import { readCorrection } from '../../../xeps/xep-0308-message-correction.js';

/** A message of the bot. */
export interface OwnMessage {
  /** The beginning of its newest version. */
  readonly excerpt: string;
  /** How many reactions to it the model got. */
  reactions: number;
}

const MAX_MESSAGES = 1_000;
const EXCERPT = 120;

/** The beginning of a text, on one line. Never cuts a character in two. */
export function excerptOf(text: string): string {
  const characters = Array.from(
    text
      .slice(0, 4 * EXCERPT)
      .replace(/\s+/g, ' ')
      .trim(),
  );
  return characters.length <= EXCERPT ? characters.join('') : `${characters.slice(0, EXCERPT - 1).join('')}…`;
}

/** Records every message that the client sends, from whatever part of the program. */
export const ownMessages = definePlugin({
  name: 'agent-own-messages',
  requires: [muc],
  setup(context) {
    /** The same object under each of a message's ids, and under those of its corrections. */
    const known = new BoundedMap<string, { excerpt: string; reactions: number }>(MAX_MESSAGES);
    const keyOf = (conversation: Jid, id: string): string => `${conversation.toString()} ${id}`;

    const note = (conversation: Jid, element: Element, ids: readonly (string | undefined)[]): void => {
      const body = element.childText('body');
      if (body === undefined) return;
      const names = [readCorrection(element), element.attr('id'), ...ids].flatMap((id) => id ?? []);
      const message = names.map((id) => known.use(keyOf(conversation, id))).find((one) => one !== undefined);
      const noted = message ?? { excerpt: '', reactions: 0 };
      noted.excerpt = excerptOf(body);
      for (const id of names) known.set(keyOf(conversation, id), noted);
    };

    context.outgoing((stanza) => {
      const to = stanza.name === 'message' ? Jid.fromWire(stanza.attr('to')) : undefined;
      const inRoom = to !== undefined && context.get(muc).rooms.has(to.bare.toString());
      if (to !== undefined) note(inRoom ? to : to.bare, stanza, []);
      return stanza;
    });
    // In a room others refer to it by the room's id (XEP-0444 §4.2, XEP-0461 §4.1).
    context.get(muc).events.on('message', ({ room, message, own, stanzaId }) => {
      if (own) note(room.jid, message.element, [stanzaId]);
    });

    return {
      /** @param conversation a bare JID, or the full JID of an occupant */
      find: (conversation: Jid, id: string): OwnMessage | undefined => known.use(keyOf(conversation, id)),
    };
  },
});
