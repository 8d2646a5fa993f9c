/**
 * XEP-0421 Occupant identifiers for semi-anonymous MUCs, 1.0.1 (Stable). https://xmpp.org/extensions/xep-0421.html
 *
 * Identifies the occupants of a room when nicknames change and real JIDs are hidden. An id counts only in a room that announces
 * `NS_OCCUPANT_ID`; elsewhere any occupant could have written it (§5). Multi-user chat (XEP-0045) checks that: `occupant.occupantId`.
 */
import { el, type Element } from '../xmpp-core/xml/element.js';

/** The namespace of occupant ids, and the feature of rooms that assign them. */
export const NS_OCCUPANT_ID = 'urn:xmpp:occupant-id:0';

/** The longest valid id (§4). */
const MAX_LENGTH = 128;

/** Reads the id in a message or presence of a room that announces ids; `undefined` if it is missing or invalid (§4). */
export function readOccupantId(stanza: Element): string | undefined {
  const [element, another] = stanza.children('occupant-id', NS_OCCUPANT_ID);
  const id = element?.attr('id') ?? '';
  return another !== undefined || id === '' || id.length > MAX_LENGTH ? undefined : id;
}

/** Writes an occupant id. */
export function writeOccupantId(id: string): Element {
  return el('occupant-id', NS_OCCUPANT_ID, { id });
}
