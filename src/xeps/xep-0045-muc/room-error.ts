/** What a room refused, why, and what can be done about it. */
import type { StanzaErrorCondition } from '../../xmpp-core/error-conditions.js';
import { StanzaError, XmppError } from '../../xmpp-core/errors.js';
import { Jid } from '../../xmpp-core/jid/jid.js';

/** What was tried. */
export type RoomAttempt =
  | 'join'
  | 'speak'
  | 'whisper'
  | 'subject'
  | 'nick'
  | 'role'
  | 'affiliation'
  | 'list'
  | 'configure'
  | 'moderate'
  | 'picture'
  | 'destroy'
  | 'register';

/** Why it was refused, in one word for programs. `other` is in the words of the room only. */
export type RoomRefusal =
  | 'password'
  | 'banned'
  | 'members-only'
  | 'nick-taken'
  | 'nick-reserved'
  | 'full'
  | 'no-such-room'
  | 'no-such-occupant'
  | 'no-such-message'
  | 'creation-restricted'
  | 'gone'
  | 'moved'
  | 'no-voice'
  | 'not-in-room'
  | 'rank'
  | 'last-owner'
  | 'bad-settings'
  | 'unsupported'
  | 'unreachable'
  | 'too-fast'
  | 'other';

interface Meaning {
  readonly why: RoomRefusal;
  /** What happened and what to do, after "tea@rooms.example: ". */
  readonly says: string;
}

type Meanings = Partial<Record<StanzaErrorCondition, Meaning>>;

const FULL: Meaning = { why: 'full', says: 'it has as many occupants as it takes; try later' };
const NOT_IN_ROOM: Meaning = { why: 'not-in-room', says: 'we are not in it (any more); join again' };
const NICK_TAKEN: Meaning = { why: 'nick-taken', says: 'somebody else has this nick; take another' };
const NICK_RESERVED: Meaning = {
  why: 'nick-reserved',
  says: 'only the nick that is registered for us is allowed; ask for it with registration(room).nick()',
};
const NOT_OWNER: Meaning = { why: 'rank', says: 'only its owners may do this; ask one of them, or to become one' };
const NOT_MODERATOR: Meaning = { why: 'rank', says: 'this takes a moderator of the room; ask one, or to become one' };
const NOT_ADMIN: Meaning = { why: 'rank', says: 'this takes an admin or owner of the room; ask one' };
const HIGHER_RANK: Meaning = { why: 'rank', says: 'who it is about has a rank as high as ours, or higher' };
const NO_OCCUPANT: Meaning = { why: 'no-such-occupant', says: 'nobody there has this nick' };

/** What a condition means wherever it comes. */
const ANYWHERE: Meanings = {
  'item-not-found': { why: 'no-such-room', says: 'there is no such room, or it is not set up yet' },
  gone: { why: 'gone', says: 'the room is no more' },
  redirect: { why: 'moved', says: 'the room is somewhere else' },
  'service-unavailable': { why: 'unsupported', says: 'this service does not offer that' },
  'feature-not-implemented': { why: 'unsupported', says: 'this service does not offer that' },
  'remote-server-not-found': { why: 'unreachable', says: 'there is no such chat service; is the address right?' },
  'remote-server-timeout': { why: 'unreachable', says: 'its service cannot be reached; try later' },
  'recipient-unavailable': { why: 'unreachable', says: 'it is closing or not reachable; try later' },
  'resource-constraint': { why: 'too-fast', says: 'this was too much or too fast for it; try later' },
  'policy-violation': { why: 'too-fast', says: 'its rules forbid this; perhaps it was too much or too fast' },
  'not-acceptable': NOT_IN_ROOM,
};

/** What it means for one attempt (§7.2.15 for joins). */
const MEANINGS: Readonly<Record<RoomAttempt, Meanings>> = {
  join: {
    'not-authorized': { why: 'password', says: 'it wants a password, and none or a wrong one was given' },
    forbidden: { why: 'banned', says: 'this account is banned from it; ask its admins' },
    'item-not-found': {
      why: 'no-such-room',
      says: 'it does not exist, or its creator has not set it up yet; try later',
    },
    'not-allowed': { why: 'creation-restricted', says: 'it does not exist, and may not be created by this account' },
    'not-acceptable': NICK_RESERVED,
    'registration-required': {
      why: 'members-only',
      says: 'only members may enter; ask its admins, or for membership with registration(room)',
    },
    conflict: NICK_TAKEN,
    'service-unavailable': FULL,
    'jid-malformed': { why: 'other', says: 'a room cannot have this address, or an occupant this nick' },
  },
  speak: {
    forbidden: { why: 'no-voice', says: 'we have no voice in it; ask for it with requestVoice()' },
    'not-allowed': { why: 'no-voice', says: 'we may not say this here' },
  },
  whisper: {
    'item-not-found': NO_OCCUPANT,
    forbidden: { why: 'rank', says: 'it does not let us speak to occupants alone' },
    'not-allowed': { why: 'rank', says: 'it does not let us speak to occupants alone' },
  },
  subject: { forbidden: { why: 'rank', says: 'we may not change what it is about; ask a moderator' } },
  nick: { conflict: NICK_TAKEN, 'not-acceptable': NICK_RESERVED, 'not-allowed': NICK_RESERVED },
  role: {
    forbidden: NOT_MODERATOR,
    'not-allowed': HIGHER_RANK,
    'item-not-found': NO_OCCUPANT,
    'not-acceptable': NO_OCCUPANT,
    conflict: { why: 'other', says: 'one cannot do this to oneself' },
  },
  affiliation: {
    forbidden: NOT_ADMIN,
    'not-allowed': HIGHER_RANK,
    conflict: { why: 'last-owner', says: 'a room needs an owner; make somebody else one first' },
  },
  list: { forbidden: NOT_ADMIN, 'not-allowed': NOT_ADMIN },
  configure: {
    forbidden: NOT_OWNER,
    'not-acceptable': { why: 'bad-settings', says: 'its service does not accept these settings' },
    'bad-request': { why: 'bad-settings', says: 'its service does not understand these settings' },
    conflict: { why: 'last-owner', says: 'a room needs an owner' },
  },
  moderate: {
    forbidden: NOT_MODERATOR,
    'not-allowed': NOT_MODERATOR,
    'item-not-found': { why: 'no-such-message', says: 'it does not know a message by this id' },
  },
  picture: { forbidden: NOT_OWNER, 'not-allowed': NOT_OWNER },
  destroy: { forbidden: NOT_OWNER, 'not-allowed': NOT_OWNER },
  register: {
    'not-allowed': { why: 'rank', says: 'it takes no registrations from us; ask its admins' },
    'registration-required': { why: 'members-only', says: 'only members may register a nick; ask its admins' },
    conflict: { why: 'nick-taken', says: 'this nick is registered for somebody else; take another' },
    'bad-request': { why: 'bad-settings', says: 'something that its form asks for is missing or not right' },
  },
};

/** A room, or its service, said no. */
export class RoomError extends XmppError {
  override readonly name = 'RoomError';
  readonly room: Jid;
  readonly attempt: RoomAttempt;
  readonly why: RoomRefusal;
  readonly condition: StanzaErrorCondition;
  /** Where the room went, when it says so. */
  readonly alternate: Jid | undefined;

  constructor(room: Jid, attempt: RoomAttempt, refusal: StanzaError) {
    const meaning = MEANINGS[attempt][refusal.condition] ?? ANYWHERE[refusal.condition];
    const { why, says } = meaning ?? { why: 'other', says: `'${attempt}' was refused` };
    super(`${room.toString()}: ${says} (${refusal.reason})`, { cause: refusal });
    this.room = room;
    this.attempt = attempt;
    this.why = why;
    this.condition = refusal.condition;
    this.alternate = Jid.tryParse(/^xmpp:([^?]+)/.exec(refusal.details.alternative ?? '')?.[1]);
  }
}

/** What `work` gives; what the room refuses of it is thrown as a `RoomError`. */
export async function attempted<T>(room: Jid, attempt: RoomAttempt, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof StanzaError ? new RoomError(room, attempt, error) : error;
  }
}
