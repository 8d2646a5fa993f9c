/**
 * Cuts a start tag into its pieces without building anything. A tag that the chunk does not hold whole leaves no trace: it is
 * scanned anew when the rest has come.
 */

import { endOfName, skipSpace } from './bytes.js';
import { decodeValue } from './character-data.js';
import type { XmlLimits } from './limits.js';
import { endOfPlainValue } from './plain-runs.js';
import type { Declaration, NameTable, QualifiedName } from './qualified-names.js';
import type { Source } from './source.js';
import { notWellFormed, policyViolation } from './violations.js';
import type { StreamError } from '../errors.js';

const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const SLASH = 0x2f;
const LESS_THAN = 0x3c;
const EQUALS = 0x3d;
const GREATER_THAN = 0x3e;
const UNFINISHED = -1;

/** What `scan` says of a tag that is wrong; `fault` tells how. */
const FAULTY = -2;

/** Numbers for each attribute: start and end of its name, start and end of its value, and whether the value is plain. */
const PER_ATTRIBUTE = 5;

export class TagScanner {
  nameStart = 0;
  nameEnd = 0;
  /** The element's name, if it is remembered. */
  name: QualifiedName | undefined;
  /** The default declaration, if it was the one that is remembered with the name; it is not among the attributes then. */
  declaration: Declaration | undefined;
  attributeCount = 0;
  selfClosing = false;
  /** How many attributes there may be, beside a declaration that was skipped. */
  #room = 0;
  #fault: StreamError | undefined;
  #pieces: Int32Array;
  readonly #limits: XmlLimits;
  readonly #names: NameTable;

  constructor(limits: XmlLimits, names: NameTable) {
    this.#limits = limits;
    this.#names = names;
    this.#pieces = new Int32Array(PER_ATTRIBUTE * 16);
  }

  /** The name of an attribute. Throws `not-well-formed` if it is none. */
  attributeName(source: Source, index: number): QualifiedName {
    const first = index * PER_ATTRIBUTE;
    return this.#names.get(source, this.#pieces[first] as number, this.#pieces[first + 1] as number);
  }

  /** The value of an attribute. Throws `not-well-formed` or `restricted-xml` for what cannot stand in one. */
  value(source: Source, index: number): string {
    const first = index * PER_ATTRIBUTE;
    const start = this.#pieces[first + 2] as number;
    const end = this.#pieces[first + 3] as number;
    return this.#pieces[first + 4] === 1 ? source.latin1.slice(start, end) : decodeValue(source, start, end);
  }

  /** The first attribute, being a default declaration, in a form that the next tag can be compared with; `undefined` if it is not plain. */
  firstAsDeclaration(source: Source): Declaration | undefined {
    if (this.#pieces[4] !== 1) return undefined;
    return this.#names.declaration(source, this.nameEnd, this.#pieces[2] as number, (this.#pieces[3] as number) + 1);
  }

  /** Why the last scan said `FAULTY`. */
  get fault(): StreamError {
    return this.#fault ?? notWellFormed('a malformed tag');
  }

  /** Scans the tag whose `<` is at `start`. Returns the index after its `>`, or `UNFINISHED`, or `FAULTY`. */
  scan(source: Source, start: number): number {
    const { bytes } = source;
    const end = bytes.length;
    this.attributeCount = 0;
    this.selfClosing = false;
    this.declaration = undefined;
    this.nameStart = start + 1;
    const nameEnd = endOfName(bytes, start + 1);
    this.nameEnd = nameEnd;
    if (nameEnd === end) return UNFINISHED;
    if (nameEnd === start + 1) return this.#wrong('a tag without a name');
    if (nameEnd - start - 1 > this.#limits.nameBytes) return this.#tooMuch('a name longer than allowed');
    this.name = this.#names.find(source, start + 1, nameEnd);
    this.#room = this.#limits.attributes;
    const usual = this.name?.declaration;
    if (usual === undefined || this.#room === 0 || !isDeclared(usual, source.view, nameEnd)) {
      return this.#scanAttributes(source, nameEnd);
    }
    this.declaration = usual;
    this.#room--;
    return this.#scanAttributes(source, nameEnd + usual.length);
  }

  #scanAttributes(source: Source, start: number): number {
    const { bytes } = source;
    const end = bytes.length;
    let at = start;
    while (at < end) {
      const byte = bytes[at];
      if (byte === GREATER_THAN) return at + 1;
      if (byte === SLASH) {
        if (at + 1 === end) return UNFINISHED;
        if (bytes[at + 1] !== GREATER_THAN) return this.#wrong('a / inside a tag');
        this.selfClosing = true;
        return at + 2;
      }
      const next = skipSpace(bytes, at, end);
      if (next === at) return this.#wrong('no white space between the parts of a tag');
      if (next === end) return UNFINISHED;
      at = bytes[next] === GREATER_THAN || bytes[next] === SLASH ? next : this.#scanAttribute(source, next);
      if (at < 0) return at;
    }
    return UNFINISHED;
  }

  /** Returns the index after the closing quote. */
  #scanAttribute(source: Source, start: number): number {
    const { bytes } = source;
    const end = bytes.length;
    const nameEnd = endOfName(bytes, start);
    if (nameEnd === start) return this.#wrong('an attribute without a name');
    if (nameEnd === end) return UNFINISHED;
    const equals = bytes[nameEnd] === EQUALS ? nameEnd : skipSpace(bytes, nameEnd, end);
    if (equals === end) return UNFINISHED;
    if (bytes[equals] !== EQUALS) return this.#wrong('an attribute without a value');
    const opening =
      equals + 1 < end && bytes[equals + 1] === APOSTROPHE ? equals + 1 : skipSpace(bytes, equals + 1, end);
    if (opening === end) return UNFINISHED;
    const quote = bytes[opening];
    if (quote !== QUOTE && quote !== APOSTROPHE) return this.#wrong('a value without quotes');
    const plainEnd = endOfPlainValue(source, opening + 1);
    const closing = plainEnd < end && bytes[plainEnd] === quote ? plainEnd : endOfValue(bytes, plainEnd, quote);
    if (closing === end) return UNFINISHED;
    if (bytes[closing] === LESS_THAN) return this.#wrong('< in a value');
    if (nameEnd - start > this.#limits.nameBytes) return this.#tooMuch('a name longer than allowed');
    return this.#keep(start, nameEnd, opening + 1, closing, closing === plainEnd);
  }

  #keep(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number, plain: boolean): number {
    if (this.attributeCount >= this.#room) return this.#tooMuch('more attributes than allowed');
    const first = this.attributeCount * PER_ATTRIBUTE;
    if (first === this.#pieces.length) this.#grow();
    const pieces = this.#pieces;
    pieces[first] = nameStart;
    pieces[first + 1] = nameEnd;
    pieces[first + 2] = valueStart;
    pieces[first + 3] = valueEnd;
    pieces[first + 4] = plain ? 1 : 0;
    this.attributeCount++;
    return valueEnd + 1;
  }

  #grow(): void {
    const larger = new Int32Array(this.#pieces.length * 2);
    larger.set(this.#pieces);
    this.#pieces = larger;
  }

  #wrong(text: string): number {
    this.#fault = notWellFormed(text);
    return FAULTY;
  }

  #tooMuch(text: string): number {
    this.#fault = policyViolation(text);
    return FAULTY;
  }
}

/** The index of the closing quote, or of a `<`, which no value may hold, or the end of the bytes. */
function endOfValue(bytes: Uint8Array, at: number, quote: number): number {
  while (at < bytes.length && bytes[at] !== quote && bytes[at] !== LESS_THAN) at++;
  return at;
}

/** Whether that declaration stands at `at`, told by its words: the last, which differs soonest, then the others. */
function isDeclared({ words, length }: Declaration, view: DataView, at: number): boolean {
  const lastWord = at + length - 4;
  if (lastWord + 4 > view.byteLength || view.getInt32(lastWord, true) !== words[words.length - 1]) return false;
  for (let i = 0; i < words.length - 1; i++, at += 4) if (view.getInt32(at, true) !== words[i]) return false;
  return true;
}
