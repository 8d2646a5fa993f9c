/**
 * XEP-0421 Occupant identifiers for semi-anonymous MUCs, 1.0.1. https://xmpp.org/extensions/xep-0421.html
 *
 * An id counts only in a room that announces `NS_OCCUPANT_ID`: elsewhere any occupant could have written it (§5).
 */
import { el, type Element } from '../xmpp-core/xml/element.js';

export const NS_OCCUPANT_ID = 'urn:xmpp:occupant-id:0';

export function readOccupantId(stanza: Element): string | undefined {
  return stanza.child('occupant-id', NS_OCCUPANT_ID)?.attr('id');
}

export function writeOccupantId(id: string): Element {
  return el('occupant-id', NS_OCCUPANT_ID, { id });
}
