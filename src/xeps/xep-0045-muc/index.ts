/**
 * XEP-0045 Multi-User Chat, 1.35.5 (Stable). https://xmpp.org/extensions/xep-0045.html
 *
 * Rooms: finding them, joining with control over the history, messages to everybody and to one occupant, nicks, subjects, invitations of both
 * kinds, voice, membership, the lists and settings that moderators, admins and owners manage, and every way in which a stay ends. A room that
 * was joined is joined again after a reconnect, and asked for the messages since.
 *
 * Left out: the legacy join without `<x/>` (§7.2.16), which no service needs any more; URIs (§15.7), which are for user interfaces.
 */
import { Jid } from '../../xmpp-core/jid/jid.js';
import { definePlugin, senders, handled, type SenderGuard } from '../../xmpp-core/plugin.js';
import { writeMessage } from '../../xmpp-core/stanza/stanzas.js';
import { serviceDiscovery } from '../xep-0030-service-discovery.js';
import { NS_DIRECT_INVITATION, readDirectInvitation } from '../xep-0249-direct-invitations.js';
import { RoomDiscovery } from './discovery.js';
import { readMediatedInvitation, writeDecline, type Invitation } from './invitations.js';
import { NS_MUC } from './join.js';
import type { MucEvents } from './muc-events.js';
import { NS_MUC_USER } from './muc-user.js';
import { RecentInvitations } from './recent-invitations.js';
import { RoomRegistration } from './registration.js';
import type { ListedRoom, RoomInformation } from './room-information.js';
import { RoomManagement } from './room-management.js';
import { RoomSession, type RoomHost } from './room-session.js';
import type { Room, RoomOptions } from './room.js';

export type { ListChange, ListedUser } from './admin.js';
export type { ApprovalRequest } from './approvals.js';
export type { Departure } from './departure.js';
export type { Decline, Invitation, InvitationOptions } from './invitations.js';
export { NO_HISTORY, NS_MUC, writeMucJoin, type HistoryRequest } from './join.js';
export type { InRoom, MucEvents, RoomMessage } from './muc-events.js';
export {
  NS_MUC_USER,
  readMucUser,
  Status,
  writeMucUser,
  type Actor,
  type Affiliation,
  type AffiliationChange,
  type MucUser,
  type Role,
} from './muc-user.js';
export { MAX_OCCUPANTS, type Occupant } from './occupants.js';
export { NS_MUC_OWNER, type Destruction } from './owner.js';
export type { RoomRegistration, RoomRegistrationState } from './registration.js';
export { attempted, RoomError, type RoomAttempt, type RoomRefusal } from './room-error.js';
export type { Joined, Left, OccupantMessage, RoomChange, RoomEvents } from './room-events.js';
export type { ListedRoom, RoomInformation } from './room-information.js';
export type { AffiliationOptions, RoomManagement } from './room-management.js';
export type { Room, RoomOptions } from './room.js';

/**
 * Multi-user chat. `client.get(muc)` joins and finds rooms, and emits the events of all of them; a `Room` is what one of them is and does.
 */
export const muc = definePlugin({
  name: 'muc',
  xep: 45,
  features: [NS_MUC, NS_DIRECT_INVITATION],
  requires: [serviceDiscovery],
  setup(context) {
    const events = context.events<MucEvents>();
    const sessions = new Map<string, RoomSession>();
    const rooms: ReadonlyMap<string, Room> = sessions;
    const sessionOf = (jid: Jid): RoomSession | undefined => sessions.get(jid.bare.toString());
    const fromRoom: SenderGuard = { name: 'fromRoom', admits: (sender) => sessionOf(sender) !== undefined };
    const discovery = new RoomDiscovery(context);
    const host: RoomHost = {
      context,
      events,
      sessions,
      readFeatures: (room, signal) => discovery.features(room, signal),
      checkService: (room, signal) => discovery.checkService(room, signal),
    };
    const recent = new RecentInvitations();
    const takeInvitation = (invitation: Invitation | undefined): typeof handled | undefined => {
      if (invitation === undefined) return undefined;
      // XEP-0249 §4: an invitation is emitted once, and not for a room that we are in.
      if (sessionOf(invitation.room)?.joined !== true && recent.isNew(invitation)) events.emit('invited', invitation);
      return handled;
    };

    context.onPresence('every', fromRoom, (_payload, presence) => sessionOf(presence.from)?.takePresence(presence));
    context.onMessage('every', fromRoom, (_payload, message) => {
      sessionOf(message.from)?.takeMessage(message);
      return handled;
    });
    // §7.4: a groupchat message from a room that we are not in is forged, or we left the room meanwhile.
    context.onMessage('every', senders.anyone, (_payload, { type }) => (type === 'groupchat' ? handled : undefined));
    context.onUndelivered(fromRoom, (undelivered) => sessionOf(undelivered.from)?.takeUndelivered(undelivered));
    context.onMessage({ ns: NS_MUC_USER, name: 'x' }, senders.anyone, (_payload, { element }) =>
      takeInvitation(readMediatedInvitation(element)),
    );
    context.onMessage({ ns: NS_DIRECT_INVITATION, name: 'x' }, senders.anyone, (payload, { element, from: by }) =>
      // §7.8.2: services put both kinds into one message, for old clients.
      readMediatedInvitation(element) === undefined ? takeInvitation(readDirectInvitation(payload, by)) : undefined,
    );
    context.onOnline(({ resumed }) => {
      // A session that was resumed never left its rooms.
      if (!resumed) for (const session of sessions.values()) session.rejoin();
    });
    context.onOffline(() => {
      for (const session of sessions.values()) session.disconnected();
    });

    return {
      /** The events of all rooms, each with its `room`, and `invited`. */
      events,
      /** Admits senders that are a room in `rooms`, or an occupant of one. For other plugins. */
      fromRoom,
      /** The rooms that were joined and not left since, by bare JID. */
      rooms,
      /**
       * Joins a room and keeps us in it: it is joined again after a reconnect, until `leave`.
       * @throws what `Room.join` throws; the room stays in `rooms` then, and `Room.join` can be tried again, unless there can be no room at
       *   that address
       */
      async join(address: Jid | string, options: RoomOptions, signal?: AbortSignal): Promise<Room> {
        const jid = Jid.from(address);
        const session = sessionOf(jid) ?? new RoomSession(jid.bare, options, host);
        session.options = options;
        await session.join(signal);
        return session;
      },
      /** Leaves a room for good, like `Room.leave`. @param status a text for the other occupants */
      leave: (jid: Jid | string, status?: string): void => sessionOf(Jid.from(jid))?.leave(status),
      /** Joins a room again that no longer knows us. The event `joinFailed` reports a failure. For other plugins. */
      rejoin({ jid }: Room): void {
        sessionOf(jid)?.lost();
        sessionOf(jid)?.rejoin();
      },
      /** Declines an invitation that a room passed on (§7.8.2). There is no answer to a direct one, so for that it does nothing. */
      decline({ room, by, direct }: Invitation, reason?: string): void {
        if (direct || by === undefined) return;
        context.send(writeMessage({ to: room, type: 'normal', payloads: [writeDecline(by, reason)] }));
      },
      /** The management of a room; we need not be in it. */
      management: (room: Jid | string): RoomManagement => new RoomManagement(Jid.from(room).bare, context),
      /** The registration with a room, by which one becomes a member; we need not be in it. */
      registration: (room: Jid | string): RoomRegistration => new RoomRegistration(Jid.from(room).bare, context),
      /** What a room says about itself (§6.4); we need not be in it. @throws StanzaError, TimeoutError, the signal's reason */
      information: async (room: Jid | string, signal?: AbortSignal): Promise<RoomInformation> =>
        discovery.information(Jid.from(room).bare, signal),
      /** The chat services of our server (§6.1, §6.2). @throws StanzaError, TimeoutError */
      services: (): Promise<Jid[]> => discovery.services(),
      /** The public rooms of a service (§6.3), at most 10,000. @throws StanzaError, TimeoutError */
      list: async (service: Jid | string): Promise<ListedRoom[]> => discovery.list(Jid.from(service)),
    };
  },
});
