/**
 * Cuts a start tag into its pieces without building anything. A tag that the chunk does not hold whole leaves no trace: it is
 * scanned anew when the rest has come.
 */

import { endOfName, isSpace, skipSpace } from './bytes.js';
import type { XmlLimits } from './limits.js';
import { endOfPlainValue } from './plain-runs.js';
import { type Declaration, isDeclared, type NameTable, type QualifiedName } from './qualified-names.js';
import type { Source } from './source.js';
import { notWellFormed, policyViolation } from './violations.js';
import type { StreamError } from '../errors.js';

const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const SPACE = 0x20;
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

  attributeNameStart(index: number): number {
    return this.#pieces[index * PER_ATTRIBUTE] as number;
  }
  attributeNameEnd(index: number): number {
    return this.#pieces[index * PER_ATTRIBUTE + 1] as number;
  }
  valueStart(index: number): number {
    return this.#pieces[index * PER_ATTRIBUTE + 2] as number;
  }
  valueEnd(index: number): number {
    return this.#pieces[index * PER_ATTRIBUTE + 3] as number;
  }
  /** Whether each byte of the value stands for itself. */
  isPlain(index: number): boolean {
    return this.#pieces[index * PER_ATTRIBUTE + 4] === 1;
  }

  /** Why the last scan said `FAULTY`. */
  get fault(): StreamError {
    return this.#fault ?? notWellFormed('a tag that is none');
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
    if (nameEnd - start - 1 > this.#limits.nameBytes) return this.#tooMuch('a name longer than we take');
    this.name = this.#names.find(source, start + 1, nameEnd);
    this.#room = this.#limits.attributes;
    return this.#scanAttributes(source, this.#skipDeclaration(source.view, nameEnd));
  }

  /** Skips the declaration that is remembered with the name, if it is there, at the price of one comparison. */
  #skipDeclaration(view: DataView, at: number): number {
    const declaration = this.name?.declaration;
    if (declaration === undefined || this.#limits.attributes === 0) return at;
    if (!isDeclared(declaration, view, at)) return at;
    this.declaration = declaration;
    this.#room--;
    return at + declaration.length;
  }

  #scanAttributes(source: Source, start: number): number {
    const { bytes } = source;
    const end = bytes.length;
    let at = start;
    while (at < end) {
      const byte = bytes[at];
      if (byte === GREATER_THAN) return at + 1;
      if (byte === SLASH) return this.#closeAtOnce(bytes, at + 1);
      if (byte !== SPACE && !isSpace(byte)) return this.#wrong('no white space between the parts of a tag');
      at = skipSpace(bytes, at + 1, end);
      if (at === end) return UNFINISHED;
      if (bytes[at] === GREATER_THAN || bytes[at] === SLASH) continue;
      at = this.#scanAttribute(source, at);
      if (at < 0) return at;
    }
    return UNFINISHED;
  }

  #closeAtOnce(bytes: Uint8Array, at: number): number {
    if (at === bytes.length) return UNFINISHED;
    if (bytes[at] !== GREATER_THAN) return this.#wrong('a / inside a tag');
    this.selfClosing = true;
    return at + 1;
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
    if (nameEnd - start > this.#limits.nameBytes) return this.#tooMuch('a name longer than we take');
    return this.#keep(start, nameEnd, opening + 1, closing, closing === plainEnd);
  }

  #keep(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number, plain: boolean): number {
    if (this.attributeCount >= this.#room) return this.#tooMuch('more attributes than we take');
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
