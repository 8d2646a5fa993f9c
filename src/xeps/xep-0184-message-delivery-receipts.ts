/**
 * XEP-0184 Message Delivery Receipts, 1.4.0 (Stable). https://xmpp.org/extensions/xep-0184.html
 *
 * Asks for receipts and gives them: when asked, once, outside of rooms, and only to whom `allow` lets know that we are there (§8); nobody
 * unless told. A receipt counts only from whom the message went to.
 *
 * Left out: requesting receipts in rooms, which §5.3 does not recommend.
 */
import type { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, from } from '../xmpp-core/plugin.js';
import { writeMessage, type Message } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { AwaitedIds } from './awaited-ids.js';

export const NS_RECEIPTS = 'urn:xmpp:receipts';

/** The id of the message that was received. */
export function readReceipt(message: Element): string | undefined {
  return message.child('received', NS_RECEIPTS)?.attr('id');
}

export function writeReceipt(id: string): Element {
  return el('received', NS_RECEIPTS, { id });
}

export function asksForReceipt(message: Element): boolean {
  return message.child('request', NS_RECEIPTS) !== undefined;
}

export function writeReceiptRequest(): Element {
  return el('request', NS_RECEIPTS);
}

/** Something that a message of ours came to. */
export interface Receipt {
  /** Which of their clients says so. */
  readonly from: Jid;
  /** The id of our message. */
  readonly id: string;
}

export const deliveryReceipts = definePlugin({
  name: 'delivery-receipts',
  xep: 184,
  features: [NS_RECEIPTS],
  setup(context) {
    const events = context.events<{ received: Receipt }>();
    const awaited = new AwaitedIds();
    let mayKnow: (sender: Jid) => boolean = () => false;

    context.onMessage({ ns: NS_RECEIPTS, name: 'received' }, from.anyone, (_payload, message) => {
      const id = readReceipt(message.element);
      if (id !== undefined && awaited.take(id, message.from)) events.emit('received', { from: message.from, id });
    });
    context.onMessage({ ns: NS_RECEIPTS, name: 'request' }, from.anyone, (_payload, message) => {
      const { from: sender, id, type } = message;
      if (id === undefined || !isReceiptDue(message, context.account) || !mayKnow(sender)) return;
      context.send(writeMessage({ to: sender, type, payloads: [writeReceipt(id)] }));
    });

    return {
      events,
      /** Says who gets receipts. It is asked for each message that wants one; a roster's subscriptions make a good answer. */
      allow(guard: (sender: Jid) => boolean): void {
        mayKnow = guard;
      },
      /**
       * The message with a request for a receipt in it, which is waited for from now on. Send it; `received` tells when it arrived. No
       * receipt means nothing (§4).
       * @throws XmppError when it has no id, no addressee, or goes to a room
       */
      request(message: Element): Element {
        awaited.add(message);
        return message.withNodes(writeReceiptRequest());
      },
    };
  },
});

/** §5: not in rooms, not for receipts (which would loop), not for what we sent ourselves from another client. */
function isReceiptDue({ element, from, type }: Message, account: Jid): boolean {
  return type !== 'groupchat' && readReceipt(element) === undefined && !from.bare.equals(account);
}
