/** The loopback server's message carbons (XEP-0280): which sessions want copies, and of what. */
import type { Jid } from '../xmpp-core/jid/jid.js';
import { NS_CLIENT } from '../xmpp-core/stanza/namespaces.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { isPrivate, writeCarbon, type CarbonDirection } from '../xeps/xep-0280-message-carbons.js';
import type { Session } from './session.js';

export class Carbons {
  readonly #wanted = new Set<Session>();

  /** Takes `<enable/>` or `<disable/>`. */
  take(session: Session, order: Element): void {
    if (order.name === 'enable') this.#wanted.add(session);
    else this.#wanted.delete(session);
  }

  ended(session: Session): void {
    this.#wanted.delete(session);
  }

  /** Copies a message to the account's sessions that want it, but the one that has it already. */
  copy(direction: CarbonDirection, message: Element, account: Jid, but: Session | undefined): void {
    if (!isEligible(message)) return;
    for (const session of this.#wanted) {
      if (session === but || !session.jid.bare.equals(account)) continue;
      const addresses = { from: account.toString(), to: session.jid.toString(), type: message.attr('type') };
      session.send(el('message', NS_CLIENT, addresses, writeCarbon({ direction, stanza: message })));
    }
  }
}

/** §6.1, for what people say. */
function isEligible(message: Element): boolean {
  const type = message.attr('type') ?? 'normal';
  const isTalk = type === 'chat' || (type === 'normal' && message.child('body') !== undefined);
  return isTalk && !isPrivate(message);
}
