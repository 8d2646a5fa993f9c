/** Which event a message of a room is. Only a message from its bare JID is from the room itself; every other is from an occupant. */
import type { Jid } from '../../xmpp-core/jid/jid.js';
import type { Message } from '../../xmpp-core/stanza/stanzas.js';
import { readModeratedRetraction } from '../xep-0425-moderated-message-retraction.js';
import { readApprovalRequest } from './approvals.js';
import { readDecline } from './invitations.js';
import { readAffiliationChange, readMucUser, Status } from './muc-user.js';
import type { OccupantMessage, RoomChange, RoomEvent } from './room-events.js';

/** §10.2.1, by status code. */
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

/**
 * Reads the event that a message is.
 * @param account our own account, bare
 * @param describe adds what the room's view knows about the author of a message
 * @returns `undefined` if the message has nothing for us
 */
export function readRoomEvent(
  message: Message,
  account: Jid,
  describe: (message: Message) => OccupantMessage,
): RoomEvent | undefined {
  const { type, body, element, from, thread } = message;
  const subject = element.childText('subject');
  // §8.1: a change of the subject has no body and no thread; with one of them it is the topic of a conversation.
  if (type === 'groupchat' && subject !== undefined && body === undefined && thread === undefined) {
    return { name: 'subject', payload: { subject, nick: from.resource } };
  }
  if (from.resource === '') return readOwnEvent(message, account);
  if (type === 'groupchat') return { name: 'message', payload: describe(message) };
  return body === undefined ? undefined : { name: 'privateMessage', payload: describe(message) };
}

/** Reads a message of the room itself. Some have a body as well, for clients that do not know the payload. */
function readOwnEvent(message: Message, account: Jid): RoomEvent | undefined {
  const { element, body } = message;
  const retraction = readModeratedRetraction(message);
  if (retraction !== undefined) return { name: 'moderated', payload: retraction };
  const change = readAffiliationChange(element);
  const statuses = readMucUser(element)?.statuses ?? new Set();
  if (change !== undefined) {
    const own = statuses.has(Status.affiliationChangedAway) || change.jid?.bare.equals(account) === true;
    return { name: 'affiliationChanged', payload: { ...change, own } };
  }
  const decline = readDecline(element);
  if (decline !== undefined) return { name: 'declined', payload: decline };
  const request = readApprovalRequest(element);
  if (request !== undefined) return { name: 'approvalRequested', payload: { request } };
  if (statuses.size > 0) {
    return { name: 'configured', payload: { changes: [...statuses].flatMap((status) => CHANGES.get(status) ?? []) } };
  }
  return body === undefined ? undefined : { name: 'notice', payload: { message } };
}
