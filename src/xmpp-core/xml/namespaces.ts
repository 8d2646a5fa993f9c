/** The namespace that each prefix is bound to at the parser's position (Namespaces in XML 1.0 §6). */

import { NS_XML } from './element.js';
import { notWellFormed } from './violations.js';

const NS_XMLNS = 'http://www.w3.org/2000/xmlns/';

interface Shadowed {
  readonly prefix: string;
  /** What the prefix was bound to outside; `undefined` for nothing. */
  readonly ns: string | undefined;
}

/** The prefix bindings in scope. Default namespaces are not here: each open element holds its own. */
export class Namespaces {
  readonly #bound = new Map<string, string>([['xml', NS_XML]]);
  /** The bindings that declarations have replaced, oldest first, to be restored when their elements end. */
  readonly #shadowed: Shadowed[] = [];

  /** How many declarations are in force; pass it to `leave` to return to this point. */
  declared = 0;

  /** Declares a prefix. @throws StreamError `not-well-formed` for what Namespaces in XML 1.0 §3 and §5 forbid */
  declare(prefix: string, ns: string): void {
    if (prefix === 'xmlns') throw notWellFormed('the prefix xmlns declared');
    if ((prefix === 'xml') !== (ns === NS_XML))
      throw notWellFormed('the prefix xml or its namespace bound to something else');
    if (ns === NS_XMLNS) throw notWellFormed('the namespace of xmlns bound to a prefix');
    if (ns === '') throw notWellFormed('a prefix bound to an empty namespace');
    this.#shadowed[this.declared++] = { prefix, ns: this.#bound.get(prefix) };
    this.#bound.set(prefix, ns);
  }

  /** The namespace of the prefix. @throws StreamError `not-well-formed` when it is not declared (RFC 6120 §4.9.3.13, its example) */
  resolve(prefix: string): string {
    const ns = this.#bound.get(prefix);
    if (ns === undefined) throw notWellFormed('a prefix that is not declared');
    return ns;
  }

  /** Reverts all but the first `declared` declarations. */
  leave(declared: number): void {
    for (; this.declared > declared; this.declared--) {
      const last = this.#shadowed.pop();
      if (last?.ns === undefined) this.#bound.delete(last?.prefix ?? '');
      else this.#bound.set(last.prefix, last.ns);
    }
  }
}

/** @throws StreamError `not-well-formed` for the two namespaces that cannot be a default (Namespaces in XML 1.0 §3) */
export function checkDefault(ns: string): void {
  if (ns === NS_XML || ns === NS_XMLNS) throw notWellFormed('a reserved namespace declared as default');
}
