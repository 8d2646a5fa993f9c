/** The error for a refusal of a room: what was tried, why it was refused, and what can be done about it. */
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

/** Why it was refused, for programs. For `other`, only the room's own text tells. */
export type RoomRefusal =
  | 'password'
  | 'banned'
  | 'members-only'
  | 'nick-taken'
  | 'nick-reserved'
  | 'full'
  | 'no-such-room'
  | 'not-a-room'
  | 'not-a-service'
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
  /** What happened and what to do: the text after "tea@rooms.example: ". */
  readonly text: string;
}

type Meanings = Partial<Record<StanzaErrorCondition, Meaning>>;

const FULL: Meaning = { why: 'full', text: 'the room is full; try later' };
const NOT_IN_ROOM: Meaning = { why: 'not-in-room', text: 'we are not in the room (any more); join again' };
const NICK_TAKEN: Meaning = { why: 'nick-taken', text: 'this nickname is taken; choose another' };
const NICK_RESERVED: Meaning = {
  why: 'nick-reserved',
  text: 'only our registered nickname is allowed; get it with registration(room).nick()',
};
const NOT_OWNER: Meaning = { why: 'rank', text: 'only owners of the room may do this; ask an owner' };
const NOT_MODERATOR: Meaning = { why: 'rank', text: 'only moderators of the room may do this; ask a moderator' };
const NOT_ADMIN: Meaning = { why: 'rank', text: 'only admins and owners of the room may do this; ask one of them' };
const HIGHER_RANK: Meaning = { why: 'rank', text: 'that person has the same rank as us, or a higher one' };
const NO_OCCUPANT: Meaning = { why: 'no-such-occupant', text: 'no occupant has this nickname' };

/** The meaning of a condition for any attempt. */
const ANYWHERE: Meanings = {
  'item-not-found': { why: 'no-such-room', text: 'there is no such room, or it is not set up yet' },
  gone: { why: 'gone', text: 'the room no longer exists' },
  redirect: { why: 'moved', text: 'the room has moved' },
  'service-unavailable': { why: 'unsupported', text: 'the service does not support this' },
  'feature-not-implemented': { why: 'unsupported', text: 'the service does not support this' },
  'remote-server-not-found': { why: 'unreachable', text: 'there is no such chat service; check the address' },
  'remote-server-timeout': { why: 'unreachable', text: 'the service cannot be reached; try later' },
  'recipient-unavailable': { why: 'unreachable', text: 'the room is closing or unreachable; try later' },
  'resource-constraint': { why: 'too-fast', text: 'too many requests; try later' },
  'policy-violation': {
    why: 'too-fast',
    text: 'the rules of the service forbid this, perhaps because of too many requests',
  },
  'not-acceptable': NOT_IN_ROOM,
};

/** The meaning of a condition for one attempt, where it differs (§7.2.15 for joins). */
const MEANINGS: Readonly<Record<RoomAttempt, Meanings>> = {
  join: {
    'not-authorized': { why: 'password', text: 'the room requires a password, and it was missing or wrong' },
    forbidden: { why: 'banned', text: 'this account is banned from the room; ask an admin' },
    'item-not-found': {
      why: 'no-such-room',
      text: 'the room does not exist, or is not set up yet; try later',
    },
    'not-allowed': { why: 'creation-restricted', text: 'the room does not exist, and this account may not create it' },
    'not-acceptable': NICK_RESERVED,
    'registration-required': {
      why: 'members-only',
      text: 'only members may join; ask an admin, or register with registration(room)',
    },
    conflict: NICK_TAKEN,
    'service-unavailable': FULL,
    'jid-malformed': { why: 'other', text: 'the room address or the nickname is not valid' },
  },
  speak: {
    forbidden: { why: 'no-voice', text: 'we have no voice in the room; request it with requestVoice()' },
    'not-allowed': { why: 'no-voice', text: 'we may not send this message' },
  },
  whisper: {
    'item-not-found': NO_OCCUPANT,
    forbidden: { why: 'rank', text: 'the room does not let us send private messages' },
    'not-allowed': { why: 'rank', text: 'the room does not let us send private messages' },
  },
  subject: { forbidden: { why: 'rank', text: 'we may not change the subject; ask a moderator' } },
  nick: { conflict: NICK_TAKEN, 'not-acceptable': NICK_RESERVED, 'not-allowed': NICK_RESERVED },
  role: {
    forbidden: NOT_MODERATOR,
    'not-allowed': HIGHER_RANK,
    'item-not-found': NO_OCCUPANT,
    'not-acceptable': NO_OCCUPANT,
    conflict: { why: 'other', text: 'we cannot do this to ourselves' },
  },
  affiliation: {
    forbidden: NOT_ADMIN,
    'not-allowed': HIGHER_RANK,
    conflict: { why: 'last-owner', text: 'the room needs an owner; make someone else an owner first' },
  },
  list: { forbidden: NOT_ADMIN, 'not-allowed': NOT_ADMIN },
  configure: {
    forbidden: NOT_OWNER,
    'not-acceptable': { why: 'bad-settings', text: 'the service does not accept these settings' },
    'bad-request': { why: 'bad-settings', text: 'the service does not understand these settings' },
    conflict: { why: 'last-owner', text: 'the room needs an owner' },
  },
  moderate: {
    forbidden: NOT_MODERATOR,
    'not-allowed': NOT_MODERATOR,
    'item-not-found': { why: 'no-such-message', text: 'the room has no message with this id' },
  },
  picture: { forbidden: NOT_OWNER, 'not-allowed': NOT_OWNER },
  destroy: { forbidden: NOT_OWNER, 'not-allowed': NOT_OWNER },
  register: {
    'not-allowed': { why: 'rank', text: 'the room does not accept our registration; ask an admin' },
    'registration-required': { why: 'members-only', text: 'only members may register a nickname; ask an admin' },
    conflict: { why: 'nick-taken', text: 'this nickname is registered by someone else; choose another' },
    'bad-request': { why: 'bad-settings', text: 'a field of the registration form is missing or invalid' },
  },
};

/** What the service of an address says about itself can rule a join out. The error is then ours, and not that of a room. */
const WRONG_ADDRESS = {
  'not-a-room': { why: 'not-a-room', text: 'this is an address for an account, and not for a room' },
  'not-a-service': { why: 'not-a-service', text: 'the service at this address has no rooms' },
  unreachable: { why: 'unreachable', text: 'our server does not let us contact this service' },
} satisfies Partial<Record<RoomRefusal, Meaning>>;

/** Why an address cannot be joined. */
export type WrongAddress = keyof typeof WRONG_ADDRESS;

/** A room or its service refused what we tried. */
export class RoomError extends XmppError {
  override readonly name = 'RoomError';
  readonly room: Jid;
  readonly attempt: RoomAttempt;
  readonly why: RoomRefusal;
  /** The message without the room. */
  readonly reason: string;
  /** The condition of the room's error. */
  readonly condition: StanzaErrorCondition;
  /** The new address of the room, if the room names it. */
  readonly alternate: Jid | undefined;

  /** @param address why the address is wrong, if that was found out before the room was asked */
  constructor(room: Jid, attempt: RoomAttempt, refusal: StanzaError, address?: WrongAddress) {
    const meaning =
      address === undefined
        ? (MEANINGS[attempt][refusal.condition] ?? ANYWHERE[refusal.condition])
        : WRONG_ADDRESS[address];
    const { why, text } = meaning ?? { why: 'other', text: `'${attempt}' was refused` };
    const reason = `${text} (${refusal.reason})`;
    super(`${room.toString()}: ${reason}`, { cause: refusal });
    this.reason = reason;
    this.room = room;
    this.attempt = attempt;
    this.why = why;
    this.condition = refusal.condition;
    this.alternate = Jid.fromWire(/^xmpp:([^?]+)/.exec(refusal.details.alternative ?? '')?.[1]);
  }
}

/** Waits for `work`. @throws RoomError instead of the `StanzaError` by which the room refuses it */
export async function attempted<T>(room: Jid, attempt: RoomAttempt, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof StanzaError ? new RoomError(room, attempt, error) : error;
  }
}
