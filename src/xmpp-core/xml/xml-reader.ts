/**
 * Reads XML from chunks of bytes and emits elements as complete trees. It rejects the parts of XML that XMPP forbids
 * (RFC 6120 §11.1) and whatever exceeds the limits.
 */

import { StreamError } from '../errors.js';
import { skipSpace, endOfName } from './bytes.js';
import { decodeCdata, decodeText } from './character-data.js';
import type { Element } from './element.js';
import { DEFAULT_LIMITS, type ParserLimits } from './limits.js';
import { endOfPlainText } from './plain-runs.js';
import { isSpelled, sharedNames } from './qualified-names.js';
import { type Source, sourceOf } from './source.js';
import { TagScanner } from './tag-scanner.js';
import { CDATA_START, TokenEnd } from './token-end.js';
import { TreeBuilder } from './tree-builder.js';
import { Unfinished } from './unfinished.js';
import { notWellFormed, policyViolation, restrictedXml } from './violations.js';
import { checkInstruction } from './xml-declaration.js';

const EXCLAMATION = 0x21;
const SLASH = 0x2f;
const LESS_THAN = 0x3c;
const GREATER_THAN = 0x3e;
const QUESTION = 0x3f;
const FAULTY = -2;
const UNFINISHED = -1;

/** Called for what the bytes hold, in order. A handler may call `stop`. */
export interface XmlEvents {
  /** The start tag of a stream's root. Not called for a document. */
  onOpen(header: Element): void;
  /** A complete child of a stream's root, or a document's complete root. */
  onElement(element: Element): void;
  /** The end of a stream's root. */
  onClose(): void;
}

/** Reads one stream or one document. */
export class XmlReader {
  readonly #events: XmlEvents;
  /** The most bytes of the stanza that begins now. */
  readonly #newStanzaBytes: () => number;
  /** Levels around the emitted elements: 1 in a stream, 0 in a document. */
  readonly #outerLevels: number;
  readonly #tag: TagScanner;
  readonly #tree: TreeBuilder;
  readonly #tokenEnd = new TokenEnd();
  readonly #unfinished = new Unfinished();
  /** Nothing has been read yet, so an XML declaration may follow. */
  #atStart = true;
  #rootSeen = false;
  #stopped = false;
  /** Where the current stanza began, relative to the first byte of the current source; negative when before it. */
  #stanzaStart = 0;
  /** The most bytes of the current stanza. */
  #stanzaBytes: number;

  constructor(events: XmlEvents, kind: 'stream' | 'document', limits: ParserLimits = {}) {
    this.#events = events;
    const { stanzaBytes, ...others } = { ...DEFAULT_LIMITS, ...limits };
    this.#newStanzaBytes = typeof stanzaBytes === 'number' ? () => stanzaBytes : stanzaBytes;
    this.#stanzaBytes = this.#newStanzaBytes();
    this.#outerLevels = kind === 'stream' ? 1 : 0;
    const names = sharedNames();
    this.#tag = new TagScanner(others, names);
    this.#tree = new TreeBuilder(others, this.#outerLevels, names);
  }

  /** Whether the root has ended and nothing incomplete follows. */
  get complete(): boolean {
    return this.#rootSeen && this.#tree.depth === 0 && this.#unfinished.length === 0;
  }

  /** Whether `stop` was called. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Stops reading, including the rest of the current chunk. */
  stop(): void {
    this.#stopped = true;
    this.#unfinished.clear();
  }

  /** Reads the next bytes. Once it has thrown, it must not be called again. @throws StreamError, and whatever a handler throws */
  read(bytes: Uint8Array): void {
    let at = 0;
    if (this.#unfinished.length > 0) {
      at = this.#finishToken(bytes);
      if (at === UNFINISHED) return;
    }
    if (at < bytes.length) at = this.#readTokens(sourceOf(bytes), at);
    if (at < bytes.length) this.#keepForLater(bytes, at);
    else this.#stanzaStart -= bytes.length;
  }

  /** Reads all complete tokens. Returns where the first incomplete one begins, or the end after `stop`. */
  #readTokens(source: Source, at: number): number {
    const { bytes } = source;
    while (at < bytes.length) {
      if (this.#stopped) return bytes.length;
      let next: number;
      if (bytes[at] === LESS_THAN) next = this.#readMarkup(source, at);
      else if (this.#isOutside()) next = this.#skipBetween(bytes, at);
      else next = this.#readText(source, at);
      if (next === UNFINISHED) return at;
      at = next;
    }
    return at;
  }

  /** Joins the token of an earlier chunk with its rest and reads it. Returns where in `bytes` the rest ends, or `UNFINISHED`. */
  #finishToken(bytes: Uint8Array): number {
    const before = this.#unfinished.length;
    const end = this.#tokenEnd.find(bytes, 0);
    this.#unfinished.append(bytes, 0, end === UNFINISHED ? bytes.length : end);
    this.#checkLength(this.#unfinished.length);
    if (end === UNFINISHED) return UNFINISHED;
    const source = sourceOf(this.#unfinished.take());
    if (source.bytes[0] === LESS_THAN) this.#readMarkup(source, 0);
    else this.#tree.addText(decodeText(source, 0, source.bytes.length));
    this.#stanzaStart -= before;
    return end;
  }

  #keepForLater(bytes: Uint8Array, at: number): void {
    this.#checkLength(bytes.length);
    this.#stanzaStart -= at;
    this.#unfinished.append(bytes, at, bytes.length);
    this.#findEnd(bytes, at);
  }

  /** Throws when the current stanza, up to this index, is too long. Always called before a token is validated. */
  #checkLength(end: number): void {
    if (end - this.#stanzaStart > this.#stanzaBytes) throw policyViolation('a stanza longer than allowed');
  }

  /** Whether no stanza (of a stream) or root (of a document) is open, so that white space is allowed, but no text. */
  #isOutside(): boolean {
    return this.#tree.depth <= this.#outerLevels;
  }

  /** Reads a token that begins with `<`. Returns the index after it, or `UNFINISHED` with no change of state. */
  #readMarkup(source: Source, at: number): number {
    if (this.#isOutside()) {
      this.#stanzaStart = at;
      this.#stanzaBytes = this.#newStanzaBytes();
    }
    if (at + 1 === source.bytes.length) return UNFINISHED;
    switch (source.bytes[at + 1]) {
      case SLASH:
        return this.#readEndTag(source, at);
      case EXCLAMATION:
        return this.#readSection(source, at);
      case QUESTION:
        return this.#readInstruction(source, at);
      default:
        return this.#readStartTag(source, at);
    }
  }

  #readStartTag(source: Source, at: number): number {
    const tag = this.#tag;
    const end = tag.scan(source, at);
    if (end === UNFINISHED) return UNFINISHED;
    if (end === FAULTY) return this.#reject(source.bytes, at, tag.fault);
    this.#checkLength(end);
    if (this.#tree.depth === 0) {
      if (this.#rootSeen) throw notWellFormed('an element after the end of the root');
      this.#rootSeen = true;
      this.#atStart = false;
    }
    this.#tree.open(source, tag);
    if (this.#tree.depth === this.#outerLevels) this.#events.onOpen(this.#tree.header());
    if (tag.selfClosing && !this.#stopped) this.#close();
    return end;
  }

  #readEndTag(source: Source, at: number): number {
    const { bytes } = source;
    const nameStart = at + 2;
    const { expected } = this.#tree;
    const expectedEnd = nameStart + expected.qualified.length;
    if (
      expectedEnd < bytes.length &&
      bytes[expectedEnd] === GREATER_THAN &&
      expected.ascii &&
      isSpelled(expected, source, nameStart, expectedEnd)
    ) {
      this.#checkLength(expectedEnd + 1);
      this.#close();
      return expectedEnd + 1;
    }
    return this.#readOtherEndTag(source, at);
  }

  /** Reads an end tag that is not exactly `</`, the expected ASCII name, and `>`. */
  #readOtherEndTag(source: Source, at: number): number {
    const { bytes } = source;
    const nameStart = at + 2;
    const nameEnd = endOfName(bytes, nameStart);
    const closing = skipSpace(bytes, nameEnd, bytes.length);
    if (closing === bytes.length) return UNFINISHED;
    if (bytes[closing] !== GREATER_THAN) return this.#reject(bytes, at, notWellFormed('a malformed end tag'));
    this.#checkLength(closing + 1);
    if (this.#tree.depth === 0 || nameEnd === nameStart || !this.#tree.closes(source, nameStart, nameEnd)) {
      throw notWellFormed('an end tag without its start tag');
    }
    this.#close();
    return closing + 1;
  }

  #close(): void {
    const element = this.#tree.close();
    const { depth } = this.#tree;
    if (depth > this.#outerLevels) {
      this.#tree.add(element);
      return;
    }
    if (depth === this.#outerLevels) this.#events.onElement(element);
    else this.#events.onClose();
  }

  #readText(source: Source, start: number): number {
    const { bytes } = source;
    const plainEnd = endOfPlainText(source, start);
    const end =
      plainEnd < bytes.length && bytes[plainEnd] === LESS_THAN ? plainEnd : source.latin1.indexOf('<', plainEnd);
    if (end === UNFINISHED) return UNFINISHED;
    this.#checkLength(end);
    this.#tree.addText(end === plainEnd ? source.latin1.slice(start, end) : decodeText(source, start, end));
    return end;
  }

  /** Reads what begins with `<!`: a CDATA section, or something that XMPP forbids. */
  #readSection(source: Source, at: number): number {
    const end = this.#findEnd(source.bytes, at);
    if (end === UNFINISHED) return UNFINISHED;
    this.#checkLength(end);
    if (!source.latin1.startsWith(CDATA_START, at)) {
      if (/[A-Za-z-]/.test(source.latin1.charAt(at + 2)))
        throw restrictedXml('a comment or a document type declaration');
      throw notWellFormed('a malformed <! declaration');
    }
    if (this.#isOutside()) throw this.#textOutside();
    this.#tree.addText(decodeCdata(source, at + CDATA_START.length, end - ']]>'.length));
    return end;
  }

  #readInstruction(source: Source, at: number): number {
    const end = this.#findEnd(source.bytes, at);
    if (end === UNFINISHED) return UNFINISHED;
    this.#checkLength(end);
    checkInstruction(source.latin1.slice(at, end), this.#atStart);
    this.#atStart = false;
    return end;
  }

  /** Skips white space between stanzas, which only keeps a connection alive (RFC 6120 §4.6.1, §11.7). */
  #skipBetween(bytes: Uint8Array, at: number): number {
    this.#atStart = false;
    const next = skipSpace(bytes, at, bytes.length);
    if (next < bytes.length && bytes[next] !== LESS_THAN) throw this.#textOutside();
    return next;
  }

  /** Text around the root is not well-formed; text between stanzas is, but XMPP does not allow it (`bad-format`, RFC 6120 §4.9.3.1). */
  #textOutside(): StreamError {
    return this.#tree.depth === 0
      ? notWellFormed('text outside the root element')
      : new StreamError('bad-format', 'text between stanzas');
  }

  /** Throws the fault if its token is complete; else returns `UNFINISHED`, since a token that is too long has another error. */
  #reject(bytes: Uint8Array, at: number, fault: StreamError): number {
    const end = this.#findEnd(bytes, at);
    if (end === UNFINISHED) return UNFINISHED;
    this.#checkLength(end);
    throw fault;
  }

  #findEnd(bytes: Uint8Array, at: number): number {
    this.#tokenEnd.reset();
    return this.#tokenEnd.find(bytes, at);
  }
}
