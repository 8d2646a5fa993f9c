/** The events of one room. They do not name the room: `room.events` belongs to one, and the plugin adds it (see `muc-events.ts`). */
import type { Message } from '../../xmpp-core/stanza/stanzas.js';
import type { ModeratedRetraction } from '../xep-0425-moderated-message-retraction.js';
import type { ApprovalRequest } from './approvals.js';
import type { Departure } from './departure.js';
import type { Decline } from './invitations.js';
import type { Actor, AffiliationChange } from './muc-user.js';
import type { Occupant } from './occupants.js';
import type { Destruction } from './owner.js';
import type { RoomError } from './room-error.js';

/** A message of an occupant, to everybody in the room or to us alone. */
export interface OccupantMessage {
  readonly nick: string;
  readonly message: Message;
  /** The occupant who has the nick now. `undefined` for history, whose author may be somebody else. */
  readonly occupant: Occupant | undefined;
  /** The occupant id of the author, in rooms that announce such ids (XEP-0421). */
  readonly occupantId: string | undefined;
  /** The id that the room assigned, in rooms that announce such ids (XEP-0359). */
  readonly stanzaId: string | undefined;
  /** When a message of the history was sent (§7.2.13). `undefined` for a live message. */
  readonly delayed: Date | undefined;
  /** Whether we sent it ourselves. */
  readonly own: boolean;
}

/**
 * What changed about a room (§10.2.1). `settings` stands for every change that has no status code of its own, such as another name or
 * description.
 */
export type RoomChange =
  | 'settings'
  | 'logged'
  | 'not-logged'
  | 'non-anonymous'
  | 'semi-anonymous'
  | 'fully-anonymous'
  | 'shows-unavailable'
  | 'hides-unavailable';

/** We entered a room. A client has to warn its user about `nonAnonymous` and `logged` (§13.3, §13.5). */
export interface Joined {
  readonly nick: string;
  /** Our join created the room (201). */
  readonly created: boolean;
  /** Every occupant can see our JID (100). */
  readonly nonAnonymous: boolean;
  /** The room publishes a log of its messages (170). */
  readonly logged: boolean;
  /** The room gave us another nick than we asked for (210). */
  readonly nickAssigned: boolean;
}

/** Somebody is no longer in the room. */
export interface Left {
  readonly why: Departure;
  /** The text that the person or the room gave. */
  readonly reason: string | undefined;
  /** Who removed them, if the room names the person. */
  readonly by: Actor | undefined;
}

/** The events of `room.events`, by name, with their payloads. */
export interface RoomEvents {
  /** We entered the room. It is emitted before the room's first message. */
  joined: Joined;
  /** We are no longer in the room. `destruction` is set if the room was destroyed, and may name another room. */
  left: Left & { readonly destruction: Destruction | undefined };
  /** The plugin tried to enter the room again, after a reconnect or a loss, and failed. `room.join()` tries once more. */
  joinFailed: { readonly error: Error };
  /** A message to the room, live or from its history. */
  message: OccupantMessage;
  /** A message of an occupant to us alone (§7.5). */
  privateMessage: OccupantMessage;
  /** A message of the room itself. */
  notice: { readonly message: Message };
  /** The subject of the room, at each join and each change. It is empty if there is none; `nick` is empty if the room set it. */
  subject: { readonly subject: string; readonly nick: string };
  occupantJoined: { readonly occupant: Occupant };
  occupantLeft: Left & { readonly occupant: Occupant };
  /** The role, affiliation, availability or real JID of an occupant changed. */
  occupantChanged: { readonly occupant: Occupant; readonly before: Occupant };
  /** An occupant has another nick. `self` is true if it is us. */
  renamed: { readonly nick: string; readonly before: string; readonly self: boolean };
  /** The room has more occupants than `room.occupants` holds. It is emitted once between a join and its end. */
  crowded: { readonly limit: number };
  /** The affiliation of an account changed that may not be in the room. `own` is true if the account is ours. */
  affiliationChanged: AffiliationChange & { readonly own: boolean };
  /** The configuration changed. A client has to warn its user about `logged` and `non-anonymous` (§13.3, §13.5). */
  configured: { readonly changes: readonly RoomChange[] };
  /** Somebody asks for voice or membership, and we may decide: `room.decide(request, …)`. */
  approvalRequested: { readonly request: ApprovalRequest };
  /** A moderator retracted a message (XEP-0425). `id` is the stanza id that the room gave that message. */
  moderated: ModeratedRetraction;
  /** A message of ours was not delivered. `to` is the nick that it was sent to, or empty for a message to the room. */
  refused: { readonly id: string | undefined; readonly to: string; readonly error: RoomError };
  /** Somebody declined our invitation. */
  declined: Decline;
}

/** One of the events, as a value. */
export type RoomEvent<Name extends keyof RoomEvents = keyof RoomEvents> = {
  [Each in Name]: { readonly name: Each; readonly payload: RoomEvents[Each] };
}[Name];

/** Emits an event of a room. */
export type EmitRoomEvent = <Name extends keyof RoomEvents>(name: Name, payload: RoomEvents[Name]) => void;
