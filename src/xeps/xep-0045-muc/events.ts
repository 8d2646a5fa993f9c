/** What there is to hear of rooms. */
import type { Message } from '../../xmpp-core/stanza/stanzas.js';
import type { ModeratedRetraction } from '../xep-0425-moderated-message-retraction.js';
import type { ApprovalRequest } from './approvals.js';
import type { Departure } from './departure.js';
import type { Decline, Invitation } from './invitations.js';
import { Status, type Actor, type AffiliationChange } from './muc-user.js';
import type { Occupant } from './occupants.js';
import type { Destruction } from './owner.js';
import type { Room } from './room.js';
import type { RoomError } from './room-error.js';

/** A message of a room, or a private one of an occupant. */
export interface RoomMessage {
  readonly room: Room;
  readonly nick: string;
  readonly message: Message;
  /** Who holds the nick now; for history this may be somebody else than the author, so it is left out there. */
  readonly occupant: Occupant | undefined;
  readonly occupantId: string | undefined;
  /** The id that the room assigned, in rooms that announce that they do (XEP-0359). */
  readonly stanzaId: string | undefined;
  /** When it was said, for history (§7.2.13). */
  readonly delayed: Date | undefined;
  /** Whether we sent it ourselves. */
  readonly own: boolean;
}

/** What changed about a room, beside its name and the like (§10.2.1). `settings` stands for all that has no word of its own. */
export type RoomChange =
  | 'settings'
  | 'logged'
  | 'not-logged'
  | 'non-anonymous'
  | 'semi-anonymous'
  | 'fully-anonymous'
  | 'shows-unavailable'
  | 'hides-unavailable';

const CHANGES: ReadonlyMap<number, RoomChange> = new Map([
  [Status.settingsChanged, 'settings'],
  [Status.logged, 'logged'],
  [Status.notLogged, 'not-logged'],
  [Status.nowNonAnonymous, 'non-anonymous'],
  [Status.nowSemiAnonymous, 'semi-anonymous'],
  [Status.nowFullyAnonymous, 'fully-anonymous'],
  [Status.showsUnavailable, 'shows-unavailable'],
  [Status.hidesUnavailable, 'hides-unavailable'],
]);

export function changesOf(statuses: ReadonlySet<number>): RoomChange[] {
  return [...statuses].flatMap((status) => CHANGES.get(status) ?? []);
}

/** We are in a room. People have to be warned of the first two (§13.3, §13.5). */
export interface Joined {
  readonly room: Room;
  readonly nick: string;
  readonly created: boolean;
  /** Every occupant is shown our JID (100). */
  readonly nonAnonymous: boolean;
  /** What is said is published (170). */
  readonly logged: boolean;
  /** The room gave us another nick than we asked for (210). */
  readonly nickAssigned: boolean;
}

/** Somebody is no longer there. */
export interface Left {
  readonly why: Departure;
  readonly reason: string | undefined;
  /** Who sent them out, as far as the room tells. */
  readonly by: Actor | undefined;
}

/** What happens in rooms: `client.get(muc).events`. */
export interface MucEvents {
  joined: Joined;
  /** We are no longer there; with `destroyed`, the room may say where people go now. */
  left: Left & { readonly room: Room; readonly destruction: Destruction | undefined };
  /** Coming back by ourselves, after a reconnect or a loss, did not work; `room.join()` may be called again. */
  joinFailed: { readonly room: Room; readonly error: Error };
  /** Something was said in the room. */
  message: RoomMessage;
  /** An occupant spoke to us alone (§7.5). */
  privateMessage: RoomMessage;
  /** The room itself says something. */
  notice: { readonly room: Room; readonly message: Message };
  subject: { readonly room: Room; readonly subject: string; readonly nick: string };
  occupantJoined: { readonly room: Room; readonly occupant: Occupant };
  occupantLeft: Left & { readonly room: Room; readonly occupant: Occupant };
  /** Role, affiliation, availability or real JID are other than before. */
  occupantChanged: { readonly room: Room; readonly occupant: Occupant; readonly before: Occupant };
  /** Somebody has another nick; we ourselves with `self`. */
  renamed: { readonly room: Room; readonly nick: string; readonly before: string; readonly self: boolean };
  /** There are more occupants than are kept (`MAX_OCCUPANTS`); told once in a stay. */
  crowded: { readonly room: Room };
  /** The affiliation of an account changed that need not be in the room; our own with `own`. */
  affiliationChanged: AffiliationChange & { readonly room: Room; readonly own: boolean };
  /** People have to be told when a room becomes `logged` or `non-anonymous` (§13.3, §13.5). */
  configured: { readonly room: Room; readonly changes: readonly RoomChange[] };
  /** Somebody asks for voice or membership, and we may decide: `room.decide(request, …)`. */
  approvalRequested: { readonly room: Room; readonly request: ApprovalRequest };
  /** A moderator took back what somebody said (XEP-0425); `id` is the one that the room gave that message. */
  moderated: ModeratedRetraction & { readonly room: Room };
  /** A message of ours was not taken; `to` is the occupant to whom it was, empty for the room. */
  refused: { readonly room: Room; readonly id: string | undefined; readonly to: string; readonly error: RoomError };
  /** Somebody invites us. Anyone can: whether to come is for people, or rules, to say. */
  invited: Invitation;
  /** Somebody whom we invited does not come. */
  declined: Decline & { readonly room: Room };
}
