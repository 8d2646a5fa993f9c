/** Work that must be done in the order it arrived, within each conversation. */
import { runAfter } from '../../serial.js';

/** Runs one piece of work after the other for each key; different keys do not wait for each other. */
export class KeyedSerial {
  /** The end of the newest work, by key; removed when nothing is under way. */
  readonly #last = new Map<string, Promise<unknown>>();

  /** Resolves when all work that was started so far has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#last.values());
  }

  /**
   * Starts `work` when everything before it under this key has ended, whether it succeeded or failed.
   * @returns when `work` is done; rejects as `work` does
   */
  async run(key: string, work: () => Promise<void>): Promise<void> {
    const done = runAfter(this.#last.get(key), work);
    const ended = Promise.allSettled([done]);
    this.#last.set(key, ended);
    try {
      await done;
    } finally {
      if (this.#last.get(key) === ended) this.#last.delete(key);
    }
  }
}
