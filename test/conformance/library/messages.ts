/** What messages say by extensions: in a field of what is told and asked for, or as something that is told of its own. */
import {
  outOfBandData,
  outOfBandRequests,
  readOutOfBandData,
  writeOutOfBandData,
} from '../../../src/xeps/xep-0066-out-of-band-data.js';
import { chatStates, writeChatState } from '../../../src/xeps/xep-0085-chat-states.js';
import { asksForReceipt, deliveryReceipts } from '../../../src/xeps/xep-0184-message-delivery-receipts.js';
import { readDelay } from '../../../src/xeps/xep-0203-delayed-delivery.js';
import { attention } from '../../../src/xeps/xep-0224-attention.js';
import { readAction } from '../../../src/xeps/xep-0245-me-command.js';
import { carbons } from '../../../src/xeps/xep-0280-message-carbons.js';
import { cryptographicHashes } from '../../../src/xeps/xep-0300-cryptographic-hashes.js';
import {
  correctMessage,
  mayCorrect,
  messageCorrection,
  readCorrection,
  writeCorrection,
} from '../../../src/xeps/xep-0308-message-correction.js';
import { displayedMarkers, isMarkable } from '../../../src/xeps/xep-0333-displayed-markers.js';
import { readHints, writeHint } from '../../../src/xeps/xep-0334-message-processing-hints.js';
import { readOriginId, readStanzaId, stanzaIds, writeOriginId } from '../../../src/xeps/xep-0359-stable-ids.js';
import { readMentions, references, writeMention } from '../../../src/xeps/xep-0372-references.js';
import {
  explicitEncryption,
  readEncryption,
  writeEncryption,
} from '../../../src/xeps/xep-0380-explicit-message-encryption.js';
import { isUnstyled, parseStyling, withoutStyling, writeUnstyled } from '../../../src/xeps/xep-0393-message-styling.js';
import { readOccupantId } from '../../../src/xeps/xep-0421-occupant-id.js';
import {
  mayRetract,
  messageRetraction,
  readRetraction,
  readTombstone,
} from '../../../src/xeps/xep-0424-message-retraction.js';
import { readFallbacks } from '../../../src/xeps/xep-0428-fallback-indication.js';
import { messageReactions } from '../../../src/xeps/xep-0444-message-reactions.js';
import {
  messageReplies,
  readReply,
  readReplyBody,
  writeQuotedReply,
  writeReply,
} from '../../../src/xeps/xep-0461-message-replies.js';
import type { Client } from '../../../src/xmpp-core/client.js';
import { XmppError } from '../../../src/xmpp-core/errors.js';
import { roster } from '../../../src/xmpp-core/im/roster.js';
import { Jid } from '../../../src/xmpp-core/jid/jid.js';
import { el, Element } from '../../../src/xmpp-core/xml/element.js';
import { ActionError, type Asked } from './asked.js';
import { list, time, yes, type Extensions } from './extension.js';

const CHAT_STATES = ['active', 'composing', 'paused', 'inactive', 'gone'] as const;
const HINTS = ['no-permanent-store', 'no-store', 'no-copy', 'store'] as const;
const CONVERSATIONS = ['chat', 'groupchat'] as const;

/** A conversation between two unless the action says otherwise. */
export function conversationOf(asked: Asked): { readonly to: Jid; readonly type: 'chat' | 'groupchat' } {
  return { to: asked.needJid('to'), type: asked.word('type', CONVERSATIONS) ?? 'chat' };
}

export const messageExtensions: Extensions = {
  'XEP-0066': {
    plugins: [outOfBandData, outOfBandRequests],
    read: ({ element }) => ({ oob: list(readOutOfBandData(element).map(({ url }) => url)) }),
    compose: payloads('oob', (url) => writeOutOfBandData({ url })),
    attach({ client, tell }) {
      const requests = client.get(outOfBandRequests);
      requests.setFetchHandler(async ({ url }, { from }) => tell('oob-offer', { from: from.toString(), url }));
      return {
        'oob-offer': async (asked) => requests.offer(asked.needJid('to'), { url: asked.need('url') }),
      };
    },
  },
  'XEP-0085': {
    plugins: [chatStates],
    compose: payload('state', (_, asked) => writeChatState(asked.needWord('state', CHAT_STATES))),
    attach({ client, tell }) {
      const states = client.get(chatStates);
      states.events.on('changed', ({ message, state }) => tell('state', { from: message.from.toString(), state }));
      return {
        state(asked) {
          const { to, type } = conversationOf(asked);
          states.send(to, type, asked.needWord('state', CHAT_STATES));
        },
        'state-if-wanted'(asked) {
          const { to, type } = conversationOf(asked);
          states.notify(to, type, asked.needWord('state', CHAT_STATES));
        },
      };
    },
  },
  'XEP-0184': {
    plugins: [deliveryReceipts],
    read: ({ element }) => ({ 'receipt-requested': yes(asksForReceipt(element)) }),
    compose: (message, asked, client) =>
      asked.flag('receipt') ? client.get(deliveryReceipts).request(message) : message,
    attach({ client, tell }) {
      const receipts = client.get(deliveryReceipts);
      receipts.allow(() => true);
      receipts.events.on('received', ({ from, id }) => tell('receipt', { from: from.toString(), id }));
      return { 'receipts-for': (asked) => receipts.allow(whoever(asked, client)) };
    },
  },
  'XEP-0203': {
    read({ element }) {
      const delay = readDelay(element);
      return { delay: time(delay?.stamp), 'delay-by': delay?.from?.toString() };
    },
  },
  'XEP-0224': {
    plugins: [attention],
    attach({ client, tell }) {
      const calls = client.get(attention);
      calls.events.on('called', ({ from }) => tell('called', { from: from.toString() }));
      return { call: (asked) => calls.call(asked.needJid('to'), asked.text('body')) };
    },
  },
  'XEP-0245': {
    read: ({ body }) => ({ action: body === undefined ? undefined : readAction(body) }),
  },
  'XEP-0280': {
    plugins: [carbons],
    attach({ client, tell, tellMessage }) {
      const copies = client.get(carbons);
      copies.events.on('received', (message) => tellMessage(message, { carbon: 'received' }));
      copies.events.on('sent', (message) => tellMessage(message, { carbon: 'sent' }));
      copies.events.on('refused', () => tell('carbons-refused'));
      return { 'carbons-enable': () => copies.enable(), 'carbons-disable': () => copies.disable() };
    },
  },
  'XEP-0300': { plugins: [cryptographicHashes] },
  'XEP-0308': {
    plugins: [messageCorrection],
    read({ element }, { heard }, said) {
      const replaces = readCorrection(element);
      const original = heard(replaces ?? '');
      return { replaces, 'by-author': yes(original !== undefined && mayCorrect(original, said)) };
    },
    compose: payload('replaces', writeCorrection),
    attach: ({ client, sent }) => ({
      correct(asked) {
        const id = asked.need('id');
        const message = sent(id);
        if (message === undefined) throw new ActionError(`no message with the id '${id}' was sent`);
        client.send(correctMessage(message, asked.need('body')));
      },
    }),
  },
  'XEP-0333': {
    plugins: [displayedMarkers],
    read: ({ element }) => ({ markable: yes(isMarkable(element)) }),
    compose: (message, asked, client) =>
      asked.flag('markable') ? client.get(displayedMarkers).request(message) : message,
    attach({ client, tell, heard }) {
      const markers = client.get(displayedMarkers);
      markers.allow(() => true);
      markers.events.on('displayed', ({ from, id }) => tell('marker', { from: from.toString(), id }));
      return {
        'markers-for': (asked) => markers.allow(whoever(asked, client)),
        mark(asked) {
          const id = asked.need('id');
          const said = heard(id);
          if (said === undefined) throw new ActionError(`no message with the id '${id}' came`);
          if (!markers.mark(said)) throw new XmppError('that message gets no marker');
        },
      };
    },
  },
  'XEP-0334': {
    read: ({ element }) => ({ hints: list([...readHints(element)].toSorted()) }),
    compose: (message, asked) =>
      message.withNodes(
        ...asked
          .list('hints')
          .map((name) => HINTS.find((hint) => hint === name))
          .map((hint) => (hint === undefined ? undefined : writeHint(hint))),
      ),
  },
  'XEP-0359': {
    plugins: [stanzaIds],
    read({ element, from, type }, { client }, said) {
      const by = type === 'groupchat' ? from.bare : client.account;
      const id = 'message' in said ? said.stanzaId : readStanzaId(element, by);
      return {
        'stanza-id': id,
        'stanza-id-by': id === undefined ? undefined : by.toString(),
        'origin-id': readOriginId(element),
      };
    },
    compose: payload('origin-id', writeOriginId),
  },
  'XEP-0372': {
    plugins: [references],
    read: (message) => ({ mentions: list(readMentions(message).map(({ jid }) => jid)) }),
    compose: payloads('mentions', (jid) => writeMention({ jid: Jid.parse(jid) })),
  },
  'XEP-0380': {
    plugins: [explicitEncryption],
    read: ({ element }) => ({ encryption: readEncryption(element) }),
    compose: payload('encryption', (namespace) => writeEncryption(namespace)),
  },
  'XEP-0393': {
    read: ({ element, body }) => ({ unstyled: yes(isUnstyled(element)), plain: plain(element, body) }),
    compose: payload('unstyled', () => writeUnstyled()),
  },
  'XEP-0421': {
    read: ({ element }, _application, said) => ({
      'occupant-id': 'message' in said ? said.occupantId : readOccupantId(element),
    }),
  },
  'XEP-0424': {
    plugins: [messageRetraction],
    read({ element }, { heard }, said) {
      const tombstone = readTombstone(element);
      const retracts = readRetraction(element);
      const original = heard(retracts ?? '');
      const isByAuthor = original !== undefined && mayRetract(original, said);
      return {
        retracts,
        ...(isByAuthor ? { 'by-author': 'yes' } : {}),
        retracted: tombstone?.id,
        'retracted-at': time(tombstone?.stamp),
      };
    },
    attach({ client }) {
      return {
        retract(asked) {
          const { to, type } = conversationOf(asked);
          client.get(messageRetraction).retract(to, type, asked.need('id'), asked.text('body'));
        },
      };
    },
  },
  'XEP-0428': {
    read: ({ element }) => ({ 'fallback-for': list(readFallbacks(element).flatMap(({ for: about }) => about ?? [])) }),
  },
  'XEP-0444': {
    plugins: [messageReactions],
    attach({ client, tell }) {
      const reactions = client.get(messageReactions);
      reactions.events.on('reacted', ({ id, emoji, message }) =>
        tell('reactions', { from: message.from.toString(), id, emoji: list(emoji) }),
      );
      return {
        react(asked) {
          const { to, type } = conversationOf(asked);
          reactions.react(to, type, asked.need('id'), asked.list('emoji'));
        },
      };
    },
  },
  'XEP-0461': {
    plugins: [messageReplies],
    read(message) {
      const reply = readReply(message.element);
      if (reply === undefined) return {};
      const body = readReplyBody(message);
      return { 'reply-id': reply.id, 'reply-to': reply.to?.toString(), said: body === message.body ? undefined : body };
    },
    compose: composeReply,
  },
};

/** Who may learn that we are there: those who see our presence, or everybody. */
function whoever(asked: Asked, client: Client): (jid: Jid) => boolean {
  if (asked.needWord('who', ['contacts', 'everybody']) === 'everybody') return () => true;
  const contacts = client.get(roster);
  return (jid) => ['from', 'both'].includes(contacts.get(jid)?.subscription ?? 'none');
}

/** A payload that is written when the action has that field. */
export function payload(field: string, write: (value: string, asked: Asked) => Element) {
  return (message: Element, asked: Asked): Element => {
    const value = asked.text(field);
    return value === undefined ? message : message.withNodes(write(value, asked));
  };
}

/** One for each of the values of that field. */
function payloads(field: string, write: (value: string) => Element) {
  return (message: Element, asked: Asked): Element => message.withNodes(...asked.list(field).map(write));
}

/** The text without its styling, where it has some. */
function plain(element: Element, body: string | undefined): string | undefined {
  if (body === undefined || isUnstyled(element)) return undefined;
  const text = withoutStyling(parseStyling(body));
  return text === body ? undefined : text;
}

/** A reply, with a quotation where the action gives the text that is answered. */
function composeReply(message: Element, asked: Asked): Element {
  const id = asked.text('reply-id');
  if (id === undefined) return message;
  const reply = { id, to: asked.jid('reply-to') };
  const text = asked.text('quote');
  if (text === undefined) return message.withNodes(writeReply(reply));
  const author = asked.text('quote-author');
  const quoted = { text, ...(author === undefined ? {} : { author }) };
  const { body, payloads } = writeQuotedReply(reply, quoted, message.childText('body') ?? '');
  const others = message.nodes.filter((node) => typeof node === 'string' || node.name !== 'body');
  return new Element(message.name, message.ns, message.attributes, [
    ...others,
    el('body', message.ns, {}, body),
    ...payloads,
  ]);
}
