/** The beginning of a token whose end has not come yet. */

/** A buffer larger than this is given back once its token is read, so that one long stanza does not cost memory for ever. */
const KEPT = 65_536;

const NOTHING = Buffer.from([]);

export class Unfinished {
  length = 0;
  #buffer = NOTHING;

  /** Adds the bytes from `start` to `end`. The buffer doubles when it is full, so that many small pieces stay cheap. */
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

  /** All of it, good until the next `append`; what is kept here is empty then. */
  take(): Uint8Array {
    const taken = this.#buffer.subarray(0, this.length);
    if (this.#buffer.length > KEPT) this.clear();
    this.length = 0;
    return taken;
  }

  clear(): void {
    this.length = 0;
    this.#buffer = NOTHING;
  }
}
