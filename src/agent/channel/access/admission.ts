/** Decides who is answered: the one place that combines the rules, approvals by operators, and the limits. It logs denials and sends nothing. */
import type { Jid } from '../../../xmpp-core/jid/jid.js';
import { roomConfig, type AccountConfig } from '../../config/config.js';
import type { Place } from '../places/place.js';
import type { Denials } from './denials.js';
import type { Excess, Limits } from './limits.js';
import { directAccess, presenceAccess, roomAccess, roomMessageAccess, type Access } from './rules.js';
import type { StrangerBook } from './stranger-book.js';

/** What admission asks of the rooms. It comes with each call, because the rooms are built later. */
export interface RoomFacts {
  /** Whether the bot is in a room, or is joining it. @param room any JID of the room */
  has(room: Jid): boolean;
  /** The operator who had the bot join a room that the configuration does not list. */
  vouchedBy(room: Jid): Jid | undefined;
  /** The real JID of an occupant, where the room shows it. @param occupant the full JID in the room */
  realJidOf(occupant: Jid): Jid | undefined;
  /** Whether the bot may write in a room. */
  hasVoice(room: Jid): boolean;
  /** Whether the occupant at a place is still the one who wrote from there; true for other places. */
  isSameOccupant(place: Place): boolean;
}

/** Parts of an admission. */
export interface AdmissionOptions {
  readonly account: AccountConfig;
  readonly book: StrangerBook;
  readonly limits: Limits;
  readonly denials: Denials;
}

/** Why a question or command is not taken. */
export interface Refusal {
  /** What the sender reads; `undefined` when they get no answer at all. */
  readonly notice: string | undefined;
}

const SOMEBODY_ELSE = 'the recipient is no longer there';

/** The admission of one account. */
export class Admission {
  readonly #options: AdmissionOptions;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Whether a contact may see the bot's presence, and gets answers that prove that it is online. */
  presence(contact: Jid): Access {
    const { account, book } = this.#options;
    return presenceAccess(account, contact, book.approved);
  }

  /**
   * Whether someone is answered in private.
   * @param sender the real JID; `undefined` when a room hides it
   * @param at when the message was sent: an approval does not cover what was sent before it. Now unless given
   * @param room the room that names the sender, when it is not the sender's server that does
   */
  direct(sender: Jid | undefined, { at, room }: { readonly at?: Date; readonly room?: Jid } = {}): Access {
    const { account, book } = this.#options;
    return directAccess(account, sender, at === undefined ? book.approved : book.approvedAt(at), room);
  }

  /** Whether the bot may be in a room. @param vouchedBy the operator who asks it into the room, if one does */
  room(room: Jid, vouchedBy: Jid | undefined): Access {
    const { account } = this.#options;
    return roomAccess(account, roomConfig(account, room), vouchedBy);
  }

  /** Whether a message of a room is answered. @param sender the real JID, where the room shows it */
  roomMessage(room: Jid, sender: Jid | undefined, addressed: boolean, rooms: RoomFacts): Access {
    const { account } = this.#options;
    return roomMessageAccess(account, roomConfig(account, room), {
      sender,
      addressed,
      vouchedBy: rooms.vouchedBy(room),
      hasVoice: rooms.hasVoice(room),
    });
  }

  /** Whether a place may still get the answer that it waits for: the rules may have changed since the question. */
  admits(place: Place, rooms: RoomFacts): boolean {
    const access = this.#accessAt(place, rooms);
    if (!access.allowed) this.#options.denials.log(place.to.toString(), access.why);
    return access.allowed;
  }

  /** Whether the occupant at a place is still the one who is to get the answer. A nick can pass to somebody else. */
  isStillThere(place: Place, rooms: RoomFacts): boolean {
    if (rooms.isSameOccupant(place)) return true;
    this.#options.denials.log(place.to.toString(), SOMEBODY_ELSE);
    return false;
  }

  /**
   * Whether somebody may learn that the bot is online, as from a receipt (XEP-0184 §8).
   * @param who the sender of a message: a full JID, or a room's bare one
   */
  mayLearnOfUs(who: Jid, rooms: RoomFacts): boolean {
    const isRoom = rooms.has(who);
    if (isRoom && who.resource === '') return this.room(who, rooms.vouchedBy(who)).allowed;
    if (who.localpart === '') return false;
    return isRoom ? this.direct(rooms.realJidOf(who), { room: who }).allowed : this.direct(who.bare).allowed;
  }

  /** Counts a message that is neither a question nor a command. @returns whether its sender is over the limit of a minute */
  isFlood(sender: string, at: Date): boolean {
    return this.#options.limits.isFlood(sender, at);
  }

  /** Counts a question against the limits. @param payer the key that its tokens count for */
  question(sender: string, payer: string, at: Date): Refusal | undefined {
    return this.#refusal(this.#options.limits.excess(sender, payer, at), sender);
  }

  /** Counts a command against the limits. @param isBusy whether a turn runs or waits in the conversation */
  command(name: string, isBusy: boolean, sender: string, at?: Date): Refusal | undefined {
    return this.#refusal(this.#options.limits.excessOfCommand(name, isBusy, sender, at), sender);
  }

  /**
   * Decides on a turn when it begins: while its questions waited, the sender may have lost access, the tokens of the day may have been used up,
   * or the conversation may have had too many turns.
   * @param question the last one of the turn
   */
  turn(
    conversation: string,
    question: { readonly place: Place; readonly payer: string },
    rooms: RoomFacts,
  ): Refusal | undefined {
    const { limits } = this.#options;
    const { place, payer } = question;
    if (!this.admits(place, rooms)) return { notice: undefined };
    return this.#refusal(limits.overspent(payer) ?? limits.excessOfTurns(conversation), payer);
  }

  #accessAt(place: Place, rooms: RoomFacts): Access {
    if (place.kind === 'room') return this.roomMessage(place.to, place.realJid, true, rooms);
    return place.kind === 'private' ? this.direct(place.realJid, { room: place.to }) : this.direct(place.to);
  }

  #refusal(excess: Excess | undefined, from: string): Refusal | undefined {
    if (excess === undefined) return undefined;
    this.#options.denials.log(from, excess.why);
    return { notice: excess.notice };
  }
}
