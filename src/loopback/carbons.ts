/** The message carbons of the loopback server (XEP-0280). */
import type { Jid } from '../xmpp-core/jid/jid.js';
import { NS_CLIENT } from '../xmpp-core/stanza/namespaces.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { isPrivate, writeCarbon, type CarbonDirection } from '../xeps/xep-0280-message-carbons.js';
import type { Session } from './session.js';

/** The sessions that have enabled carbons. */
export class Carbons {
  readonly #enabled = new Set<Session>();

  /** Handles `<enable/>` or `<disable/>`. */
  handle(session: Session, request: Element): void {
    if (request.name === 'enable') this.#enabled.add(session);
    else this.#enabled.delete(session);
  }

  remove(session: Session): void {
    this.#enabled.delete(session);
  }

  /** Copies a message to the account's sessions that have enabled carbons, except one that already has it. */
  copy(direction: CarbonDirection, message: Element, account: Jid, except: Session | undefined): void {
    if (!shouldCopy(message)) return;
    for (const session of this.#enabled) {
      if (session === except || !session.jid.bare.equals(account)) continue;
      const addresses = { from: account.toString(), to: session.jid.toString(), type: message.attr('type') };
      session.send(el('message', NS_CLIENT, addresses, writeCarbon({ direction, stanza: message })));
    }
  }
}

/** Whether a message is copied (§6.1, for chat messages). */
function shouldCopy(message: Element): boolean {
  const type = message.attr('type') ?? 'normal';
  const isTalk = type === 'chat' || (type === 'normal' && message.child('body') !== undefined);
  return isTalk && !isPrivate(message);
}
