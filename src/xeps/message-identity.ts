/**
 * Who wrote a message, and which id later messages refer to it by: shared by corrections (XEP-0308), displayed markers (XEP-0333),
 * retractions (XEP-0424), reactions (XEP-0444) and replies (XEP-0461).
 */
import type { Jid } from '../xmpp-core/jid/jid.js';
import type { Message } from '../xmpp-core/stanza/stanzas.js';
import { readOriginId } from './xep-0359-stable-ids.js';

/** A message in a room as `muc` emits it (`RoomMessage`), with what the room reveals about the sender. */
export interface MessageInRoom {
  readonly message: Message;
  readonly nick: string;
  readonly occupant: { readonly realJid: Jid | undefined } | undefined;
  /** `undefined` unless the room announces occupant ids and stanza ids (XEP-0421 §5, XEP-0359 §6): `muc` checks that. */
  readonly occupantId: string | undefined;
  readonly stanzaId: string | undefined;
  /** Whether this client sent it. */
  readonly own: boolean;
}

/** A message from the client's `message` event, or from `muc`. */
export type AnyMessage = Message | MessageInRoom;

/** The author of a message: an account, or an occupant of a room, whose account may be hidden. */
export type Author =
  | { readonly kind: 'account'; readonly jid: Jid }
  | {
      readonly kind: 'occupant';
      readonly room: Jid;
      readonly nick: string;
      readonly occupantId: string | undefined;
      readonly realJid: Jid | undefined;
    };

/** What only a caller that observed the room between the two messages can tell. */
export interface SameAuthorOptions {
  /** The same occupant held the nickname from the first message to the second. */
  readonly sameStay?: boolean;
}

/** The stanza itself, from either kind of message. */
export function messageOf(received: AnyMessage): Message {
  return 'message' in received ? received.message : received;
}

/** The author of a message. A `groupchat` message that did not come through `muc` is known by its nickname only. */
export function authorOf(received: AnyMessage): Author {
  const { from, type } = messageOf(received);
  if ('message' in received) {
    const { nick, occupant, occupantId } = received;
    return { kind: 'occupant', room: from.bare, nick, occupantId, realJid: occupant?.realJid };
  }
  if (type !== 'groupchat') return { kind: 'account', jid: from.bare };
  return { kind: 'occupant', room: from.bare, nick: from.resource, occupantId: undefined, realJid: undefined };
}

/**
 * Whether both authors are the same. In a room the occupant ids decide, else the real JIDs. If the room reveals neither, the same nickname
 * counts only if the caller observed the room in between (XEP-0308 §5). When in doubt, the answer is no.
 */
export function isSameAuthor(one: Author, other: Author, { sameStay = false }: SameAuthorOptions = {}): boolean {
  if (one.kind === 'account' || other.kind === 'account')
    return one.kind === 'account' && other.kind === 'account' && one.jid.equals(other.jid);
  if (!one.room.equals(other.room) || one.nick === '' || other.nick === '') return false;
  if (one.occupantId !== undefined || other.occupantId !== undefined) return one.occupantId === other.occupantId;
  if (one.realJid !== undefined && other.realJid !== undefined) return one.realJid.equals(other.realJid);
  return sameStay && one.nick === other.nick;
}

/** A key for maps: equal for the same author and different for any other, as far as the room reveals authors. */
export function authorKey(author: Author): string {
  if (author.kind === 'account') return author.jid.toString();
  const { room, nick, occupantId, realJid } = author;
  // A JID has no space before its resource, so an occupant's key cannot equal that of another occupant or of an account.
  if (occupantId !== undefined) return `${room.toString()} occupant ${occupantId}`;
  return realJid === undefined ? `${room.toString()} nick ${nick}` : `${room.toString()} jid ${realJid.toString()}`;
}

/**
 * The id that replies and reactions refer to a message by (XEP-0461 §4.1, XEP-0444 §4.3).
 * @returns in a room the id that the room assigned, elsewhere the sender's; `undefined` if the message has none and cannot be referred to
 */
export function referenceId(received: AnyMessage): string | undefined {
  const { element, type, id } = messageOf(received);
  if (type === 'groupchat') return 'message' in received ? received.stanzaId : undefined;
  return readOriginId(element) ?? id;
}

/** The id that retractions and markers refer to a message by (XEP-0424 §5.1, XEP-0333 §4.3): outside of rooms, the stanza's `id`. */
export function stanzaReferenceId(received: AnyMessage): string | undefined {
  const { type, id } = messageOf(received);
  return type === 'groupchat' ? referenceId(received) : id;
}
