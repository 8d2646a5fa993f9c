/** Finds the messages of an answer that reached the server before the process was killed, in the archive (XEP-0313). */
import type { Client } from '../../../xmpp-core/client.js';
import { StanzaError } from '../../../xmpp-core/errors.js';
import { muc } from '../../../xeps/xep-0045-muc/index.js';
import { readCorrection } from '../../../xeps/xep-0308-message-correction.js';
import { ArchiveError, messageArchive, NS_MAM } from '../../../xeps/xep-0313-message-archive/index.js';
import { isMessageOf } from '../outbound/reply-writer.js';
import type { Place } from '../places/place.js';
import { asRoomMessage } from '../rooms/room-archive.js';

/** How long before the answer the search begins. It finds the question as well, which shows that the archive keeps this conversation. */
const AROUND_MS = 10 * 60_000;
const MAX_READ = 500;

/**
 * Searches the archive for the messages of an answer.
 * @param answer its id, and when it was complete
 * @returns the newest texts of its messages by their ids; `undefined` when the archive cannot tell
 * @throws the signal's reason; XmppError when the connection is lost
 */
export async function sentMessages(
  client: Client,
  place: Place,
  answer: { readonly id: string; readonly at: Date },
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string> | undefined> {
  const room = place.kind === 'room' ? client.get(muc).rooms.get(place.to.bare.toString()) : undefined;
  if (place.kind === 'room' && room?.features.has(NS_MAM) !== true) return undefined;
  const where = room === undefined ? { with: place.to } : { archive: room.jid };
  const query = { ...where, start: new Date(answer.at.getTime() - AROUND_MS), limit: MAX_READ, signal };
  let isKept = false;
  const sent = new Map<string, string>();
  try {
    for await (const archived of client.get(messageArchive).messages(query)) {
      isKept = true;
      const { message } = archived;
      const isOwn = room === undefined ? message.from.bare.equals(client.account) : asRoomMessage(room, archived).own;
      const name = readCorrection(message.element) ?? message.id;
      if (isOwn && name !== undefined && isMessageOf(answer.id, name)) sent.set(name, message.body ?? '');
    }
  } catch (error) {
    if (!(error instanceof StanzaError || error instanceof ArchiveError)) throw error;
    // The results so far need not be complete.
    return undefined;
  }
  return isKept ? sent : undefined;
}
