/** The ids of messages that we sent and of which we wait to hear, with whom they went to: for receipts (XEP-0184) and markers (XEP-0333). */
import { BoundedMap } from '../xmpp-core/bounded-map.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { XmppError } from '../xmpp-core/errors.js';
import type { Element } from '../xmpp-core/xml/element.js';

const NS_MUC_USER = 'http://jabber.org/protocol/muc#user';

/** How many messages are waited for; of more, the oldest are given up. */
const MAX_AWAITED = 1_000;

export class AwaitedIds {
  /** Oldest first. */
  readonly #awaited = new BoundedMap<string, Jid>(MAX_AWAITED);

  /**
   * Waits for news of a message that is about to be sent.
   * @throws XmppError when it has no id or no addressee, or goes to a room: nobody could be known to have received it
   */
  add(message: Element): void {
    const id = message.attr('id');
    const to = Jid.tryParse(message.attr('to'));
    if (id === undefined || to === undefined || message.attr('type') === 'groupchat')
      throw new XmppError('only a message with an id and a single recipient can be tracked');
    // Somebody in a room is known by the full JID; with anybody else, any of their clients may answer.
    const isToOccupant = message.child('x', NS_MUC_USER) !== undefined;
    this.#awaited.set(id, isToOccupant ? to : to.bare);
  }

  /** Takes the id, if it was waited for from that entity. */
  take(id: string, from: Jid): boolean {
    return this.#isFrom(id, from) && this.#awaited.delete(id);
  }

  /** Takes the id and all older ones of the same entity, if it was waited for from it. */
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
