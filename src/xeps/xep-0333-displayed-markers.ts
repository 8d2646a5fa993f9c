/**
 * XEP-0333 Displayed Markers, 1.0.0 (Stable). https://xmpp.org/extensions/xep-0333.html
 *
 * Says up to which message a conversation was read. A marker is sent when asked for, or in a room of our own accord, and only to whom
 * `allow` lets know that we are there (§7); to nobody unless told. Outside of rooms one that comes in counts only from whom the message
 * went to, and only forwards (§5).
 *
 * Left out: `received` and `acknowledged` of earlier versions, which 1.0 removed.
 */
import type { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, from } from '../xmpp-core/plugin.js';
import { writeMessage, type Message } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { AwaitedIds } from './awaited-ids.js';
import { messageOf, stanzaReferenceId, type Said } from './message-identity.js';
import { writeHint } from './xep-0334-message-processing-hints.js';

export const NS_MARKERS = 'urn:xmpp:chat-markers:0';

/** The id of the last message that was displayed; in a room it is the stanza-id. */
export function readDisplayed(message: Element): string | undefined {
  return message.child('displayed', NS_MARKERS)?.attr('id');
}

export function writeDisplayed(id: string): Element {
  return el('displayed', NS_MARKERS, { id });
}

/** Whether the sender wants to know when the message was displayed. */
export function isMarkable(message: Element): boolean {
  return message.child('markable', NS_MARKERS) !== undefined;
}

export function writeMarkable(): Element {
  return el('markable', NS_MARKERS);
}

/** Everything up to that message was displayed. */
export interface Displayed {
  readonly id: string;
  readonly from: Jid;
  /** The marker itself. Of one in a room only its readers can say whether there is such a message, and whether the marker goes forward. */
  readonly message: Message;
}

export const displayedMarkers = definePlugin({
  name: 'displayed-markers',
  xep: 333,
  features: [NS_MARKERS],
  setup(context) {
    const events = context.events<{ displayed: Displayed }>();
    const awaited = new AwaitedIds();
    let mayKnow: (reader: Jid) => boolean = () => false;

    context.onMessage({ ns: NS_MARKERS, name: 'displayed' }, from.anyone, (_payload, message) => {
      const id = readDisplayed(message.element);
      if (id === undefined) return;
      if (message.type === 'groupchat' || awaited.takeUpTo(id, message.from))
        events.emit('displayed', { id, from: message.from, message });
    });

    return {
      events,
      /** Says who may learn what we have read: the sender of a message, or the room (its bare JID). */
      allow(guard: (reader: Jid) => boolean): void {
        mayKnow = guard;
      },
      /**
       * The message with the wish to hear when it is displayed. Send it; `displayed` tells.
       * @throws XmppError when it has no id, no addressee, or goes to a room, where markers need no asking
       */
      request(message: Element): Element {
        awaited.add(message);
        return message.withNodes(writeMarkable());
      },
      /**
       * Tells that everything up to this message was displayed; of several, only the last need be marked.
       * @returns whether a marker was sent: not for our own messages, for markers, for what cannot be named, or to who may not know
       */
      mark(said: Said): boolean {
        const { element, from: author, type } = messageOf(said);
        const id = stanzaReferenceId(said);
        const isRoom = type === 'groupchat';
        const isOwn = author.bare.equals(context.account) || ('message' in said && said.own);
        const isWanted = isRoom || isMarkable(element);
        const reader = isRoom ? author.bare : author;
        if (id === undefined || isOwn || !isWanted || readDisplayed(element) !== undefined || !mayKnow(reader))
          return false;
        const payloads = [writeDisplayed(id), writeHint('store')];
        context.send(writeMessage({ to: reader, type: isRoom ? 'groupchat' : 'chat', payloads }));
        return true;
      },
    };
  },
});
