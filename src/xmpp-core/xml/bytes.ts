/** Finds where white space and names end. */

/*
 * Each file that scans bytes defines its own byte constants. V8 loads and type-checks an imported binding at every use, since a
 * module may change what it exports; it inlines a constant of the same file. That alone is a fifth of the speed.
 */
const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const HYPHEN = 0x2d;
const SLASH = 0x2f;
const COLON = 0x3a;
const GREATER_THAN = 0x3e;

/** The index of the first byte from `at` on that is not white space (XML 1.0 §2.3, S), or `end`. */
export function skipSpace(bytes: Uint8Array, at: number, end: number): number {
  for (; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte > SPACE || (byte !== SPACE && byte !== LF && byte !== CR && byte !== TAB)) return at;
  }
  return at;
}

/**
 * The index of the first byte from `at` on that ends a name, or the end of the bytes. Everything above `>` counts as part of the name, as
 * do digits and `-.:` below it: names are only cut out here, and validated when they are new.
 */
export function endOfName(bytes: Uint8Array, at: number): number {
  for (; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte <= GREATER_THAN && (byte < HYPHEN || byte > COLON || byte === SLASH)) return at;
  }
  return at;
}

/** Whether there is nothing but white space. */
export function isSpace(bytes: Uint8Array): boolean {
  return skipSpace(bytes, 0, bytes.length) === bytes.length;
}
