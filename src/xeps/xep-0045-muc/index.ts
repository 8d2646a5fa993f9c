/**
 * XEP-0045 Multi-User Chat, 1.35.5 (Stable). https://xmpp.org/extensions/xep-0045.html
 *
 * Rooms: finding them, entering with history control, talking to all or to one, nicks, subjects, invitations both ways, voice, membership,
 * every list and setting that moderators, admins and owners manage, and every way in which a stay ends. A room that was joined is joined
 * again after a reconnect, with what was said meanwhile.
 *
 * Left out: the legacy join without `<x/>` (§7.2.16), which no service needs any more; URIs (§15.7), which are for user interfaces.
 */
import { XmppError } from '../../xmpp-core/errors.js';
import { Jid } from '../../xmpp-core/jid/jid.js';
import { definePlugin, from, handled, type SenderGuard } from '../../xmpp-core/plugin.js';
import { writeMessage } from '../../xmpp-core/stanza/stanzas.js';
import { el } from '../../xmpp-core/xml/element.js';
import { NS_DISCO_ITEMS, readDiscoItems, serviceDiscovery } from '../xep-0030-service-discovery.js';
import { readPage, writePageRequest } from '../xep-0059-result-set-management.js';
import { NS_DIRECT_INVITATION, readDirectInvitation } from '../xep-0249-direct-invitations.js';
import type { MucEvents } from './events.js';
import { readMediatedInvitation, writeDecline, type Invitation } from './invitations.js';
import { NS_MUC } from './join.js';
import { NS_MUC_USER } from './muc-user.js';
import { RecentInvitations } from './recent-invitations.js';
import { RoomRegistration } from './registration.js';
import { hasRooms, readRoomInformation, type ListedRoom, type RoomInformation } from './room-information.js';
import { RoomManagement } from './room-management.js';
import { Room, type RoomOptions } from './room.js';

export type { ListChange, ListedUser } from './admin.js';
export type { ApprovalRequest } from './approvals.js';
export type { Departure } from './departure.js';
export type { Joined, Left, MucEvents, RoomChange, RoomMessage } from './events.js';
export type { Decline, Invitation, InvitationOptions } from './invitations.js';
export { NO_HISTORY, NS_MUC, writeMucJoin, type HistoryRequest } from './join.js';
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
export type { ListedRoom, RoomInformation } from './room-information.js';
export type { AffiliationOptions, RoomManagement } from './room-management.js';
export { Room, type RoomOptions } from './room.js';

const FEATURES_TIMEOUT_MS = 10_000;
/** The rooms of one service are listed up to this many, in pages of a hundred. */
const MAX_LISTED_ROOMS = 10_000;

export const muc = definePlugin({
  name: 'muc',
  xep: 45,
  features: [NS_MUC, NS_DIRECT_INVITATION],
  requires: [serviceDiscovery],
  setup(context) {
    const disco = context.get(serviceDiscovery);
    const events = context.events<MucEvents>();
    const rooms = new Map<string, Room>();
    const known: ReadonlyMap<string, Room> = rooms;
    const recent = new RecentInvitations();
    const roomOf = (jid: Jid): Room | undefined => rooms.get(jid.bare.toString());
    const fromRoom: SenderGuard = { name: 'fromRoom', admits: (sender) => roomOf(sender) !== undefined };

    const information = async (room: Jid, signal?: AbortSignal): Promise<RoomInformation> =>
      readRoomInformation(
        await disco.info(room, { timeoutMs: FEATURES_TIMEOUT_MS, ...(signal === undefined ? {} : { signal }) }),
      );
    const features = async (room: Jid, signal: AbortSignal): Promise<ReadonlySet<string>> =>
      (await information(room, signal)).features;

    /** Comes back by ourselves. */
    const rejoin = (room: Room): void => {
      room.join().catch((error: unknown) => {
        events.emit('joinFailed', { room, error: error instanceof Error ? error : new XmppError(String(error)) });
      });
    };
    const takeInvitation = (invitation: Invitation | undefined): typeof handled | undefined => {
      if (invitation === undefined) return undefined;
      // XEP-0249 §4: nobody is asked twice, nor about a room they are in.
      if (roomOf(invitation.room)?.joined !== true && recent.isNew(invitation)) events.emit('invited', invitation);
      return handled;
    };

    context.onPresence('every', fromRoom, (_payload, presence) => roomOf(presence.from)?.takePresence(presence));
    context.onMessage('every', fromRoom, (_payload, message) => {
      roomOf(message.from)?.takeMessage(message);
      return handled;
    });
    // §7.4: what was said in no room of ours was said in none. Somebody makes it look so, or the room was left meanwhile.
    context.onMessage('every', from.anyone, (_payload, { type }) => (type === 'groupchat' ? handled : undefined));
    context.onUndelivered(fromRoom, (undelivered) => roomOf(undelivered.from)?.takeUndelivered(undelivered));
    context.onMessage({ ns: NS_MUC_USER, name: 'x' }, from.anyone, (_payload, { element }) =>
      takeInvitation(readMediatedInvitation(element)),
    );
    context.onMessage({ ns: NS_DIRECT_INVITATION, name: 'x' }, from.anyone, (payload, { element, from: by }) =>
      // §7.8.2: services still put both into one message, for old clients.
      readMediatedInvitation(element) === undefined ? takeInvitation(readDirectInvitation(payload, by)) : undefined,
    );
    context.onOnline(({ resumed }) => {
      // A session that was resumed never left its rooms.
      if (!resumed) for (const room of rooms.values()) rejoin(room);
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
        const room = roomOf(jid) ?? new Room(jid.bare, options, { context, events, features });
        rooms.set(jid.bare.toString(), room);
        room.prepare(options);
        await room.join(signal);
        return room;
      },
      /** Leaves a room for good. @param status words for those who stay */
      leave(jid: Jid, status?: string): void {
        roomOf(jid)?.leave(status);
        rooms.delete(jid.bare.toString());
      },
      /** Enters a room again that has forgotten us; if that does not work, `joinFailed` says so. For other plugins. */
      comeBack(room: Room): void {
        room.lost();
        rejoin(room);
      },
      /** Tells who invited us, through the room, that we do not come (§7.8.2). A direct invitation is just left unanswered. */
      decline({ room, by, direct }: Invitation, reason?: string): void {
        if (direct || by === undefined) return;
        context.send(writeMessage({ to: room, type: 'normal', payloads: [writeDecline(by, reason)] }));
      },
      /** To manage a room, in it or not. */
      management: (room: Jid): RoomManagement => new RoomManagement(room.bare, context),
      /** To become a member of a room, in it or not. */
      registration: (room: Jid): RoomRegistration => new RoomRegistration(room.bare, context),
      /** What a room tells of itself. @throws StanzaError, TimeoutError */
      information: (room: Jid, signal?: AbortSignal): Promise<RoomInformation> => information(room.bare, signal),
      /** The chat services of our server. @throws StanzaError, TimeoutError */
      async services(): Promise<Jid[]> {
        const items = await disco.items(Jid.parse(context.account.domainpart));
        const found = await Promise.all(
          // One that does not answer has no rooms for us.
          items.map(({ jid }) => disco.info(jid, { timeoutMs: FEATURES_TIMEOUT_MS }).then(hasRooms, () => false)),
        );
        return items.flatMap(({ jid }, index) => (found[index] === true ? [jid] : []));
      },
      /** The public rooms of a service (§6.3), at most 10,000. @throws StanzaError, TimeoutError */
      async list(service: Jid): Promise<ListedRoom[]> {
        const listed: ListedRoom[] = [];
        for (let after: string | undefined; listed.length < MAX_LISTED_ROOMS;) {
          const request = writePageRequest({ max: 100, ...(after === undefined ? {} : { after }) });
          const payload = el('query', NS_DISCO_ITEMS, {}, request);
          const query = await context.iq({ to: service, type: 'get', payload });
          const items = query === undefined ? [] : readDiscoItems(query);
          listed.push(...items.map(({ jid, name }) => ({ jid, name })));
          const page = query === undefined ? undefined : readPage(query);
          // A page that is empty, or the same again, is the last.
          if (items.length === 0 || page?.last === undefined || page.last === after) break;
          if (page.count !== undefined && listed.length >= page.count) break;
          after = page.last;
        }
        return listed.slice(0, MAX_LISTED_ROOMS);
      },
    };
  },
});
