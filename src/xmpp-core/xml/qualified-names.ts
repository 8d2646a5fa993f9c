/** The names of elements and attributes as tags spell them, each made into a string once. */

import { decodeText } from './character-data.js';
import { isNcName } from './names.js';
import { ownLatin1, type Source } from './source.js';
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
  /** Its first and its last four bytes, to find it by. */
  readonly first: number;
  readonly last: number;
  /**
   * The default declaration that followed this name in a tag last time. Most names come with the same one always, so the next
   * tag is first compared with it as a whole.
   */
  declaration: Declaration | undefined;
}

/** A default declaration as a tag spelled it. */
export interface Declaration {
  /** From the end of the element's name to the closing quote: ` xmlns='jabber:client'`. */
  readonly words: Int32Array;
  readonly length: number;
  readonly ns: string;
}

/** A power of two. A session uses some 200 names. */
const SLOTS = 2_048;

/** How many declarations are remembered before all are forgotten. */
const DECLARATIONS = 256;

/**
 * Remembers names by their bytes: what is found again is neither cut out nor checked again, and compares by identity. Each
 * name has two places, where only the last two comers stay, so no peer can make the table grow or a search in it slow.
 */
export class NameTable {
  readonly #slots: (QualifiedName | undefined)[] = [];
  /** By their text, so that a namespace is one string however often it is declared. */
  readonly #declarations = new Map<string, Declaration>();

  constructor() {
    this.#slots.length = SLOTS;
  }

  /** The name in that range, if it is remembered. */
  find(source: Source, start: number, end: number): QualifiedName | undefined {
    const first = firstBytes(source, start, end);
    const last = lastBytes(source, start, end);
    const slot = slotOf(first, last, end - start);
    const newer = this.#slots[slot];
    if (newer === undefined || isThatName(newer, source, start, end, first, last)) return newer;
    const older = this.#slots[slot + 1];
    return older === undefined || isThatName(older, source, start, end, first, last) ? older : undefined;
  }

  /** The name in that range, which holds name bytes only. Throws `not-well-formed` if they make no name. */
  get(source: Source, start: number, end: number): QualifiedName {
    return this.find(source, start, end) ?? this.#learn(source, start, end);
  }

  /** The default declaration in that range, whose value begins at `value` and is plain. */
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

  #learn(source: Source, start: number, end: number): QualifiedName {
    const name = read(source, start, end);
    if (!name.ascii) return name;
    const slot = slotOf(name.first, name.last, end - start);
    this.#slots[slot + 1] = this.#slots[slot];
    this.#slots[slot] = name;
    return name;
  }
}

let shared: NameTable | undefined;

/** The table of all parsers of this process: so each new stream, and each frame of a WebSocket, finds the names of the others. */
export function sharedNames(): NameTable {
  shared ??= new NameTable();
  return shared;
}

/** Whether the range spells this name, which must be of ASCII. */
export function isSpelled(name: QualifiedName, source: Source, start: number, end: number): boolean {
  return isThatName(name, source, start, end, firstBytes(source, start, end), lastBytes(source, start, end));
}

/** Two comparisons of four bytes settle names of up to eight; only longer ones are looked at byte by byte between. */
function isThatName(
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

/** The first of a name's two places. */
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

/** The range four bytes by four; the last four overlap those before if they must. It has four bytes or more. */
function wordsOf(view: DataView, start: number, end: number): Int32Array {
  const words = new Int32Array(Math.ceil((end - start) / 4));
  for (let i = 0; i < words.length; i++) words[i] = view.getInt32(Math.min(start + i * 4, end - 4), true);
  return words;
}
