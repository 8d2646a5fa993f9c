/** Why an occupant is no longer in a room (XEP-0045 §7.14, §8.2, §9.1, §9.4, §10.9, §11). */
import type { StanzaErrorCondition, StanzaErrorType } from '../../xmpp-core/error-conditions.js';
import { Status, type MucUser } from './muc-user.js';

/**
 * Why an occupant is no longer in a room.
 *
 * - `left`: they left.
 * - `kicked`, `banned`: a moderator or admin removed them.
 * - `membership`: the room is for members only, and they are not, or are no longer, a member.
 * - `destroyed`: the room does not exist any more.
 * - `shutdown`: the service closes.
 * - `error`: the service removed them for a technical problem.
 * - `offline`: our connection is lost. Only for ourselves.
 * - `lost`: the room no longer knows us, as a self-ping found out (XEP-0410). Only for ourselves.
 */
export type Departure =
  'left' | 'kicked' | 'banned' | 'destroyed' | 'membership' | 'shutdown' | 'offline' | 'error' | 'lost';

/** Reads the cause from an unavailable presence of the room. */
export function departureOf({ statuses, destruction }: Pick<MucUser, 'statuses' | 'destruction'>): Departure {
  if (destruction !== undefined) return 'destroyed';
  if (statuses.has(Status.banned)) return 'banned';
  // Some services send 333 together with 307. A technical problem is no decision of a person.
  if (statuses.has(Status.technical)) return 'error';
  if (statuses.has(Status.kicked)) return 'kicked';
  if (statuses.has(Status.affiliationLost) || statuses.has(Status.membersOnly)) return 'membership';
  if (statuses.has(Status.shutdown)) return 'shutdown';
  return 'left';
}

/** The error of a join, for a departure while we are joining. */
export const REFUSALS: Readonly<Record<Departure, readonly [StanzaErrorType, StanzaErrorCondition]>> = {
  left: ['wait', 'recipient-unavailable'],
  kicked: ['wait', 'not-allowed'],
  banned: ['auth', 'forbidden'],
  destroyed: ['wait', 'gone'],
  membership: ['auth', 'registration-required'],
  shutdown: ['wait', 'recipient-unavailable'],
  offline: ['wait', 'recipient-unavailable'],
  error: ['wait', 'recipient-unavailable'],
  lost: ['wait', 'recipient-unavailable'],
};
