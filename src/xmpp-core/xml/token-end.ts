/**
 * Finds where a token ends that the chunks cut into pieces.
 *
 * A token is: text, up to the next `<`; a tag, up to the first `>` outside quotes, or to a second `<`, which no tag can hold;
 * `<?`, up to `?>`; `<![CDATA[`, up to `]]>`; and any other `<!`, up to the byte that shows it to be another.
 *
 * Each byte is looked at once, so a token in a thousand pieces costs no more than a whole one. Only the end is found here;
 * whether a token is right is judged when it is there whole. Therefore the parser's findings are the same for every cutting.
 */

const EXCLAMATION = 0x21;
const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const LESS_THAN = 0x3c;
const GREATER_THAN = 0x3e;
const QUESTION = 0x3f;
const CLOSING_BRACKET = 0x5d;

export const CDATA_START = '<![CDATA[';

/** Said of a token that goes on in the next chunk. */
const UNFINISHED = -1;

type Part = 'start' | 'text' | 'markup' | 'tag' | 'instruction' | 'section-start' | 'section';

export class TokenEnd {
  #part: Part = 'start';
  /** In a tag: the quote that is open, or 0. */
  #quote = 0;
  /** How many bytes of `<![CDATA[`, or of the `]]` or `?` before a last `>`, have just been seen. */
  #matched = 0;

  /** Prepares for a new token. */
  reset(): void {
    this.#part = 'start';
    this.#quote = 0;
    this.#matched = 0;
  }

  /** Looks at the token's next bytes, from `at` on. Returns the index after its last byte, or `UNFINISHED`. */
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

  /** Finds a `>` that follows that byte so many times. */
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
