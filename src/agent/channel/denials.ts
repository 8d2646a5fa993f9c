/** Tells the log who was turned away and why, once an hour for each: whoever knocks must not be able to fill the disk. */
import type { Log } from '../log.js';

const AGAIN_MS = 60 * 60_000;
/** Strangers decide how many there are. */
const MAX_REMEMBERED = 10_000;

export class Denials {
  readonly #log: Log;
  readonly #toldAt = new Map<string, number>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** @param from a JID, as the log is to show it */
  tell(from: string, why: string): void {
    const now = performance.now();
    const toldAt = this.#toldAt.get(from);
    if (toldAt !== undefined && now - toldAt < AGAIN_MS) return;
    this.#toldAt.delete(from);
    this.#toldAt.set(from, now);
    const [oldest] = this.#toldAt.keys();
    if (this.#toldAt.size > MAX_REMEMBERED && oldest !== undefined) this.#toldAt.delete(oldest);
    this.#log('info', 'denied', { from, why });
  }
}
