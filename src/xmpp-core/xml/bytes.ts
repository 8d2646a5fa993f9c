/** The classes of bytes that the parser's loops ask about. */

/*
 * Each file that looks at bytes names those it looks for itself. An imported constant is fetched and its type checked at every
 * use, since a module may change what it exports; one of the same file is compiled in. That alone is a fifth of the speed.
 */
const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const HYPHEN = 0x2d;
const SLASH = 0x2f;
const COLON = 0x3a;
const UNDERSCORE = 0x5f;

/** White space of markup (XML 1.0 §2.3, S). */
export function isSpace(byte: number | undefined): boolean {
  return byte === SPACE || byte === LF || byte === CR || byte === TAB;
}

/** The index of the first byte from `at` on that is not white space, or `end`. */
export function skipSpace(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && isSpace(bytes[at])) at++;
  return at;
}

/** The index of the first byte from `at` on that cannot stand in a name. */
export function endOfName(bytes: Uint8Array, at: number): number {
  while (at < bytes.length && isInName(bytes[at] as number)) at++;
  return at;
}

/**
 * Letters, digits, `-._:` and all bytes above 0x7F: names are first only cut out, and looked at closely when they are new. Small
 * letters come first, as they do in the field.
 */
function isInName(byte: number): boolean {
  return (
    (byte >= 0x61 && byte <= 0x7a) ||
    (byte >= HYPHEN && byte <= COLON && byte !== SLASH) ||
    (byte >= 0x41 && byte <= 0x5a) ||
    byte === UNDERSCORE ||
    byte >= 0x80
  );
}
