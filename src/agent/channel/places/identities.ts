/**
 * Identifies the author of a message as far as that can be proven: only they can change it, and a private answer is for nobody else. In a
 * room the occupant id decides, else the real JID; where the room shows neither, only that the same occupant still has the nick.
 */
import type { Jid } from '../../../xmpp-core/jid/jid.js';
import { definePlugin } from '../../../xmpp-core/plugin.js';
import type { Client } from '../../../xmpp-core/client.js';
import { newId } from '../../../xmpp-core/stanza/ids.js';
import { authorKey } from '../../../xeps/message-identity.js';
import { muc, type Occupant, type RoomMessage } from '../../../xeps/xep-0045-muc/index.js';
import type { Place } from './place.js';

/** Identifies authors and occupants. A plugin, so that everything that uses the client shares one state. */
export const identities = definePlugin({
  name: 'agent-identities',
  requires: [muc],
  setup(context) {
    const { events, rooms } = context.get(muc);
    /** By room, then nick: an id for the time that one occupant has had the nick without a break. Present occupants only. */
    const stays = new Map<string, Map<string, string>>();

    const forget = (room: Jid): boolean => stays.delete(room.toString());
    events.on('joined', ({ room }) => forget(room.jid));
    events.on('left', ({ room }) => forget(room.jid));
    events.on('occupantLeft', ({ room, occupant }) => stays.get(room.jid.toString())?.delete(occupant.nick));
    events.on('renamed', ({ room, nick, before }) => {
      const ofRoom = stays.get(room.jid.toString());
      const stay = ofRoom?.get(before);
      ofRoom?.delete(before);
      if (stay !== undefined) ofRoom?.set(nick, stay);
    });
    context.onOffline(() => stays.clear());

    const stayOf = (room: Jid, nick: string): string => {
      const ofRoom = stays.get(room.toString()) ?? new Map<string, string>();
      stays.set(room.toString(), ofRoom);
      const stay = ofRoom.get(nick) ?? newId();
      ofRoom.set(nick, stay);
      return stay;
    };
    const identify = (
      room: Jid,
      nick: string,
      occupantId: string | undefined,
      occupant: Occupant | undefined,
    ): string => {
      const realJid = occupant?.realJid;
      const id = occupantId ?? occupant?.occupantId;
      if (id !== undefined || realJid !== undefined)
        return authorKey({ kind: 'occupant', room, nick, occupantId: id, realJid });
      // An occupant who has left has nothing by which they could be identified again.
      return `${room.toString()} stay ${occupant === undefined ? newId() : stayOf(room, nick)}`;
    };

    return {
      /** The author of a message, as a key that only the same person gets. */
      author: ({ room, nick, occupant, occupantId }: RoomMessage): string =>
        identify(room.jid, nick, occupantId, occupant),
      /** The key of the occupant who has a nick now; `undefined` when nobody has it. @param at the full JID in the room */
      at(at: Jid): string | undefined {
        const occupant = rooms.get(at.bare.toString())?.occupants.get(at.resource);
        return occupant === undefined ? undefined : identify(at.bare, at.resource, undefined, occupant);
      },
    };
  },
});

/** Whether a message to a place reaches the same person as before. In a room a nick can pass to somebody else. */
export function isSameOccupant(client: Client, place: Place): boolean {
  return (
    place.kind !== 'private' || (place.occupant !== undefined && client.get(identities).at(place.to) === place.occupant)
  );
}

/**
 * The key under which limits count messages from a place and the tokens of their answers: a bare JID, a room, or an occupant. For a private
 * message in a room that hides JIDs it is the occupant id; without one it is the room, because anybody can change their nick.
 */
export function payerAt(place: Place): string {
  if (place.kind !== 'private') return place.to.toString();
  const { to, realJid, occupant } = place;
  const room = to.bare.toString();
  if (realJid !== undefined) return realJid.toString();
  return occupant === undefined || occupant.startsWith(`${room} stay `) ? room : occupant;
}
