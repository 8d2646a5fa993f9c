/**
 * Finds the end of a token that is split over several chunks.
 *
 * A token is: text, up to the next `<`; a tag, up to the first `>` outside quotes, or to a second `<`, which no tag can hold;
 * `<?`, up to `?>`; `<![CDATA[`, up to `]]>`; and any other `<!`, up to the byte that differs from `<![CDATA[`.
 *
 * Each byte is read once, so a token in a thousand chunks costs no more than one in a single chunk. A token is validated only when
 * it is complete, so the parser's results do not depend on how the bytes were split.
 */

const EXCLAMATION = 0x21;
const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const LESS_THAN = 0x3c;
const GREATER_THAN = 0x3e;
const QUESTION = 0x3f;
const CLOSING_BRACKET = 0x5d;

/** What begins a CDATA section (XML 1.0 §2.7). */
export const CDATA_START = '<![CDATA[';

/** The token continues in the next chunk. */
const UNFINISHED = -1;

type Part = 'start' | 'text' | 'markup' | 'tag' | 'instruction' | 'section-start' | 'section';

/** Follows one token from chunk to chunk, to its end. */
export class TokenEnd {
  #part: Part = 'start';
  /** In a tag: the quote that is open, or 0. */
  #quote = 0;
  /** How many bytes of `<![CDATA[`, or of the `]]` or `?` before a final `>`, have matched so far. */
  #matched = 0;

  /** Prepares for a new token. */
  reset(): void {
    this.#part = 'start';
    this.#quote = 0;
    this.#matched = 0;
  }

  /** Scans the token's next bytes, from `at` on. @returns the index of its end (exclusive), or -1 when it continues */
  find(bytes: Uint8Array, at: number): number {
    if (this.#part === 'start' && at < bytes.length) {
      if (bytes[at] === LESS_THAN) {
        this.#part = 'markup';
        at++;
      } else {
        this.#part = 'text';
      }
    }
    if (this.#part === 'markup' && at < bytes.length) {
      this.#part = bytes[at] === EXCLAMATION ? 'section-start' : bytes[at] === QUESTION ? 'instruction' : 'tag';
      if (this.#part !== 'tag') at++;
      if (this.#part === 'section-start') this.#matched = 2;
    }
    switch (this.#part) {
      case 'text':
        return bytes.indexOf(LESS_THAN, at);
      case 'tag':
        return this.#findTagEnd(bytes, at);
      case 'instruction':
        return this.#findLast(bytes, at, QUESTION, 1);
      case 'section-start':
        return this.#findSectionStart(bytes, at);
      case 'section':
        return this.#findLast(bytes, at, CLOSING_BRACKET, 2);
      default:
        return UNFINISHED;
    }
  }

  #findTagEnd(bytes: Uint8Array, at: number): number {
    let quote = this.#quote;
    for (; at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte === LESS_THAN) return at + 1;
      if (quote === 0) {
        if (byte === GREATER_THAN) return at + 1;
        if (byte === QUOTE || byte === APOSTROPHE) quote = byte;
      } else if (byte === quote) {
        quote = 0;
      }
    }
    this.#quote = quote;
    return UNFINISHED;
  }

  #findSectionStart(bytes: Uint8Array, at: number): number {
    for (; at < bytes.length; at++) {
      if (bytes[at] !== CDATA_START.charCodeAt(this.#matched)) return at + 1;
      if (++this.#matched < CDATA_START.length) continue;
      this.#part = 'section';
      this.#matched = 0;
      return this.#findLast(bytes, at + 1, CLOSING_BRACKET, 2);
    }
    return UNFINISHED;
  }

  /** Finds a `>` after `times` times the byte `before`. */
  #findLast(bytes: Uint8Array, at: number, before: number, times: number): number {
    let matched = this.#matched;
    for (; at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte === before) matched = Math.min(matched + 1, times);
      else if (byte === GREATER_THAN && matched === times) return at + 1;
      else matched = 0;
    }
    this.#matched = matched;
    return UNFINISHED;
  }
}
