/** Why somebody, or we, are no longer in a room (XEP-0045 §7.14, §8.2, §9.1, §9.4, §10.9, §11). */
import type { StanzaErrorCondition, StanzaErrorType } from '../../xmpp-core/error-conditions.js';
import { Status, type MucUser } from './muc-user.js';

/** `lost`: the room has forgotten us without a word (XEP-0410). `offline`: our own session is gone. */
export type Departure =
  'left' | 'kicked' | 'banned' | 'destroyed' | 'membership' | 'shutdown' | 'offline' | 'error' | 'lost';

/** What an unavailable presence of the room says of it. */
export function departureOf({ statuses, destruction }: Pick<MucUser, 'statuses' | 'destruction'>): Departure {
  if (destruction !== undefined) return 'destroyed';
  if (statuses.has(Status.banned)) return 'banned';
  // 333 comes with 307 on some servers; a technical problem is not a person's will.
  if (statuses.has(Status.technical)) return 'error';
  if (statuses.has(Status.kicked)) return 'kicked';
  if (statuses.has(Status.affiliationLost) || statuses.has(Status.membersOnly)) return 'membership';
  if (statuses.has(Status.shutdown)) return 'shutdown';
  return 'left';
}

/** What a departure while still joining means for the join. */
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
