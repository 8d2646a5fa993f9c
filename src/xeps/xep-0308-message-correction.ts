/**
 * XEP-0308 Last Message Correction, 1.2.1 (Stable). https://xmpp.org/extensions/xep-0308.html
 *
 * A message that replaces an earlier one. Corrections refer to the id of the first version (§5), also in rooms, and only the author may
 * correct: applications that store messages check `mayCorrect`.
 */
import { definePlugin } from '../xmpp-core/plugin.js';
import { newId } from '../xmpp-core/stanza/ids.js';
import { NS_CLIENT } from '../xmpp-core/stanza/namespaces.js';
import { el, Element } from '../xmpp-core/xml/element.js';
import { authorOf, isSameAuthor, messageOf, type AnyMessage, type SameAuthorOptions } from './message-identity.js';
import { NS_STABLE_IDS } from './xep-0359-stable-ids.js';

/** The namespace of corrections. */
export const NS_CORRECTION = 'urn:xmpp:message-correct:0';

/** Reads the id of the message to replace. */
export function readCorrection(message: Element): string | undefined {
  return message.child('replace', NS_CORRECTION)?.attr('id');
}

/** Writes a correction. @param originalId the id of the first version */
export function writeCorrection(originalId: string): Element {
  return el('replace', NS_CORRECTION, { id: originalId });
}

/**
 * Builds the correction of a message of ours: a full copy with all payloads (§5), another text, a new id and a reference to the first
 * version.
 * @param sent the message, which may be a correction itself
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
 * Whether `correction` may replace `original`: it refers to it, both have the same author, and they are in the same conversation (§5). Pass
 * messages of rooms, also private ones, as `muc` emits them. Text can only replace text.
 */
export function mayCorrect(original: AnyMessage, correction: AnyMessage, options: SameAuthorOptions = {}): boolean {
  const { id, type, body } = messageOf(original);
  const corrected = messageOf(correction);
  return (
    id !== undefined &&
    readCorrection(corrected.element) === id &&
    (type === 'groupchat') === (corrected.type === 'groupchat') &&
    (body === undefined) === (corrected.body === undefined) &&
    isSameAuthor(authorOf(original), authorOf(correction), options)
  );
}

/** Announces support for corrections. */
export const messageCorrection = definePlugin({
  name: 'message-correction',
  xep: 308,
  features: [NS_CORRECTION],
  setup: () => undefined,
});
