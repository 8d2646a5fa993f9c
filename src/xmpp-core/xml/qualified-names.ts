/** The names of elements and attributes as tags spell them, each made into a string once. */

import { decodeText } from './character-data.js';
import { isNcName } from './names.js';
import type { Source } from './source.js';
import { notWellFormed } from './violations.js';

/** A name as a tag spells it (Namespaces in XML 1.0 §4, QName). */
export interface QualifiedName {
  /** `prefix:local`, or `local`. */
  readonly qualified: string;
  /** Empty when there is none. */
  readonly prefix: string;
  readonly local: string;
  /** The prefix that an attribute of this name declares; empty for the default namespace; `undefined` when it declares none. */
  readonly declares: string | undefined;
  /** Whether it is all ASCII, so that its characters are its bytes. */
  readonly ascii: boolean;
}

/** A power of two. A session uses some 200 names. */
const SLOTS = 1_024;

/**
 * Remembers names by their bytes: what is found again is neither cut out nor checked again, and compares by identity. Each
 * name has one place, where the last comer stays, so no peer can make the table grow or a search in it slow.
 */
export class NameTable {
  readonly #slots: (QualifiedName | undefined)[] = Array.from({ length: SLOTS });

  /** The name in that range, which holds name bytes only. Throws `not-well-formed` if they make no name. */
  get(source: Source, start: number, end: number): QualifiedName {
    const slot = slotOf(source.bytes, start, end);
    const known = this.#slots[slot];
    if (known !== undefined && isSpelled(known, source.bytes, start, end)) return known;
    const name = read(source, start, end);
    if (name.ascii) this.#slots[slot] = name;
    return name;
  }
}

/** Whether the range spells this name. Only for names of ASCII; others are never found so. */
export function isSpelled(name: QualifiedName, bytes: Uint8Array, start: number, end: number): boolean {
  const { qualified } = name;
  if (!name.ascii || qualified.length !== end - start) return false;
  for (let i = 0; i < qualified.length; i++) if (bytes[start + i] !== qualified.charCodeAt(i)) return false;
  return true;
}

/** Length, first and last bytes tell the names of the field well apart. */
function slotOf(bytes: Uint8Array, start: number, end: number): number {
  const first = bytes[start] as number;
  const second = bytes[start + 1] ?? 0;
  const middle = bytes[(start + end) >> 1] as number;
  const last = bytes[end - 1] as number;
  return (first * 5 + second * 67 + middle * 137 + last * 31 + (end - start) * 257) & (SLOTS - 1);
}

function read(source: Source, start: number, end: number): QualifiedName {
  const qualified = decodeText(source, start, end);
  const colon = qualified.indexOf(':');
  const prefix = colon === -1 ? '' : qualified.slice(0, colon);
  const local = qualified.slice(colon + 1);
  if (!isNcName(local) || (colon !== -1 && !isNcName(prefix))) throw notWellFormed('a name that is none');
  const declares = qualified === 'xmlns' ? '' : prefix === 'xmlns' ? local : undefined;
  return { qualified, prefix, local, declares, ascii: qualified.length === end - start };
}
