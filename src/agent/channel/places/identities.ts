/**
 * Who somebody is, as far as it can be proven: what somebody said is theirs to change, and what is owed to them is for nobody else. In a
 * room the occupant id tells, else the real JID; where the room gives neither, only that somebody has had their nick without a break.
 */
import type { Jid } from '../../../xmpp-core/jid/jid.js';
import { definePlugin } from '../../../xmpp-core/plugin.js';
import type { Client } from '../../../xmpp-core/client.js';
import { newId } from '../../../xmpp-core/stanza/ids.js';
import { authorKey } from '../../../xeps/message-identity.js';
import { muc, type Occupant, type RoomMessage } from '../../../xeps/xep-0045-muc/index.js';
import type { Place } from './place.js';

/** A part of the client, so that everything that speaks or listens through it asks the same memory. */
export const identities = definePlugin({
  name: 'agent-identities',
  requires: [muc],
  setup(context) {
    const { events, rooms } = context.get(muc);
    /** By room, then nick: a name for the time that somebody has had it without a break. Only of those who are there. */
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
      // Of somebody who is not there nothing is known that could be found again.
      return `${room.toString()} stay ${occupant === undefined ? newId() : stayOf(room, nick)}`;
    };

    return {
      /** Who said it, in words that are the same only for the same person. */
      author: ({ room, nick, occupant, occupantId }: RoomMessage): string =>
        identify(room.jid, nick, occupantId, occupant),
      /** Who has a nick now; `undefined` when nobody has. @param at the address in the room */
      at(at: Jid): string | undefined {
        const occupant = rooms.get(at.bare.toString())?.occupants.get(at.resource);
        return occupant === undefined ? undefined : identify(at.bare, at.resource, undefined, occupant);
      },
    };
  },
});

/** Whether what is said at a place now reaches the one that it is for. A nick can pass to somebody else. */
export function isSameOccupant(client: Client, place: Place): boolean {
  return (
    place.kind !== 'private' || (place.occupant !== undefined && client.get(identities).at(place.to) === place.occupant)
  );
}

/**
 * For whom limits count what is said at a place, and what its answer costs: a person, or a room. Who speaks alone in a room that hides them is
 * known by the occupant id; where there is none it is the room, for anybody can take another nick.
 */
export function payerAt(place: Place): string {
  if (place.kind !== 'private') return place.to.toString();
  const { to, realJid, occupant } = place;
  const room = to.bare.toString();
  if (realJid !== undefined) return realJid.toString();
  return occupant === undefined || occupant.startsWith(`${room} stay `) ? room : occupant;
}
