/**
 * Who wrote a message, and by which id a later one may name it: what corrections (XEP-0308), retractions (XEP-0424), reactions
 * (XEP-0444), replies (XEP-0461) and markers (XEP-0333) have in common.
 */
import type { Jid } from '../xmpp-core/jid/jid.js';
import type { Message } from '../xmpp-core/stanza/stanzas.js';
import { readOriginId } from './xep-0359-stable-ids.js';

/** A message of a room as multi-user chat tells it (`RoomMessage`), which knows more of who is behind a nick. */
export interface SaidInRoom {
  readonly message: Message;
  readonly nick: string;
  readonly occupant: { readonly realJid: Jid | undefined } | undefined;
  /** Only where the room announces such ids (XEP-0421 §5, XEP-0359 §6): `muc` sees to that. */
  readonly occupantId: string | undefined;
  readonly stanzaId: string | undefined;
  /** Whether we sent it ourselves. */
  readonly own: boolean;
}

/** A message as the client's `message` event brings it, or as multi-user chat does. */
export type Said = Message | SaidInRoom;

/** Who wrote a message: an account, or somebody in a room, of whom less may be known. */
export type Author =
  | { readonly kind: 'account'; readonly jid: Jid }
  | {
      readonly kind: 'occupant';
      readonly room: Jid;
      readonly nick: string;
      readonly occupantId: string | undefined;
      readonly realJid: Jid | undefined;
    };

/** What only who watched the room between the two messages can know. */
export interface Watched {
  /** The nick was held by the same person all the time between the two messages. */
  readonly sameStay?: boolean;
}

export function messageOf(said: Said): Message {
  return 'message' in said ? said.message : said;
}

/** The author of a message. One of type `groupchat` that did not come through `muc` is known by its nick only. */
export function authorOf(said: Said): Author {
  const { from, type } = messageOf(said);
  if ('message' in said) {
    const { nick, occupant, occupantId } = said;
    return { kind: 'occupant', room: from.bare, nick, occupantId, realJid: occupant?.realJid };
  }
  if (type !== 'groupchat') return { kind: 'account', jid: from.bare };
  return { kind: 'occupant', room: from.bare, nick: from.resource, occupantId: undefined, realJid: undefined };
}

/**
 * Whether the same person wrote both. In a room an occupant id decides, else the real JID; where the room tells neither, the same nick is
 * enough only for who has watched it (XEP-0308 §5). When unsure the answer is no.
 */
export function isSameAuthor(one: Author, other: Author, { sameStay = false }: Watched = {}): boolean {
  if (one.kind === 'account' || other.kind === 'account')
    return one.kind === 'account' && other.kind === 'account' && one.jid.equals(other.jid);
  if (!one.room.equals(other.room) || one.nick === '' || other.nick === '') return false;
  if (one.occupantId !== undefined || other.occupantId !== undefined) return one.occupantId === other.occupantId;
  if (one.realJid !== undefined && other.realJid !== undefined) return one.realJid.equals(other.realJid);
  return sameStay && one.nick === other.nick;
}

/** A text that is the same for the same author and another for any other, as far as the room tells; to keep things by. */
export function authorKey(author: Author): string {
  if (author.kind === 'account') return author.jid.toString();
  const { room, nick, occupantId, realJid } = author;
  // No JID has a space before its resource, so that no occupant can be spelt like another or like an account.
  if (occupantId !== undefined) return `${room.toString()} occupant ${occupantId}`;
  return realJid === undefined ? `${room.toString()} nick ${nick}` : `${room.toString()} jid ${realJid.toString()}`;
}

/**
 * The id by which replies and reactions name a message (XEP-0461 §4.1, XEP-0444 §4.3): in a room the one that the room gave it, else the
 * one its sender did. Without such an id it cannot be named.
 */
export function referenceId(said: Said): string | undefined {
  const { element, type, id } = messageOf(said);
  if (type === 'groupchat') return 'message' in said ? said.stanzaId : undefined;
  return readOriginId(element) ?? id;
}

/** The id by which retractions and markers name a message (XEP-0424 §5.1, XEP-0333 §4.3): outside of rooms, that of the stanza. */
export function stanzaReferenceId(said: Said): string | undefined {
  const { type, id } = messageOf(said);
  return type === 'groupchat' ? referenceId(said) : id;
}
