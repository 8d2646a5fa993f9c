/**
 * XEP-0461 Message Replies, 0.2.1 (Experimental). https://xmpp.org/extensions/xep-0461.html
 *
 * Says which message is answered. In a room `id` is the stanza-id that the room assigned (§4.1); `referenceId` finds it. What is quoted for
 * older clients is marked as fallback (§3.1), and `readReplyBody` is the text without it.
 */
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin } from '../xmpp-core/plugin.js';
import type { Message } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { codePointLength } from './xep-0426-character-counting.js';
import { withoutFallback, writeFallback } from './xep-0428-fallback-indication.js';

export const NS_REPLY = 'urn:xmpp:reply:0';

/** Which message is answered, and who wrote it. */
export interface Reply {
  readonly id: string;
  readonly to: Jid | undefined;
}

export function readReply(message: Element): Reply | undefined {
  const reply = message.child('reply', NS_REPLY);
  const id = reply?.attr('id');
  return id === undefined ? undefined : { id, to: Jid.tryParse(reply?.attr('to')) };
}

export function writeReply({ id, to }: Reply): Element {
  return el('reply', NS_REPLY, { id, to: to?.toString() });
}

/** What is said in a message, without the quotation of what it answers. The same text, where it answers nothing. */
export function readReplyBody({ element, body }: Message): string | undefined {
  if (body === undefined || readReply(element) === undefined) return body;
  return withoutFallback(element, body, [NS_REPLY]);
}

/** A reply with a quotation for clients that know no replies: the body and the payloads of the message to send. */
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

/** Announces that replies are understood. */
export const messageReplies = definePlugin({
  name: 'message-replies',
  xep: 461,
  features: [NS_REPLY],
  setup: () => undefined,
});
