/**
 * XEP-0308 Last Message Correction, 1.2.1. https://xmpp.org/extensions/xep-0308.html
 * Every correction names the id of the first version (§4). Whether its sender may correct is for the reader to check.
 */
import { el, type Element } from '../xmpp-core/xml/element.js';

export const NS_CORRECTION = 'urn:xmpp:message-correct:0';

/** The id of the message that this one replaces. */
export function readCorrection(message: Element): string | undefined {
  return message.child('replace', NS_CORRECTION)?.attr('id');
}

export function writeCorrection(originalId: string): Element {
  return el('replace', NS_CORRECTION, { id: originalId });
}
