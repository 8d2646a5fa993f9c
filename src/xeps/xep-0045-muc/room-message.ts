/** What a message of a room is. Only what its bare JID sends is the room's own word; everything else is an occupant's. */
import type { Jid } from '../../xmpp-core/jid/jid.js';
import type { Message } from '../../xmpp-core/stanza/stanzas.js';
import { readModeratedRetraction, type ModeratedRetraction } from '../xep-0425-moderated-message-retraction.js';
import { readApprovalRequest, type ApprovalRequest } from './approvals.js';
import { readDecline, type Decline } from './invitations.js';
import { readAffiliationChange, readMucUser, Status, type AffiliationChange } from './muc-user.js';

export type RoomMessageKind =
  | { readonly kind: 'said' | 'whispered' | 'notice' | 'nothing' }
  | { readonly kind: 'subject'; readonly subject: string }
  | { readonly kind: 'configured'; readonly statuses: ReadonlySet<number> }
  | { readonly kind: 'affiliation'; readonly change: AffiliationChange; readonly own: boolean }
  | { readonly kind: 'approval'; readonly request: ApprovalRequest }
  | { readonly kind: 'decline'; readonly decline: Decline }
  | { readonly kind: 'moderated'; readonly retraction: ModeratedRetraction };

/** @param account our own */
export function readRoomMessage(message: Message, account: Jid): RoomMessageKind {
  const { type, body, element, from, thread } = message;
  const subject = element.childText('subject');
  // §8.1: a subject comes alone; with a body or a thread it is the topic of a talk.
  if (type === 'groupchat' && subject !== undefined && body === undefined && thread === undefined) {
    return { kind: 'subject', subject };
  }
  if (from.resource === '') return readOwnWord(message, account);
  if (type === 'groupchat') return { kind: 'said' };
  return { kind: body === undefined ? 'nothing' : 'whispered' };
}

/** What the room says itself. Some of it comes with words for people whose clients do not understand the rest. */
function readOwnWord(message: Message, account: Jid): RoomMessageKind {
  const { element, body } = message;
  const retraction = readModeratedRetraction(message);
  if (retraction !== undefined) return { kind: 'moderated', retraction };
  const change = readAffiliationChange(element);
  const statuses = readMucUser(element)?.statuses ?? new Set();
  if (change !== undefined) {
    const own = statuses.has(Status.affiliationChangedAway) || change.jid?.bare.equals(account) === true;
    return { kind: 'affiliation', change, own };
  }
  const decline = readDecline(element);
  if (decline !== undefined) return { kind: 'decline', decline };
  const request = readApprovalRequest(element);
  if (request !== undefined) return { kind: 'approval', request };
  if (statuses.size > 0) return { kind: 'configured', statuses };
  return { kind: body === undefined ? 'nothing' : 'notice' };
}
