/** The bytes that mean something to the parser, and the classes that its loops ask about. */

export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;
export const EXCLAMATION = 0x21;
export const QUOTE = 0x22;
export const HASH = 0x23;
export const AMPERSAND = 0x26;
export const APOSTROPHE = 0x27;
export const HYPHEN = 0x2d;
export const SLASH = 0x2f;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const LESS_THAN = 0x3c;
export const EQUALS = 0x3d;
export const GREATER_THAN = 0x3e;
export const QUESTION = 0x3f;
export const OPENING_BRACKET = 0x5b;
export const CLOSING_BRACKET = 0x5d;

/** White space of markup (XML 1.0 §2.3, S). */
export function isSpace(byte: number | undefined): boolean {
  return byte === SPACE || byte === LF || byte === CR || byte === TAB;
}

/** The index of the first byte from `at` on that is not white space, or `end`. */
export function skipSpace(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && isSpace(bytes[at])) at++;
  return at;
}

/*
 * Classes of bytes, as bits. A byte may be in several. Names, text and values are first only cut out; a byte above 0x7F is
 * let through everywhere and looked at when the cut is decoded.
 */
/** May stand in a name: letters, digits, `-._:` and all bytes above 0x7F. */
export const IN_NAME = 1;
/** Stands for itself in character data: ASCII, except `<`, `&`, `>` (it may end a `]]>`), CR and control characters. */
export const PLAIN_IN_TEXT = 2;
/** Stands for itself in an attribute value: ASCII, except quotes, `<`, `&` and control characters, TAB, CR and LF among them. */
export const PLAIN_IN_VALUE = 4;

export const CLASSES = classify();

function classify(): Uint8Array {
  const classes = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) {
    const char = String.fromCharCode(byte);
    if (/[\w.:\x80-\xFF-]/.test(char)) classes[byte] = IN_NAME;
    if (/[\t\n\x20-\x7F]/.test(char) && !/[<&>]/.test(char)) classes[byte] = (classes[byte] ?? 0) | PLAIN_IN_TEXT;
    if (/[\x20-\x7F]/.test(char) && !/[<&'"]/.test(char)) classes[byte] = (classes[byte] ?? 0) | PLAIN_IN_VALUE;
  }
  return classes;
}

/** The index of the first byte from `at` on that cannot stand in a name. */
export function endOfName(bytes: Uint8Array, at: number): number {
  while (at < bytes.length && ((CLASSES[bytes[at] as number] as number) & IN_NAME) !== 0) at++;
  return at;
}
