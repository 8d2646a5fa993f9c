/**
 * XEP-0461 Message Replies, 0.2.1 (Experimental). https://xmpp.org/extensions/xep-0461.html
 *
 * Refers to the message that is answered. In a room the `id` is the stanza-id that the room assigned (§4.1); `referenceId` finds it.
 * Quotations for older clients are marked as fallback (§3.1), and `readReplyBody` removes them.
 */
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin } from '../xmpp-core/plugin.js';
import type { Message } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { codePointLength } from './xep-0426-character-counting.js';
import { withoutFallback, writeFallback } from './xep-0428-fallback-indication.js';

/** The namespace of replies. */
export const NS_REPLY = 'urn:xmpp:reply:0';

/** The message that is answered, and its author. */
export interface Reply {
  readonly id: string;
  readonly to: Jid | undefined;
}

/** Reads which message is answered; `undefined` if there is no such reference. */
export function readReply(message: Element): Reply | undefined {
  const reply = message.child('reply', NS_REPLY);
  const id = reply?.attr('id');
  return id === undefined ? undefined : { id, to: Jid.fromWire(reply?.attr('to')) };
}

/** Writes a reference to the message that is answered. */
export function writeReply({ id, to }: Reply): Element {
  return el('reply', NS_REPLY, { id, to: to?.toString() });
}

/** The body of a message without the quotation of the message it answers. */
export function readReplyBody({ element, body }: Message): string | undefined {
  if (body === undefined || readReply(element) === undefined) return body;
  return withoutFallback(element, body, [NS_REPLY]);
}

/** Writes a reply with a quotation for clients that do not support replies. @returns the body and payloads of the message */
export function writeQuotedReply(
  reply: Reply,
  quoted: { readonly author?: string; readonly text: string },
  body: string,
): { readonly body: string; readonly payloads: readonly Element[] } {
  const title = quoted.author === undefined ? [] : [`${quoted.author} wrote:`];
  const quotation = [...title, ...quoted.text.split('\n')].map((line) => `> ${line}\n`).join('');
  const range = { start: 0, end: codePointLength(quotation) };
  return { body: quotation + body, payloads: [writeReply(reply), writeFallback(NS_REPLY, { body: [range] })] };
}

/** Announces support for replies. */
export const messageReplies = definePlugin({
  name: 'message-replies',
  xep: 461,
  features: [NS_REPLY],
  setup: () => undefined,
});
