/** Messages of lost sessions that the server never acknowledged, until they can be sent again (§4). */
import { Jid } from '../../xmpp-core/jid/jid.js';
import type { Element } from '../../xmpp-core/xml/element.js';
import { readDelay, writeDelay } from '../xep-0203-delayed-delivery.js';
import type { Unacknowledged } from './ledger.js';

/** At most so many messages wait for rooms; of more, the oldest are dropped. */
const MAX_FOR_ROOMS = 1_000;

/**
 * Only messages are sent again, as they mean the same in the next session. Presence is not: each session begins with its own. Requests and
 * their answers are not: they belong to the full JID of the lost session, a request may have been carried out, and its promise has rejected.
 */
export class ResendQueue {
  readonly #onDropped: (stanza: Element) => void;
  /** For the beginning of the next session. */
  #next: Unacknowledged[] = [];
  #forRooms: Unacknowledged[] = [];

  /** @param onDropped gets each stanza that will not be sent again */
  constructor(onDropped: (stanza: Element) => void) {
    this.#onDropped = onDropped;
  }

  /** All messages that wait. */
  get all(): readonly Unacknowledged[] {
    return [...this.#next, ...this.#forRooms];
  }

  /** Adds the unacknowledged stanzas of a lost session. */
  add(left: readonly Unacknowledged[]): void {
    for (const one of left) {
      const { stanza } = one;
      if (stanza.name !== 'message' || stanza.attr('type') === 'error') this.#onDropped(stanza);
      else if (stanza.attr('type') === 'groupchat') this.#forRooms.push(one);
      else this.#next.push(one);
    }
    for (const { stanza } of this.#forRooms.splice(0, this.#forRooms.length - MAX_FOR_ROOMS)) this.#onDropped(stanza);
  }

  /** Removes and returns the messages for the beginning of the next session. */
  takeForSession(): readonly Unacknowledged[] {
    return this.#next.splice(0).map(delayed);
  }

  /** Removes and returns the messages for a room that we have joined again; before that it would refuse them (XEP-0045 §7.4). */
  takeForRoom(room: Jid): readonly Unacknowledged[] {
    const isForRoom = ({ stanza }: Unacknowledged): boolean =>
      Jid.fromWire(stanza.attr('to'))?.bare.equals(room.bare) === true;
    const messages = this.#forRooms.filter(isForRoom);
    this.#forRooms = this.#forRooms.filter((one) => !isForRoom(one));
    return messages.map(delayed);
  }
}

/** A late message carries the time when it was first sent, so that nobody takes it for new (XEP-0203). It keeps its id. */
function delayed(one: Unacknowledged): Unacknowledged {
  const { stanza, sentAt } = one;
  if (readDelay(stanza) !== undefined) return one;
  return { ...one, stanza: stanza.withNodes(writeDelay({ stamp: sentAt, from: undefined })) };
}
