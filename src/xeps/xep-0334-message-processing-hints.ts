/**
 * XEP-0334 Message Processing Hints, 1.0.0 (Stable). https://xmpp.org/extensions/xep-0334.html
 *
 * What the sender of a message wishes servers to do with it. They need not follow.
 */
import { el, type Element } from '../xmpp-core/xml/element.js';

export const NS_HINTS = 'urn:xmpp:hints';

/** Not to keep it for long, not to keep it at all, not to copy it to other clients, to keep it in spite of the rules (§4). */
export type Hint = 'no-permanent-store' | 'no-store' | 'no-copy' | 'store';

const HINTS: ReadonlySet<string> = new Set<Hint>(['no-permanent-store', 'no-store', 'no-copy', 'store']);

export function readHints(message: Element): ReadonlySet<Hint> {
  const names = message
    .children()
    .filter(({ ns }) => ns === NS_HINTS)
    .map(({ name }) => name);
  return new Set(names.filter(isHint));
}

export function writeHint(hint: Hint): Element {
  return el(hint, NS_HINTS);
}

function isHint(name: string): name is Hint {
  return HINTS.has(name);
}
