/**
 * XEP-0184 Message Delivery Receipts, 1.4.0 (Stable). https://xmpp.org/extensions/xep-0184.html
 *
 * Requests receipts and sends them: on request, once, not in rooms, and only to senders that `allow` admits, since a receipt reveals our
 * presence (§8); to nobody by default. A receipt counts only from the addressee of the message.
 *
 * Left out: requesting receipts in rooms, which §5.3 does not recommend.
 */
import type { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, senders } from '../xmpp-core/plugin.js';
import { writeMessage, type Message } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { AwaitedIds } from './awaited-ids.js';

/** The namespace of receipts. */
export const NS_RECEIPTS = 'urn:xmpp:receipts';

/** Reads a receipt: the id of the message that was received. */
export function readReceipt(message: Element): string | undefined {
  return message.child('received', NS_RECEIPTS)?.attr('id');
}

/** Writes a receipt. @param id the id of the received message */
export function writeReceipt(id: string): Element {
  return el('received', NS_RECEIPTS, { id });
}

/** Whether the sender requests a receipt. */
export function asksForReceipt(message: Element): boolean {
  return message.child('request', NS_RECEIPTS) !== undefined;
}

/** Writes the request for a receipt. */
export function writeReceiptRequest(): Element {
  return el('request', NS_RECEIPTS);
}

/** A receipt for one of our messages. */
export interface Receipt {
  /** The client that received it. */
  readonly from: Jid;
  /** The id of our message. */
  readonly id: string;
}

/** Receipts: `client.get(deliveryReceipts)` requests them, and decides who gets ours. */
export const deliveryReceipts = definePlugin({
  name: 'delivery-receipts',
  xep: 184,
  features: [NS_RECEIPTS],
  setup(context) {
    const events = context.events<{ received: Receipt }>();
    const awaited = new AwaitedIds();
    let canSeePresence: (sender: Jid) => boolean = () => false;

    context.onMessage({ ns: NS_RECEIPTS, name: 'received' }, senders.anyone, (_payload, message) => {
      const id = readReceipt(message.element);
      if (id !== undefined && awaited.take(id, message.from)) events.emit('received', { from: message.from, id });
    });
    context.onMessage({ ns: NS_RECEIPTS, name: 'request' }, senders.anyone, (_payload, message) => {
      const { from: sender, id, type } = message;
      if (id === undefined || !isReceiptDue(message, context.account) || !canSeePresence(sender)) return;
      context.send(writeMessage({ to: sender, type, payloads: [writeReceipt(id)] }));
    });

    return {
      events,
      /** Sets who gets receipts; checked for each request. Typically contacts that may see our presence. */
      allow(guard: (sender: Jid) => boolean): void {
        canSeePresence = guard;
      },
      /**
       * Adds the request for a receipt to a message, and expects the receipt from now on. Send the result; `received` reports the receipt.
       * A missing receipt means nothing (§4).
       * @throws XmppError if the message has no id or no addressee, or goes to a room
       */
      request(message: Element): Element {
        awaited.add(message);
        return message.withNodes(writeReceiptRequest());
      },
    };
  },
});

/** §5: no receipts in rooms, for receipts (which would loop), or for messages that another client of ours sent. */
function isReceiptDue({ element, from, type }: Message, account: Jid): boolean {
  return type !== 'groupchat' && readReceipt(element) === undefined && !from.bare.equals(account);
}
