/** What can be said at a place, in the terms of the agent; how XMPP says it is settled here. */
import type { Client } from '../../xmpp-core/client.js';
import { newId } from '../../xmpp-core/stanza/ids.js';
import { writeMessage } from '../../xmpp-core/stanza/stanzas.js';
import type { Element } from '../../xmpp-core/xml/element.js';
import { muc } from '../../xeps/xep-0045-muc/index.js';
import { chatStates, writeChatState } from '../../xeps/xep-0085-chat-states.js';
import { writeCorrection } from '../../xeps/xep-0308-message-correction.js';
import { writeOriginId } from '../../xeps/xep-0359-stable-ids.js';
import { messageReactions } from '../../xeps/xep-0444-message-reactions.js';
import { writeReply } from '../../xeps/xep-0461-message-replies.js';
import type { Place } from './place.js';

/** A place to speak at. */
export interface Outlet {
  /** Whether what is said now has a way to go. */
  readonly open: boolean;
  /**
   * Says something.
   * @param replaces the id of an earlier message of ours that this takes the place of
   * @returns the id of the message
   */
  say(text: string, options?: { readonly replaces?: string; readonly last?: boolean }): string;
  /** Says a word of the bot's own that nobody is owed: without a way to go it stays unsaid. */
  remark(text: string): void;
  /** Tells that the bot is at work, or no longer; the latter only where the last message did not say so already. */
  state(state: 'composing' | 'active'): void;
  /** Marks the question with emoji; none takes the mark back. */
  mark(emoji: readonly string[]): void;
}

/** The way to speak at a place through a client. */
export function outletOf(client: Client, place: Place): Outlet {
  const type = place.kind === 'room' ? 'groupchat' : 'chat';
  const { to } = place;
  let replied = false;
  let composing = false;

  const isOpen = (): boolean => {
    if (client.state !== 'online') return false;
    return place.kind === 'direct' || client.get(muc).rooms.get(to.bare.toString())?.joined === true;
  };
  // The first message of an answer says what it answers; those that follow are seen to belong to it.
  const reply = (): Element | undefined => {
    if (place.kind !== 'room' || place.replyId === undefined || replied) return undefined;
    replied = true;
    const { replyId: id, replyTo } = place;
    return writeReply({ id, to: replyTo });
  };

  const say: Outlet['say'] = (text, { replaces, last = true } = {}) => {
    const id = newId();
    composing = !last;
    const payloads = [
      last ? writeChatState('active') : writeChatState('composing'),
      replaces === undefined ? reply() : writeCorrection(replaces),
      writeOriginId(id),
    ];
    const thread = place.kind === 'direct' ? place.thread : undefined;
    client.send(writeMessage({ to, type, id, body: writable(text), thread, payloads }));
    return id;
  };

  return {
    get open() {
      return isOpen();
    },
    say,
    remark(text) {
      if (isOpen()) say(text);
    },
    state(state) {
      if (!isOpen() || (state === 'active' && !composing)) return;
      composing = state === 'composing';
      client.get(chatStates).send(to, type, state);
    },
    mark(emoji) {
      // XEP-0444 §4: in a room a message is named by the id that the room gave it.
      const id = place.kind === 'room' ? place.replyId : place.messageId;
      if (isOpen() && id !== undefined) client.get(messageReactions).react(to, type, id, emoji);
    },
  };
}

/** All but what XML 1.0 §2.2 calls a character. */
const NOT_XML = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu;

/** Models write what no XML can carry: escape characters of terminals, halves of emoji. It shows that something was there. */
function writable(text: string): string {
  return text.replaceAll(NOT_XML, '\uFFFD');
}
