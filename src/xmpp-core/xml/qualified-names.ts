/** The names of elements and attributes as they are written in tags, each turned into a string once. */

import { decodeText } from './character-data.js';
import { isNcName } from './names.js';
import { ownLatin1, type Source } from './source.js';
import { notWellFormed } from './violations.js';

/** A name as it is written in a tag (Namespaces in XML 1.0 §4, QName). */
export interface QualifiedName {
  /** `prefix:local`, or `local`. */
  readonly qualified: string;
  /** Empty if there is none. */
  readonly prefix: string;
  readonly local: string;
  /** The prefix that an attribute of this name declares; empty for the default namespace; `undefined` when it declares none. */
  readonly declares: string | undefined;
  /** Whether it is all ASCII, so that characters equal bytes. */
  readonly ascii: boolean;
  /** Its first and last four bytes, by which it is looked up. */
  readonly first: number;
  readonly last: number;
  /**
   * The default declaration that followed this name in its last tag. Most names always come with the same one, so the next tag is
   * first compared with it as a whole.
   */
  declaration: Declaration | undefined;
}

/** A default namespace declaration as it was written in a tag. */
export interface Declaration {
  /** From the end of the element's name to the closing quote: ` xmlns='jabber:client'`. */
  readonly words: Int32Array;
  /** In bytes. */
  readonly length: number;
  readonly ns: string;
}

/** A power of two. A session uses about 200 names. */
const SLOTS = 2_048;

/** How many declarations are cached before the cache is cleared. */
const DECLARATIONS = 256;

/**
 * Caches names by their bytes: a cached name is neither decoded nor validated again, and compares by identity. A name has two
 * slots, which hold the last two names that hash there, so no peer can make the table grow or a lookup slow.
 */
export class NameTable {
  readonly #slots: (QualifiedName | undefined)[] = [];
  /** By their text, so that a namespace is one string, however often it is declared. */
  readonly #declarations = new Map<string, Declaration>();

  constructor() {
    this.#slots.length = SLOTS;
  }

  /** The name in that range, if it is cached. */
  find(source: Source, start: number, end: number): QualifiedName | undefined {
    const first = firstBytes(source, start, end);
    const last = lastBytes(source, start, end);
    const slot = slotOf(first, last, end - start);
    const newer = this.#slots[slot];
    if (newer === undefined || matches(newer, source, start, end, first, last)) return newer;
    const older = this.#slots[slot + 1];
    return older === undefined || matches(older, source, start, end, first, last) ? older : undefined;
  }

  /** The name in that range. @throws StreamError `not-well-formed` if it is not a valid name */
  get(source: Source, start: number, end: number): QualifiedName {
    return this.find(source, start, end) ?? this.#add(source, start, end);
  }

  /** The default declaration in that range, whose plain value begins at `value`. */
  declaration(source: Source, start: number, value: number, end: number): Declaration {
    const known = this.#declarations.get(source.latin1.slice(start, end));
    if (known !== undefined) return known;
    if (this.#declarations.size === DECLARATIONS) this.#declarations.clear();
    const text = ownLatin1(source.bytes, start, end);
    const declaration = {
      words: wordsOf(source.view, start, end),
      length: end - start,
      ns: text.slice(value - start, -1),
    };
    this.#declarations.set(text, declaration);
    return declaration;
  }

  #add(source: Source, start: number, end: number): QualifiedName {
    const name = read(source, start, end);
    if (!name.ascii) return name;
    const slot = slotOf(name.first, name.last, end - start);
    this.#slots[slot + 1] = this.#slots[slot];
    this.#slots[slot] = name;
    return name;
  }
}

let shared: NameTable | undefined;

/** The table that all parsers of this process share, so that a new stream or WebSocket frame finds the names of earlier ones. */
export function sharedNames(): NameTable {
  shared ??= new NameTable();
  return shared;
}

/** Whether the range spells this name, which must be ASCII. */
export function isSpelled(name: QualifiedName, source: Source, start: number, end: number): boolean {
  return matches(name, source, start, end, firstBytes(source, start, end), lastBytes(source, start, end));
}

/** Two comparisons of four bytes settle names of up to eight bytes; only longer ones need the loop over the middle. */
function matches(
  name: QualifiedName,
  source: Source,
  start: number,
  end: number,
  first: number,
  last: number,
): boolean {
  const length = end - start;
  if (name.first !== first || name.last !== last || name.qualified.length !== length) return false;
  for (let i = 4; i < length - 4; i++) if (source.bytes[start + i] !== name.qualified.charCodeAt(i)) return false;
  return true;
}

/** The first four bytes as a number, or as many as there are. */
function firstBytes({ bytes, view }: Source, start: number, end: number): number {
  if (end - start >= 4) return view.getInt32(start, true);
  let first = 0;
  for (let at = start; at < end; at++) first = (first << 8) | (bytes[at] as number);
  return first;
}

/** The last four bytes as a number, or none if there are fewer. */
function lastBytes({ view }: Source, start: number, end: number): number {
  return end - start >= 4 ? view.getInt32(end - 4, true) : 0;
}

/** The first of a name's two slots. */
function slotOf(first: number, last: number, length: number): number {
  const mixed = Math.imul(Math.imul(first, 0x85ebca6b) ^ last ^ length, 0x9e3779b1);
  return (mixed >>> 22) << 1;
}

function read(source: Source, start: number, end: number): QualifiedName {
  const ascii = isAscii(source.bytes, start, end);
  const qualified = ascii ? ownLatin1(source.bytes, start, end) : decodeText(source, start, end);
  const colon = qualified.indexOf(':');
  const prefix = colon === -1 ? '' : qualified.slice(0, colon);
  const local = qualified.slice(colon + 1);
  if (!isNcName(local) || (colon !== -1 && !isNcName(prefix))) throw notWellFormed('a malformed name');
  const declares = qualified === 'xmlns' ? '' : prefix === 'xmlns' ? local : undefined;
  return {
    qualified,
    prefix,
    local,
    declares,
    ascii,
    first: firstBytes(source, start, end),
    last: lastBytes(source, start, end),
    declaration: undefined,
  };
}

function isAscii(bytes: Buffer, start: number, end: number): boolean {
  let all = 0;
  for (let at = start; at < end; at++) all |= bytes[at] as number;
  return all < 0x80;
}

/** A range of at least four bytes, as words of four; the last word overlaps the one before if need be. */
function wordsOf(view: DataView, start: number, end: number): Int32Array {
  const words = new Int32Array(Math.ceil((end - start) / 4));
  for (let i = 0; i < words.length; i++) words[i] = view.getInt32(Math.min(start + i * 4, end - 4), true);
  return words;
}
