/** Buffers the beginning of a token whose end has not arrived yet. */

/** A larger buffer is released once its token is read, so that one long stanza does not cost memory for ever. */
const MAX_KEPT_BYTES = 65_536;

const NOTHING = Buffer.from([]);

/** The bytes of one incomplete token. */
export class Unfinished {
  /** In bytes. */
  length = 0;
  #buffer = NOTHING;

  /** Adds the bytes from `start` to `end`. A full buffer doubles, so that many small chunks stay cheap. */
  append(bytes: Uint8Array, start: number, end: number): void {
    const needed = this.length + end - start;
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2, 256));
      larger.set(this.#buffer.subarray(0, this.length));
      this.#buffer = larger;
    }
    this.#buffer.set(bytes.subarray(start, end), this.length);
    this.length = needed;
  }

  /** Returns all bytes, valid until the next `append`, and empties the buffer. */
  take(): Uint8Array {
    const taken = this.#buffer.subarray(0, this.length);
    if (this.#buffer.length > MAX_KEPT_BYTES) this.clear();
    this.length = 0;
    return taken;
  }

  /** Drops the bytes and releases the memory. */
  clear(): void {
    this.length = 0;
    this.#buffer = NOTHING;
  }
}
