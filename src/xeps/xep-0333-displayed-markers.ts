/**
 * XEP-0333 Displayed Markers, 1.0.0 (Stable). https://xmpp.org/extensions/xep-0333.html
 *
 * Reports up to which message a conversation was read. We send markers on request, and in rooms without one, but only to readers that
 * `allow` admits, since a marker reveals our presence (§7); to nobody by default. Outside of rooms a received marker counts only from the
 * addressee of the message, and only forward (§5).
 *
 * Left out: `received` and `acknowledged` of earlier versions, which 1.0 removed.
 */
import type { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, senders } from '../xmpp-core/plugin.js';
import { writeMessage, type Message } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { AwaitedIds } from './awaited-ids.js';
import { messageOf, stanzaReferenceId, type AnyMessage } from './message-identity.js';
import { writeHint } from './xep-0334-message-processing-hints.js';

/** The namespace of markers. */
export const NS_MARKERS = 'urn:xmpp:chat-markers:0';

/** Reads a marker: the id of the last displayed message; in a room its stanza-id. */
export function readDisplayed(message: Element): string | undefined {
  return message.child('displayed', NS_MARKERS)?.attr('id');
}

/** Writes a marker. */
export function writeDisplayed(id: string): Element {
  return el('displayed', NS_MARKERS, { id });
}

/** Whether the sender requests a marker. */
export function isMarkable(message: Element): boolean {
  return message.child('markable', NS_MARKERS) !== undefined;
}

/** Writes the request for a marker. */
export function writeMarkable(): Element {
  return el('markable', NS_MARKERS);
}

/** A received marker: all messages up to that one were displayed. */
export interface Displayed {
  readonly id: string;
  readonly from: Jid;
  /**
   * The message that carries the marker. In a room, only the application can tell whether the id exists and whether the marker moves
   * forward.
   */
  readonly message: Message;
}

/** Markers: `client.get(displayedMarkers)` requests and sends them. */
export const displayedMarkers = definePlugin({
  name: 'displayed-markers',
  xep: 333,
  features: [NS_MARKERS],
  setup(context) {
    const events = context.events<{ displayed: Displayed }>();
    const awaited = new AwaitedIds();
    let canSeePresence: (reader: Jid) => boolean = () => false;

    context.onMessage({ ns: NS_MARKERS, name: 'displayed' }, senders.anyone, (_payload, message) => {
      const id = readDisplayed(message.element);
      if (id === undefined) return;
      if (message.type === 'groupchat' || awaited.takeUpTo(id, message.from))
        events.emit('displayed', { id, from: message.from, message });
    });

    return {
      events,
      /** Sets who may learn what we have read: the sender of a message, or the bare JID of the room. */
      allow(guard: (reader: Jid) => boolean): void {
        canSeePresence = guard;
      },
      /**
       * Adds the request for a marker to a message. Send the result; `displayed` reports the marker.
       * @throws XmppError if it has no id or no addressee, or goes to a room, where markers need no request
       */
      request(message: Element): Element {
        awaited.add(message);
        return message.withNodes(writeMarkable());
      },
      /**
       * Marks all messages up to this one as displayed; of several messages, only mark the last.
       * @returns whether a marker was sent: not for our own messages, for markers, for messages without an id, or if `allow` does not admit
       * the reader
       */
      mark(received: AnyMessage): boolean {
        const { element, from: author, type } = messageOf(received);
        const id = stanzaReferenceId(received);
        const isRoom = type === 'groupchat';
        const isOwn = author.bare.equals(context.account) || ('message' in received && received.own);
        const isRequested = isRoom || isMarkable(element);
        const reader = isRoom ? author.bare : author;
        if (
          id === undefined ||
          isOwn ||
          !isRequested ||
          readDisplayed(element) !== undefined ||
          !canSeePresence(reader)
        )
          return false;
        const payloads = [writeDisplayed(id), writeHint('store')];
        context.send(writeMessage({ to: reader, type: isRoom ? 'groupchat' : 'chat', payloads }));
        return true;
      },
    };
  },
});
