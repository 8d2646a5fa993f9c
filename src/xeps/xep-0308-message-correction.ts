/**
 * XEP-0308 Last Message Correction, 1.2.1 (Stable). https://xmpp.org/extensions/xep-0308.html
 *
 * A message that takes the place of an earlier one. Every correction names the id of the first version (§5), also in rooms, and only its
 * author may correct: `mayCorrect` is for who keeps messages.
 */
import { definePlugin } from '../xmpp-core/plugin.js';
import { newId } from '../xmpp-core/stanza/ids.js';
import { NS_CLIENT } from '../xmpp-core/stanza/namespaces.js';
import { el, Element } from '../xmpp-core/xml/element.js';
import { authorOf, isSameAuthor, messageOf, type Said, type Watched } from './message-identity.js';
import { NS_STABLE_IDS } from './xep-0359-stable-ids.js';

export const NS_CORRECTION = 'urn:xmpp:message-correct:0';

/** The id of the message that this one replaces. */
export function readCorrection(message: Element): string | undefined {
  return message.child('replace', NS_CORRECTION)?.attr('id');
}

export function writeCorrection(originalId: string): Element {
  return el('replace', NS_CORRECTION, { id: originalId });
}

/**
 * A message of ours once more, whole, with another text, a fresh id and the mark that it replaces the first version (§5: all payloads are
 * sent again). `sent` may be a correction itself.
 */
export function correctMessage(sent: Element, body: string): Element {
  const originalId = readCorrection(sent) ?? sent.attr('id') ?? '';
  const kept = sent.nodes.filter(
    (node) =>
      typeof node === 'string' ||
      !(node.is('body', NS_CLIENT) || node.ns === NS_CORRECTION || node.ns === NS_STABLE_IDS),
  );
  return new Element(sent.name, sent.ns, sent.attributes, [el('body', NS_CLIENT, {}, body), ...kept])
    .withAttributes({ id: newId() })
    .withNodes(writeCorrection(originalId));
}

/**
 * Whether `correction` may take the place of `original`: it names it, and the same person wrote both in the same conversation (§5). In a
 * room both are to be what `muc` told, private messages too. A text is never made of something else, nor something else of a text.
 */
export function mayCorrect(original: Said, correction: Said, watched: Watched = {}): boolean {
  const { id, type, body } = messageOf(original);
  const corrected = messageOf(correction);
  return (
    id !== undefined &&
    readCorrection(corrected.element) === id &&
    (type === 'groupchat') === (corrected.type === 'groupchat') &&
    (body === undefined) === (corrected.body === undefined) &&
    isSameAuthor(authorOf(original), authorOf(correction), watched)
  );
}

/** Announces that corrections are understood. */
export const messageCorrection = definePlugin({
  name: 'message-correction',
  xep: 308,
  features: [NS_CORRECTION],
  setup: () => undefined,
});
