/**
 * XEP-0045 Multi-User Chat, 1.35.1. https://xmpp.org/extensions/xep-0045.html
 *
 * Being an occupant: joining with history control, nick conflicts, self-presence, messages, private messages, subjects, and every
 * way in which a stay ends. A room that was joined is joined again after a reconnect, with what was said meanwhile.
 * Left out for now: administration, configuration beyond accepting a new room, invitations.
 */
import { XmppError } from '../../xmpp-core/errors.js';
import type { Jid } from '../../xmpp-core/jid/jid.js';
import { definePlugin, handled, type SenderGuard } from '../../xmpp-core/plugin.js';
import { serviceDiscovery } from '../xep-0030-service-discovery.js';
import { NS_MUC } from './codecs.js';
import { Room, type MucEvents, type RoomOptions } from './room.js';

export * from './codecs.js';
export { Room, type Departure, type MucEvents, type Occupant, type RoomMessage, type RoomOptions } from './room.js';

const FEATURES_TIMEOUT_MS = 10_000;

export const muc = definePlugin({
  name: 'muc',
  xep: 45,
  features: [NS_MUC],
  requires: [serviceDiscovery],
  setup(context) {
    const events = context.events<MucEvents>();
    const rooms = new Map<string, Room>();
    const known: ReadonlyMap<string, Room> = rooms;
    const fromRoom: SenderGuard = { name: 'fromRoom', admits: (sender) => rooms.has(sender.bare.toString()) };

    const features = async (room: Jid, signal: AbortSignal): Promise<ReadonlySet<string>> =>
      (await context.get(serviceDiscovery).info(room, { signal, timeoutMs: FEATURES_TIMEOUT_MS })).features;

    context.onPresence('every', fromRoom, (_payload, presence) => {
      rooms.get(presence.from.bare.toString())?.takePresence(presence);
    });
    context.onMessage('every', fromRoom, (_payload, message) => {
      rooms.get(message.from.bare.toString())?.takeMessage(message);
      return handled;
    });
    context.onOnline(({ resumed }) => {
      if (resumed) return;
      for (const room of rooms.values()) {
        room.join().catch((error: unknown) => {
          events.emit('joinFailed', { room, error: error instanceof Error ? error : new XmppError(String(error)) });
        });
      }
    });
    context.onOffline(() => {
      for (const room of rooms.values()) room.disconnected();
    });

    return {
      events,
      /** Admits what comes from a room we are in, or its occupants. For other plugins. */
      fromRoom,
      /** The rooms that were joined and not left, by bare JID. */
      rooms: known,
      /**
       * Enters a room and keeps us in it over reconnects until `leave`.
       * @throws what `Room.join` throws; the room stays known, so that `join` can be tried again
       */
      async join(jid: Jid, options: RoomOptions, signal?: AbortSignal): Promise<Room> {
        const key = jid.bare.toString();
        const room = rooms.get(key) ?? new Room(jid.bare, options, context, events, features);
        rooms.set(key, room);
        room.prepare(options);
        await room.join(signal);
        return room;
      },
      /** Leaves a room for good. */
      leave(jid: Jid): void {
        rooms.get(jid.bare.toString())?.leave();
        rooms.delete(jid.bare.toString());
      },
    };
  },
});
