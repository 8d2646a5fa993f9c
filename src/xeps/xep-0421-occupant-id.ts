/**
 * XEP-0421 Occupant identifiers for semi-anonymous MUCs, 1.0.1 (Stable). https://xmpp.org/extensions/xep-0421.html
 *
 * Tells one occupant of a room from another though nicks change and real JIDs are hidden. An id counts only in a room that announces
 * `NS_OCCUPANT_ID`: elsewhere any occupant could have written it (§5). Rooms (XEP-0045) look after that: `occupant.occupantId`.
 */
import { el, type Element } from '../xmpp-core/xml/element.js';

export const NS_OCCUPANT_ID = 'urn:xmpp:occupant-id:0';

/** §4 */
const MAX_LENGTH = 128;

/** The id in a message or presence of a room that is known to give ids; `undefined` for one that no room may give (§4). */
export function readOccupantId(stanza: Element): string | undefined {
  const [element, another] = stanza.children('occupant-id', NS_OCCUPANT_ID);
  const id = element?.attr('id') ?? '';
  return another !== undefined || id === '' || id.length > MAX_LENGTH ? undefined : id;
}

export function writeOccupantId(id: string): Element {
  return el('occupant-id', NS_OCCUPANT_ID, { id });
}
