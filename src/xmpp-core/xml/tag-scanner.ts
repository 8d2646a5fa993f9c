/**
 * Finds the parts of a start tag without building anything. An incomplete tag leaves no state behind: it is scanned again when the
 * rest has arrived.
 */

import { endOfName, skipSpace } from './bytes.js';
import { decodeValue } from './character-data.js';
import type { TreeLimits } from './limits.js';
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

/** What `scan` returns for an invalid tag; `fault` gives the error. */
const FAULTY = -2;

/** Numbers for each attribute: start and end of its name, start and end of its value, and whether the value is plain. */
const PER_ATTRIBUTE = 5;

/** Scans start tags, one at a time; its fields describe the last one. */
export class TagScanner {
  nameStart = 0;
  nameEnd = 0;
  /** The element's name, if it is cached. */
  name: QualifiedName | undefined;
  /** The default declaration, if it is the one cached with the name; the attributes then leave it out. */
  declaration: Declaration | undefined;
  attributeCount = 0;
  selfClosing = false;
  /** How many attributes the tag may have, not counting a skipped declaration. */
  #maxAttributes = 0;
  #fault: StreamError | undefined;
  #offsets: Int32Array;
  readonly #limits: TreeLimits;
  readonly #names: NameTable;

  constructor(limits: TreeLimits, names: NameTable) {
    this.#limits = limits;
    this.#names = names;
    this.#offsets = new Int32Array(PER_ATTRIBUTE * 16);
  }

  /** The name of an attribute. @throws StreamError `not-well-formed` if it is not a valid name */
  attributeName(source: Source, index: number): QualifiedName {
    const first = index * PER_ATTRIBUTE;
    return this.#names.get(source, this.#offsets[first] as number, this.#offsets[first + 1] as number);
  }

  /** The value of an attribute. @throws StreamError `not-well-formed` or `restricted-xml` for what a value cannot hold */
  value(source: Source, index: number): string {
    const first = index * PER_ATTRIBUTE;
    const start = this.#offsets[first + 2] as number;
    const end = this.#offsets[first + 3] as number;
    return this.#offsets[first + 4] === 1 ? source.latin1.slice(start, end) : decodeValue(source, start, end);
  }

  /** The first attribute, a default declaration, in a form to compare the next tag with; `undefined` if its value is not plain. */
  firstAsDeclaration(source: Source): Declaration | undefined {
    if (this.#offsets[4] !== 1) return undefined;
    return this.#names.declaration(source, this.nameEnd, this.#offsets[2] as number, (this.#offsets[3] as number) + 1);
  }

  /** Why the last scan returned `FAULTY`. */
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
    if (nameEnd === start + 1) return this.#malformed('a tag without a name');
    if (nameEnd - start - 1 > this.#limits.nameBytes) return this.#overLimit('a name longer than allowed');
    this.name = this.#names.find(source, start + 1, nameEnd);
    this.#maxAttributes = this.#limits.attributes;
    const usual = this.name?.declaration;
    if (usual === undefined || this.#maxAttributes === 0 || !isDeclared(usual, source.view, nameEnd)) {
      return this.#scanAttributes(source, nameEnd);
    }
    this.declaration = usual;
    this.#maxAttributes--;
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
        if (bytes[at + 1] !== GREATER_THAN) return this.#malformed('a / inside a tag');
        this.selfClosing = true;
        return at + 2;
      }
      const next = skipSpace(bytes, at, end);
      if (next === at) return this.#malformed('no white space between the parts of a tag');
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
    if (nameEnd === start) return this.#malformed('an attribute without a name');
    if (nameEnd === end) return UNFINISHED;
    const equals = bytes[nameEnd] === EQUALS ? nameEnd : skipSpace(bytes, nameEnd, end);
    if (equals === end) return UNFINISHED;
    if (bytes[equals] !== EQUALS) return this.#malformed('an attribute without a value');
    const opening =
      equals + 1 < end && bytes[equals + 1] === APOSTROPHE ? equals + 1 : skipSpace(bytes, equals + 1, end);
    if (opening === end) return UNFINISHED;
    const quote = bytes[opening];
    if (quote !== QUOTE && quote !== APOSTROPHE) return this.#malformed('a value without quotes');
    const plainEnd = endOfPlainValue(source, opening + 1);
    const closing = plainEnd < end && bytes[plainEnd] === quote ? plainEnd : endOfValue(bytes, plainEnd, quote);
    if (closing === end) return UNFINISHED;
    if (bytes[closing] === LESS_THAN) return this.#malformed('< in a value');
    if (nameEnd - start > this.#limits.nameBytes) return this.#overLimit('a name longer than allowed');
    return this.#addAttribute(start, nameEnd, opening + 1, closing, closing === plainEnd);
  }

  #addAttribute(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number, plain: boolean): number {
    if (this.attributeCount >= this.#maxAttributes) return this.#overLimit('more attributes than allowed');
    const first = this.attributeCount * PER_ATTRIBUTE;
    if (first === this.#offsets.length) this.#grow();
    const offsets = this.#offsets;
    offsets[first] = nameStart;
    offsets[first + 1] = nameEnd;
    offsets[first + 2] = valueStart;
    offsets[first + 3] = valueEnd;
    offsets[first + 4] = plain ? 1 : 0;
    this.attributeCount++;
    return valueEnd + 1;
  }

  #grow(): void {
    const larger = new Int32Array(this.#offsets.length * 2);
    larger.set(this.#offsets);
    this.#offsets = larger;
  }

  #malformed(text: string): number {
    this.#fault = notWellFormed(text);
    return FAULTY;
  }

  #overLimit(text: string): number {
    this.#fault = policyViolation(text);
    return FAULTY;
  }
}

/** The index of the closing quote, of a `<` (which no value may hold), or the end of the bytes. */
function endOfValue(bytes: Uint8Array, at: number, quote: number): number {
  while (at < bytes.length && bytes[at] !== quote && bytes[at] !== LESS_THAN) at++;
  return at;
}

/** Whether this declaration is at `at`. Compares the last word first: it is the likeliest to differ. */
function isDeclared({ words, length }: Declaration, view: DataView, at: number): boolean {
  const lastWord = at + length - 4;
  if (lastWord + 4 > view.byteLength || view.getInt32(lastWord, true) !== words[words.length - 1]) return false;
  for (let i = 0; i < words.length - 1; i++, at += 4) if (view.getInt32(at, true) !== words[i]) return false;
  return true;
}
