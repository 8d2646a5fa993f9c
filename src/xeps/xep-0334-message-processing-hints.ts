/**
 * XEP-0334 Message Processing Hints, 1.0.0 (Stable). https://xmpp.org/extensions/xep-0334.html
 *
 * How the sender of a message would like servers to process it. Servers need not comply.
 */
import { el, type Element } from '../xmpp-core/xml/element.js';

/** The namespace of hints. */
export const NS_HINTS = 'urn:xmpp:hints';

/** Do not store permanently, do not store at all, do not copy to other clients, store in any case (§4). */
export type Hint = 'no-permanent-store' | 'no-store' | 'no-copy' | 'store';

const HINTS: ReadonlySet<string> = new Set<Hint>(['no-permanent-store', 'no-store', 'no-copy', 'store']);

/** Reads the hints of a message; unknown ones are left out. */
export function readHints(message: Element): ReadonlySet<Hint> {
  const names = message
    .children()
    .filter(({ ns }) => ns === NS_HINTS)
    .map(({ name }) => name);
  return new Set(names.filter(isHint));
}

/** Writes a hint. */
export function writeHint(hint: Hint): Element {
  return el(hint, NS_HINTS);
}

function isHint(name: string): name is Hint {
  return HINTS.has(name);
}
