/** A room as its users see it. `RoomSession` implements it. */
import type { Listenable } from '../../xmpp-core/events.js';
import type { Jid } from '../../xmpp-core/jid/jid.js';
import type { Availability, OutgoingText } from '../../xmpp-core/stanza/stanzas.js';
import type { Element } from '../../xmpp-core/xml/element.js';
import type { FormValues } from '../xep-0004-data-forms.js';
import type { ApprovalRequest } from './approvals.js';
import type { InvitationOptions } from './invitations.js';
import type { HistoryRequest } from './join.js';
import type { Occupant } from './occupants.js';
import type { OccupantMessage, RoomEvents } from './room-events.js';
import type { RoomManagement } from './room-management.js';

/** How to join a room. */
export interface RoomOptions {
  readonly nick: string;
  readonly password?: string | undefined;
  /** The history to ask for at the first join; later joins ask for the messages since. */
  readonly history?: HistoryRequest;
  /** If the nick is taken: `next` (the default) tries `bot-2`, `bot-3` and so on, `fail` gives up. */
  readonly whenTaken?: 'next' | 'fail';
  /** The settings for a room that our join creates (see `RoomManagement.configure`). Without them it gets the service's defaults. */
  readonly configuration?: FormValues;
  /** How long a join may take, in milliseconds. The default is 30 seconds. */
  readonly timeoutMs?: number;
}

/**
 * A room that `client.get(muc).join()` joined: what happens in it, who is in it, and what can be done there. Every method that sends something
 * to the room throws an `XmppError` while we are not in it.
 */
export interface Room {
  /** The bare JID of the room. */
  readonly jid: Jid;
  /** What happens in this room. The plugin emits the same events for all rooms. */
  readonly events: Listenable<RoomEvents>;
  /** What moderators, admins and owners can do. */
  readonly management: RoomManagement;
  /** Our nick as the room knows it; while we are not in the room, the nick that we ask for. */
  readonly nick: string;
  /** Whether we are in the room now. */
  readonly joined: boolean;
  /** The occupants by nick, ourselves included; at most `MAX_OCCUPANTS`. */
  readonly occupants: ReadonlyMap<string, Occupant>;
  /** Our own occupant with our role and affiliation; `undefined` while we are not in the room. */
  readonly self: Occupant | undefined;
  /** The features that the room announced when we joined, or at its last change (`urn:xmpp:sid:0`, `muc_nonanonymous` …). */
  readonly features: ReadonlySet<string>;
  /** Whether a change of our nick is under way, so that the room may know us by either nick. */
  readonly isChangingNick: boolean;

  /** Milliseconds since the room last sent something; `undefined` while we are not in it. */
  silentMs(): number | undefined;

  /**
   * Enters the room, or enters it again. The options are those of the last `client.get(muc).join()`.
   * @throws RoomError if the room refuses; TimeoutError if it does not answer in time; XmppError if we are in it or joining it already,
   * leave it, or lose the connection meanwhile; the signal's reason
   */
  join(signal?: AbortSignal): Promise<void>;

  /**
   * Leaves the room for good: it is not joined again after a reconnect (§7.14). While joining, it cancels the join.
   * @param status a text for the other occupants
   */
  leave(status?: string): void;

  /**
   * Sends a message to everybody in the room.
   * @param payloads what goes into the message beside the body
   * @returns the id of the message; the room's copy has the same
   */
  sendMessage(body: OutgoingText, payloads?: readonly (Element | undefined)[]): string;

  /** Sends a message to one occupant alone (§7.5). @returns the id of the message */
  sendPrivateMessage(nick: string, body: OutgoingText, payloads?: readonly (Element | undefined)[]): string;

  /**
   * Replies to a message (XEP-0461), in private if the message was private. If the message has no id that a reply may name, the reply is
   * sent without a reference.
   * @returns the id of the reply
   */
  reply(message: OccupantMessage, body: OutgoingText, payloads?: readonly (Element | undefined)[]): string;

  /** Changes the subject; an empty text removes it (§8.1). @throws RoomError, TimeoutError, the signal's reason */
  setSubject(subject: string, signal?: AbortSignal): Promise<void>;

  /** Changes our nick (§7.6). The room may assign another: see `nick`. @throws RoomError, TimeoutError, the signal's reason */
  changeNick(nick: string, signal?: AbortSignal): Promise<void>;

  /** Sends our availability to the occupants (§7.7). */
  setPresence(availability: Partial<Pick<Availability, 'show' | 'status'>>): void;

  /**
   * Asks the room to invite somebody (§7.8.2). The event `refused` reports a refusal of the room, `declined` one of the invitee.
   * @returns the id of the message
   */
  invite(invitee: Jid | string, options?: InvitationOptions): string;

  /** Sends somebody an invitation ourselves (XEP-0249), with the password of the room if it has one. @returns the id of the message */
  inviteDirectly(invitee: Jid | string, options?: InvitationOptions): string;

  /** Asks for voice in a moderated room (§7.13). The event `occupantChanged` reports that it was granted. */
  requestVoice(): void;

  /** Grants or denies the request of an `approvalRequested` event. */
  decide(request: ApprovalRequest, allow: boolean): void;
}
