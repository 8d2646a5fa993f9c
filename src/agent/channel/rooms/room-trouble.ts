/** Says why the bot cannot enter a room, or cannot speak there: the cause, the place, and what to change or whom to ask. */
import { StanzaError, TimeoutError } from '../../../xmpp-core/errors.js';
import type { Jid } from '../../../xmpp-core/jid/jid.js';
import { RoomError, type RoomRefusal } from '../../../xeps/xep-0045-muc/index.js';
import { roomConfig, type AccountConfig } from '../../config/config.js';
import { errorText } from '../../log.js';

/** The place of a setting, for people. */
interface Place {
  readonly account: AccountConfig;
  readonly room: Jid;
  /** Where the room's address is written: `rooms of [channels.xmpp.bot]`. `undefined` when an operator asked for it. */
  readonly listedIn: string | undefined;
}

type Sentence = (place: Place) => string;

/** What is the matter, and the remedy. Other refusals are told in the words of the error. */
const SENTENCES: Partial<Record<RoomRefusal, Sentence>> = {
  password: ({ account, room }) =>
    roomConfig(account, room).password === undefined
      ? `the room requires a password; set password in ${roomTable(account, room)}`
      : `the room does not accept the password; correct password in ${roomTable(account, room)}`,
  'members-only': ({ account }) =>
    `only members may enter; ask an owner of the room to add ${account.jid.toString()} as a member`,
  banned: ({ account }) =>
    `${account.jid.toString()} is banned from the room; ask an owner or admin of the room to lift the ban`,
  'creation-restricted': (place) =>
    `the room does not exist, and ${place.account.jid.toString()} may not create it; ${correctAddress(place)} or have the room created`,
  'not-a-room': (place) =>
    `this is the address of an account, and not of a room; ${correctAddress(place)}: rooms are at a chat service, such as conference.${place.room.domainpart}`,
  'not-a-service': (place) => `${place.room.domainpart} is no chat-room service; ${correctAddress(place)}`,
  unreachable: (place) =>
    `the server of ${place.account.jid.toString()} cannot reach ${place.room.domainpart}; ${correctAddress(place)} if it is wrong`,
  'nick-taken': ({ account }) => `the nickname is taken; set another nick in ${accountTable(account)}`,
  'nick-reserved': ({ account }) =>
    `${account.jid.toString()} has another registered nickname there; set nick in ${accountTable(account)} to it`,
};

/** A sentence without the address of the room: why a join failed, what to do, and the words of the server. */
export function joinTrouble(error: unknown, room: Jid, account: AccountConfig): string {
  if (error instanceof TimeoutError)
    return `${room.domainpart} does not answer; check the address, and whether the service runs`;
  const sentence = error instanceof RoomError ? SENTENCES[error.why] : undefined;
  if (!(error instanceof RoomError)) return errorText(error);
  if (sentence === undefined) return error.reason;
  const isListed = account.rooms.some((one) => one.equals(room.bare));
  const text = sentence({ account, room, listedIn: isListed ? `rooms of ${accountTable(account)}` : undefined });
  const words = error.cause instanceof StanzaError ? error.cause.text : undefined;
  return words === undefined ? text : `${text} (the server says: ${words})`;
}

/** A sentence for a room in which the bot may read and not write (XEP-0045 §7.2.6). */
export function voiceTrouble(room: Jid, account: AccountConfig): string {
  return `${room.toString()} is moderated, and ${account.jid.toString()} has no voice there, so it answers nobody in it; ask a moderator of the room to give it voice`;
}

function correctAddress({ room, listedIn }: Place): string {
  return listedIn === undefined ? 'check the address' : `correct "${room.toString()}" in ${listedIn}`;
}

function accountTable({ name }: AccountConfig): string {
  return `[channels.xmpp.${name}]`;
}

function roomTable({ name }: AccountConfig, room: Jid): string {
  return `[channels.xmpp.${name}.muc_rooms."${room.bare.toString()}"]`;
}
