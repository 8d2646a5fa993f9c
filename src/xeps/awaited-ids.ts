/** The ids of sent messages that await a receipt (XEP-0184) or a marker (XEP-0333), with their addressees. */
import { BoundedMap } from '../xmpp-core/bounded-map.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { XmppError } from '../xmpp-core/errors.js';
import type { Element } from '../xmpp-core/xml/element.js';

const NS_MUC_USER = 'http://jabber.org/protocol/muc#user';

/** The most messages to remember; the oldest are dropped. */
const MAX_AWAITED = 1_000;

/** The ids of messages that await an answer. */
export class AwaitedIds {
  /** Oldest first. */
  readonly #awaited = new BoundedMap<string, Jid>(MAX_AWAITED);

  /**
   * Expects answers to a message that is about to be sent.
   * @throws XmppError if it has no id or no addressee, or goes to a room, where the receiver is not known
   */
  add(message: Element): void {
    const id = message.attr('id');
    const to = Jid.fromWire(message.attr('to'));
    if (id === undefined || to === undefined || message.attr('type') === 'groupchat')
      throw new XmppError('only a message with an id and a single recipient can be tracked');
    // An occupant answers from the full JID; any client of another addressee may answer.
    const isToOccupant = message.child('x', NS_MUC_USER) !== undefined;
    this.#awaited.set(id, isToOccupant ? to : to.bare);
  }

  /** Removes an id. @returns whether it awaited an answer from that entity */
  take(id: string, from: Jid): boolean {
    return this.#isFrom(id, from) && this.#awaited.delete(id);
  }

  /** Removes an id and all older ones of the same entity. @returns whether it awaited an answer from that entity */
  takeUpTo(id: string, from: Jid): boolean {
    if (!this.#isFrom(id, from)) return false;
    for (const older of this.#awaited.keys()) {
      if (this.#isFrom(older, from)) this.#awaited.delete(older);
      if (older === id) return true;
    }
    return true;
  }

  #isFrom(id: string, from: Jid): boolean {
    const to = this.#awaited.get(id);
    return to !== undefined && (to.resource === '' ? to.equals(from.bare) : to.equals(from));
  }
}
