/** For tests: recorded stanzas of real servers and clients, from fixtures/xeps. */
import { readFileSync } from 'node:fs';
import { parseElement } from '../../src/xmpp-core/xml/stream-parser.js';
import type { Element } from '../../src/xmpp-core/xml/element.js';

/**
 * What was recorded for an extension: `fixtures/xeps/xep-0184.xml` is
 * `<fixtures><fixture name='a receipt' source='Prosody 13.0.1'><message xmlns='jabber:client' …/></fixture>…</fixtures>`.
 * @returns the stanzas by the names of their fixtures
 */
export function recorded(xep: number): ReadonlyMap<string, Element> {
  const file = new URL(`../../fixtures/xeps/xep-${String(xep).padStart(4, '0')}.xml`, import.meta.url);
  const stanzas = new Map<string, Element>();
  for (const fixture of parseElement(readFileSync(file, 'utf8')).children('fixture')) {
    const [stanza] = fixture.children();
    const name = fixture.attr('name');
    if (stanza === undefined || name === undefined)
      throw new Error(`${file.pathname}: a fixture has a name and a stanza`);
    stanzas.set(name, stanza);
  }
  return stanzas;
}
