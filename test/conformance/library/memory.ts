/** Messages that the application can come back to, by their ids. */

const REMEMBERED = 100;

/** The latest of what was noted. */
export class Memory<Value> {
  readonly #values = new Map<string, Value>();

  /** What has no id cannot be spoken of later. */
  note(id: string | undefined, value: Value): void {
    if (id === undefined) return;
    this.#values.delete(id);
    const [oldest] = this.#values.keys();
    if (oldest !== undefined && this.#values.size >= REMEMBERED) this.#values.delete(oldest);
    this.#values.set(id, value);
  }

  get(id: string): Value | undefined {
    return this.#values.get(id);
  }
}
