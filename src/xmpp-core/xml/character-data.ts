/**
 * Decodes character data and attribute values that are not plain ASCII: UTF-8, references, line ends. One strict pass; the
 * result holds only characters that XML 1.0 allows.
 */

import { type Source, Utf16Buffer } from './source.js';
import { notWellFormed, restrictedXml } from './violations.js';

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const HASH = 0x23;
const AMPERSAND = 0x26;
const APOSTROPHE = 0x27;
const SEMICOLON = 0x3b;
const LESS_THAN = 0x3c;
const GREATER_THAN = 0x3e;
const CLOSING_BRACKET = 0x5d;

/** Decodes text between tags: resolves references, rejects `]]>` (XML 1.0 §2.4), turns line ends into LF (§2.11). @throws StreamError */
export function decodeText(source: Source, start: number, end: number): string {
  return decode(source, start, end, LF, true);
}

/** Decodes the content of a CDATA section: nothing in it is markup (XML 1.0 §2.7). @throws StreamError */
export function decodeCdata(source: Source, start: number, end: number): string {
  return decode(source, start, end, LF, false);
}

/** Decodes an attribute value: resolves references, turns each literal TAB, LF, CR and CR LF into a space (XML 1.0 §3.3.3). @throws StreamError */
export function decodeValue(source: Source, start: number, end: number): string {
  return decode(source, start, end, SPACE, true);
}

/** From this length on, two native passes cost less than one of ours, above all in a young process whose loops are not compiled yet. */
const LONG = 256;

/** @param lineEnd what a line end becomes; if it is a space, TAB becomes a space too */
function decode(source: Source, start: number, end: number, lineEnd: number, markup: boolean): string {
  return (
    (end - start < LONG ? undefined : decodeLong(source, start, end)) ??
    decodeStrictly(source, start, end, lineEnd, markup)
  );
}

/** The text in that range, if it is valid UTF-8 and holds no character that needs treatment in text, CDATA or values. */
function decodeLong({ bytes }: Source, start: number, end: number): string | undefined {
  const text = utf8(bytes, start, end);
  return text === undefined || SPECIAL.test(text) ? undefined : text;
}

/** Characters that XML forbids, or that mean something else in text, CDATA or values. */
const SPECIAL = /[\0-\x1F&>\uFFFE\uFFFF]/;

let decoder: InstanceType<typeof TextDecoder> | undefined;

function utf8(bytes: Uint8Array, start: number, end: number): string | undefined {
  decoder ??= new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  try {
    return decoder.decode(bytes.subarray(start, end));
  } catch {
    return undefined; // The strict pass finds the error and reports it.
  }
}

function decodeStrictly(source: Source, start: number, end: number, lineEnd: number, markup: boolean): string {
  const { bytes } = source;
  const inText = markup && lineEnd === LF;
  const buffer = bufferFor(end - start);
  const { units } = buffer;
  let length = 0;
  let at = start;
  while (at < end) {
    const byte = bytes[at] as number;
    if (byte >= 0x80) {
      const codePoint = readCodePoint(bytes, at, end);
      at += codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;
      length = put(codePoint, units, length);
    } else if (byte === AMPERSAND && markup) {
      const semicolon = endOfReference(bytes, at, end);
      length = put(resolve(source.latin1.slice(at + 1, semicolon)), units, length);
      at = semicolon + 1;
    } else if (byte === CR || ((byte === LF || byte === TAB) && lineEnd === SPACE)) {
      units[length++] = lineEnd;
      at += byte === CR && at + 1 < end && bytes[at + 1] === LF ? 2 : 1;
    } else {
      if (byte < SPACE && byte !== LF && byte !== TAB) throw notWellFormed('a control character');
      if (byte === GREATER_THAN && inText && endsCdata(bytes, at, start)) throw notWellFormed(']]> in text');
      units[length++] = byte;
      at++;
    }
  }
  return buffer.text(length);
}

/** Writes a code point in UTF-16 and returns the new length. */
function put(codePoint: number, units: Uint16Array, length: number): number {
  if (codePoint < 0x10000) {
    units[length] = codePoint;
    return length + 1;
  }
  units[length] = 0xd7c0 + (codePoint >> 10);
  units[length + 1] = 0xdc00 + (codePoint & 0x3ff);
  return length + 2;
}

/** UTF-16 units in the shared buffer: enough for nearly all tokens. A longer token gets its own buffer, so that its memory is freed. */
const SHARED_UNITS = 4_096;
let sharedBuffer: Utf16Buffer | undefined;

/** A buffer for the UTF-16 form of that many bytes of UTF-8, which never has more units than bytes. Valid until the next call. */
function bufferFor(length: number): Utf16Buffer {
  if (length > SHARED_UNITS) return new Utf16Buffer(length);
  sharedBuffer ??= new Utf16Buffer(SHARED_UNITS);
  return sharedBuffer;
}

/** Whether the `>` at this index ends `]]>`. */
function endsCdata(bytes: Uint8Array, at: number, start: number): boolean {
  return at - start >= 2 && bytes[at - 1] === CLOSING_BRACKET && bytes[at - 2] === CLOSING_BRACKET;
}

/**
 * The non-ASCII code point whose UTF-8 form (RFC 3629 §3) begins at `at`. Throws for overlong forms, surrogates, code points beyond
 * Unicode, and U+FFFE and U+FFFF, which XML does not allow.
 */
function readCodePoint(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at] as number;
  if (lead >= 0xc2 && lead < 0xe0) {
    return ((lead & 0x1f) << 6) | continuation(bytes, at + 1, end);
  }
  if (lead >= 0xe0 && lead < 0xf0) {
    const codePoint =
      ((lead & 0x0f) << 12) | (continuation(bytes, at + 1, end) << 6) | continuation(bytes, at + 2, end);
    if (codePoint < 0x800 || !isCharacter(codePoint)) throw notWellFormed('invalid UTF-8');
    return codePoint;
  }
  if (lead >= 0xf0 && lead < 0xf5) {
    const codePoint =
      ((lead & 0x07) << 18) |
      (continuation(bytes, at + 1, end) << 12) |
      (continuation(bytes, at + 2, end) << 6) |
      continuation(bytes, at + 3, end);
    if (codePoint < 0x10000 || !isCharacter(codePoint)) throw notWellFormed('invalid UTF-8');
    return codePoint;
  }
  throw notWellFormed('not UTF-8');
}

function continuation(bytes: Uint8Array, at: number, end: number): number {
  const byte = at < end ? (bytes[at] as number) : 0;
  if ((byte & 0xc0) !== 0x80) throw notWellFormed('not UTF-8');
  return byte & 0x3f;
}

/** Whether XML allows the code point (XML 1.0 §2.2, Char). */
function isCharacter(codePoint: number): boolean {
  if (codePoint < SPACE) return codePoint === TAB || codePoint === LF || codePoint === CR;
  if (codePoint < 0xd800) return true;
  return (codePoint > 0xdfff && codePoint < 0xfffe) || (codePoint > 0xffff && codePoint <= 0x10ffff);
}

function endOfReference(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && bytes[at] !== SEMICOLON) at++;
  if (at === end) throw notWellFormed('& without a reference');
  return at;
}

/** The code point that `&…;` stands for. @param reference the part between `&` and `;` */
function resolve(reference: string): number {
  if (reference.charCodeAt(0) === HASH) return resolveCharacter(reference);
  switch (reference) {
    case 'amp':
      return AMPERSAND;
    case 'lt':
      return LESS_THAN;
    case 'gt':
      return GREATER_THAN;
    case 'apos':
      return APOSTROPHE;
    case 'quot':
      return QUOTE;
    default:
      // It is rejected either way; the error depends on whether it looks like a name.
      if (/^[A-Za-z_:\x80-\xFF][\w.:\x80-\xFF-]*$/.test(reference)) {
        throw restrictedXml('an entity other than the five predefined ones');
      }
      throw notWellFormed('& without a reference');
  }
}

/** A character reference (XML 1.0 §4.1), decimal or hexadecimal, to a character that XML allows. */
function resolveCharacter(reference: string): number {
  const digits = /^#(?:x0*([0-9A-Fa-f]{1,6})|0*([0-9]{1,7}))$/.exec(reference);
  if (digits === null) throw notWellFormed('a malformed character reference');
  const codePoint = digits[1] === undefined ? Number(digits[2]) : Number.parseInt(digits[1], 16);
  if (!isCharacter(codePoint)) throw notWellFormed('a reference to a character that XML forbids');
  return codePoint;
}
