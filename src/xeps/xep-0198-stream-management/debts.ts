/** What sessions that were lost still owe: the messages that the server never acknowledged, until they can be sent again (§4). */
import { Jid } from '../../xmpp-core/jid/jid.js';
import type { Element } from '../../xmpp-core/xml/element.js';
import { readDelay, writeDelay } from '../xep-0203-delayed-delivery.js';
import type { Unacknowledged } from './ledger.js';

/** Messages for rooms that do not let us in again; the oldest goes. */
const MAX_FOR_ROOMS = 1_000;

/**
 * Messages are owed, as they mean the same in the next session. Presence is not: each session begins with its own. Requests and answers are
 * not: they belong to the full JID that is gone with its session, a request may have been carried out, and who waits for an answer is told.
 */
export class Debts {
  readonly #dropped: (stanza: Element) => void;
  #next: Unacknowledged[] = [];
  #forRooms: Unacknowledged[] = [];

  /** @param dropped is told of each stanza that will not be sent again */
  constructor(dropped: (stanza: Element) => void) {
    this.#dropped = dropped;
  }

  get all(): readonly Unacknowledged[] {
    return [...this.#next, ...this.#forRooms];
  }

  /** Takes over what a lost session left unacknowledged. */
  take(left: readonly Unacknowledged[]): void {
    for (const one of left) {
      const { stanza } = one;
      if (stanza.name !== 'message' || stanza.attr('type') === 'error') this.#dropped(stanza);
      else if (stanza.attr('type') === 'groupchat') this.#forRooms.push(one);
      else this.#next.push(one);
    }
    for (const { stanza } of this.#forRooms.splice(0, this.#forRooms.length - MAX_FOR_ROOMS)) this.#dropped(stanza);
  }

  /** What is sent at the beginning of the next session. */
  payAtOnce(): readonly Unacknowledged[] {
    return this.#next.splice(0).map(delayed);
  }

  /** What is sent to a room that has let us in again: before that it would refuse it (XEP-0045 §7.4). */
  payRoom(room: Jid): readonly Unacknowledged[] {
    const isForRoom = ({ stanza }: Unacknowledged): boolean =>
      Jid.tryParse(stanza.attr('to'))?.bare.equals(room.bare) === true;
    const owed = this.#forRooms.filter(isForRoom);
    this.#forRooms = this.#forRooms.filter((one) => !isForRoom(one));
    return owed.map(delayed);
  }
}

/** A message that comes late says when it was sent, so that nobody takes it for new (XEP-0203); its id is the one it had. */
function delayed(one: Unacknowledged): Unacknowledged {
  const { stanza, sentAt } = one;
  if (readDelay(stanza) !== undefined) return one;
  return { ...one, stanza: stanza.withNodes(writeDelay({ stamp: sentAt, from: undefined })) };
}
