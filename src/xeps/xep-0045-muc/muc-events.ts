/** The events of the plugin: those of every room, with their room, and invitations. */
import type { Events } from '../../xmpp-core/events.js';
import type { Invitation } from './invitations.js';
import type { OccupantMessage, RoomEvents } from './room-events.js';
import type { Room } from './room.js';

/** The payload of a room's event, with the room. */
export type InRoom<Payload> = Payload & { readonly room: Room };

/** A message of an occupant, with the room. */
export type RoomMessage = InRoom<OccupantMessage>;

/** The same events, each with its room. */
export type InRooms<Map> = { readonly [Name in keyof Map]: InRoom<Map[Name]> };

/** The events of `client.get(muc).events`, by name, with their payloads: those of every room, and invitations. */
export interface MucEvents extends InRooms<RoomEvents> {
  /** Somebody invites us to a room. Anybody can send an invitation, so decide whether to accept it. */
  readonly invited: Invitation;
}

/** Emits an event of a room again, with the room. It is generic in `Map` because TypeScript does not resolve `InRooms<RoomEvents>[Name]`. */
export function emitInRoom<Map extends Record<keyof Map, object>, Name extends keyof Map & string>(
  events: Events<InRooms<Map>>,
  room: Room,
  name: Name,
  payload: Map[Name],
): void {
  events.emit(name, { ...payload, room });
}
