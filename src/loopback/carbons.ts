/** The message carbons of the loopback server (XEP-0280). */
import type { Jid } from '../xmpp-core/jid/jid.js';
import { NS_CLIENT } from '../xmpp-core/stanza/namespaces.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { isPrivate, writeCarbon, type CarbonDirection } from '../xeps/xep-0280-message-carbons.js';
import type { Session } from './session.js';

/** The sessions that have enabled carbons. */
export class Carbons {
  readonly #wanted = new Set<Session>();

  /** Handles `<enable/>` or `<disable/>`. */
  take(session: Session, order: Element): void {
    if (order.name === 'enable') this.#wanted.add(session);
    else this.#wanted.delete(session);
  }

  ended(session: Session): void {
    this.#wanted.delete(session);
  }

  /** Copies a message to the account's sessions that have enabled carbons, except one that already has it. */
  copy(direction: CarbonDirection, message: Element, account: Jid, but: Session | undefined): void {
    if (!isEligible(message)) return;
    for (const session of this.#wanted) {
      if (session === but || !session.jid.bare.equals(account)) continue;
      const addresses = { from: account.toString(), to: session.jid.toString(), type: message.attr('type') };
      session.send(el('message', NS_CLIENT, addresses, writeCarbon({ direction, stanza: message })));
    }
  }
}

/** Whether a message is copied (§6.1, for chat messages). */
function isEligible(message: Element): boolean {
  const type = message.attr('type') ?? 'normal';
  const isTalk = type === 'chat' || (type === 'normal' && message.child('body') !== undefined);
  return isTalk && !isPrivate(message);
}
