/** The archive that a room keeps (XEP-0313): its messages in the shape of a room message, and those that the bot missed. */
import type { Client } from '../../../xmpp-core/client.js';
import { StanzaError } from '../../../xmpp-core/errors.js';
import type { Room, RoomMessage } from '../../../xeps/xep-0045-muc/index.js';
import { ArchiveError, messageArchive, type ArchivedMessage } from '../../../xeps/xep-0313-message-archive/index.js';
import { NS_STABLE_IDS } from '../../../xeps/xep-0359-stable-ids.js';
import { NS_OCCUPANT_ID, readOccupantId } from '../../../xeps/xep-0421-occupant-id.js';

/** The most messages that are read after an absence: the newest ones. */
const MAX_MISSED = 100;

/**
 * The messages of a room since `start`, the oldest first. A room may send less history at the join than its archive has; a message that comes both
 * ways has the same stanza id. Throws when the connection is lost, and the signal's reason.
 */
export async function* missedMessages(
  client: Client,
  room: Room,
  start: Date,
  signal: AbortSignal,
): AsyncGenerator<RoomMessage> {
  const missed: ArchivedMessage[] = [];
  const query = { archive: room.jid, start, order: 'newest-first', limit: MAX_MISSED, signal } as const;
  try {
    for await (const archived of client.get(messageArchive).messages(query)) missed.push(archived);
  } catch (error) {
    // Some rooms show their archive to members only.
    if (!(error instanceof StanzaError || error instanceof ArchiveError)) throw error;
  }
  for (const archived of missed.toReversed()) yield asRoomMessage(room, archived);
}

/** A message of a room's archive as if the room had sent it with its history. */
export function asRoomMessage(room: Room, { id, at = new Date(), message }: ArchivedMessage): RoomMessage {
  const nick = message.from.resource;
  // Unless the room announces these ids, anybody can have written them (XEP-0421 §4, XEP-0359 §6).
  const occupantId = room.features.has(NS_OCCUPANT_ID) ? readOccupantId(message.element) : undefined;
  const ownId = room.self?.occupantId;
  return {
    room,
    nick,
    message,
    occupant: undefined,
    occupantId,
    stanzaId: room.features.has(NS_STABLE_IDS) ? id : undefined,
    delayed: at,
    own: occupantId === undefined || ownId === undefined ? nick === room.nick : occupantId === ownId,
  };
}
